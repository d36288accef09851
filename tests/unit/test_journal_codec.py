"""The inputs of turns as they are written down for a live journal."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.core.events import (
    Bar,
    Dividend,
    Input,
    MarketSlice,
    Note,
    Outcome,
    Prediction,
    Reset,
    Session,
    Split,
    Tick,
    TickKind,
)
from daemon.journal.codec import (
    decode_input,
    decode_predictions,
    encode_input,
    encode_predictions,
    encode_values,
)

whole = st.integers(-(2**62), 2**62)
real = st.floats(allow_nan=False, allow_infinity=False)
text = st.text(st.characters(codec="utf-8"), max_size=12)
sessions = st.builds(Session, whole, whole, whole, whole, whole, whole)
bars = st.builds(Bar, text, whole, whole, real, real, real, real, whole)
actions = st.builds(Split, text, whole, whole, whole) | st.builds(
    Dividend, text, whole, whole, whole
)
inputs: st.SearchStrategy[Input] = st.one_of(
    st.builds(
        MarketSlice, whole, whole, st.lists(bars, max_size=3).map(tuple),
        st.lists(text, max_size=2).map(tuple), sessions, whole, st.sampled_from(Outcome),
        st.lists(actions, max_size=2).map(tuple),
    ),
    st.builds(Tick, whole, st.sampled_from(TickKind), sessions),
    st.builds(Note, whole, text, text),
    st.builds(Reset, whole, text, text, st.none() | text),
)  # fmt: skip
predictions = st.builds(Prediction, text, st.none() | real, st.none() | text)


@given(inputs)
def test_inputs_come_back_as_they_were(item: Input) -> None:
    kind, encoded = encode_input(item)
    assert kind == {MarketSlice: "slice", Tick: "tick"}.get(type(item), "command")
    again = decode_input(kind, encoded)
    assert again == item
    assert type(again) is type(item)
    assert encode_input(again) == (kind, encoded)


@given(st.lists(predictions, max_size=4).map(tuple))
def test_predictions_come_back_as_they_were(made: tuple[Prediction, ...]) -> None:
    encoded = encode_predictions(made)
    assert (encoded is None) == (not made)
    assert decode_predictions(encoded) == made


@pytest.mark.parametrize("price", [0.1, 123.4567, 1e-4, 99_999.9999, 2**53 + 0.0, 5e-324])
def test_prices_come_back_to_the_last_bit(price: float) -> None:
    bar = Bar("NVDA", 1, 2, price, price, price, price, 3)
    item = MarketSlice(1, 2, (bar,), (), Session(1, 2, 3, 4, 5, 6), 0)
    again = decode_input(*encode_input(item))
    assert isinstance(again, MarketSlice)
    assert again.bars[0].close.hex() == price.hex()


@pytest.mark.parametrize(
    ("kind", "encoded"),
    [
        ("slice", "{}"),
        ("slice", ""),
        ("tick", '{"type":"Note","instant":1,"source":"","reason":""}'),
        ("command", '{"type":"Tick"}'),
        ("command", '{"type":"Nothing"}'),
    ],
)
def test_what_no_encoder_wrote_is_not_decoded(kind: str, encoded: str) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode_input(kind, encoded)


def test_values_may_be_written_down_already() -> None:
    assert encode_values('{"a": 1}') == '{"a": 1}'
    assert encode_values({"a": (1, None)}) == '{"a":[1,null]}'
    assert encode_values(Split("NVDA", 1, 10, 1)) == (
        '{"type":"Split","symbol":"NVDA","effective":1,"numerator":10,"denominator":1}'
    )


def test_half_a_character_does_not_keep_a_turn_from_being_written_down() -> None:
    note = Note(1, "operator", "caf\udce9 \u00e9")
    kind, encoded = encode_input(note)
    assert encoded == '{"type":"Note","instant":1,"source":"operator","reason":"caf? \u00e9"}'
    assert decode_input(kind, encoded) == Note(1, "operator", "caf? \u00e9")
    failed = (Prediction("NVDA", None, "\ud800"), Prediction("AMD", 0.1))
    assert encode_predictions(failed) == (
        '[{"type":"Prediction","symbol":"NVDA","value":null,"failure":"?"},'
        '{"type":"Prediction","symbol":"AMD","value":0.1,"failure":null}]'
    )
