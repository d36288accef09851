"""The journal: what is written is read, and a changed, lost or added row shows."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from array import array
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.core.events import (
    Dividend,
    Flatten,
    Halt,
    MarketSlice,
    Note,
    OrderType,
    Pause,
    Reduce,
    Reset,
    Resume,
    Session,
    Side,
    Split,
    Tick,
    TickKind,
    TimeInForce,
)
from daemon.core.orders import OrderStatus
from daemon.core.outputs import (
    ActionApplied,
    CancelAmbiguous,
    CommandRefused,
    Denial,
    DividendPaid,
    Fill,
    LimitBreached,
    OrderAccepted,
    OrderUpdated,
    Origin,
    Output,
    Reason,
    StateChanged,
    TradeClosed,
)
from daemon.core.turn import Turn
from daemon.errors import RefusedError
from daemon.journal.codec import (
    GENESIS,
    Digest,
    chained,
    decode_columns,
    decode_command,
    decode_outputs,
    encode_columns,
    encode_input,
    encode_outputs,
    from_bytes,
    to_bytes,
)
from daemon.journal.reader import JournalReader
from daemon.journal.tables import CLOSINGS
from daemon.journal.writer import JournalWriter

# --- codec --------------------------------------------------------------------------------------

whole = st.integers(-(2**62), 2**62)
real = st.floats(allow_nan=False, allow_infinity=False)
text = st.text(st.characters(codec="utf-8"), max_size=20)
maybe = st.none() | whole
actions = st.builds(Split, text, whole, whole, whole) | st.builds(
    Dividend, text, whole, whole, whole
)
outputs = st.one_of(
    st.builds(
        OrderAccepted, whole, text, st.sampled_from(Side), whole, st.sampled_from(OrderType),
        st.sampled_from(TimeInForce), st.sampled_from(Origin), whole, whole, maybe, maybe, maybe,
        maybe, text,
    ),
    st.builds(
        OrderUpdated, whole, text, st.sampled_from(OrderStatus), st.sampled_from(Reason), whole,
        whole, maybe, maybe,
    ),
    st.builds(
        Fill, whole, whole, text, st.sampled_from(Side), whole, whole, whole, whole, whole,
        st.sampled_from(Origin), whole, whole, whole, whole, text, st.booleans(), maybe,
        st.booleans(),
    ),
    st.builds(
        Denial, whole, text, st.sampled_from(Reason), whole, st.sampled_from(Origin), text
    ),
    st.builds(StateChanged, whole, text, text, text, text, st.booleans(), text),
    st.builds(
        TradeClosed, whole, text, text, whole, whole, real, whole, real, whole, whole, whole,
        whole, whole, st.none() | real, text, text,
    ),
    st.builds(CancelAmbiguous, whole, text, whole, whole, whole),
    st.builds(ActionApplied, whole, actions, whole, whole),
    st.builds(DividendPaid, whole, text, whole),
    st.builds(LimitBreached, whole, text, text, text),
    st.builds(CommandRefused, whole, text, text),
)  # fmt: skip


def test_every_type_of_output_is_drawn_above() -> None:
    assert len(Output.__args__) == 11


@given(st.lists(outputs, max_size=5))
def test_outputs_come_back_as_they_were(turn: list[Output]) -> None:
    encoded = encode_outputs(turn)
    assert decode_outputs(encoded) == tuple(turn)
    assert encode_outputs(decode_outputs(encoded)) == encoded


@given(st.lists(outputs, min_size=1, max_size=3))
def test_every_output_names_its_type(turn: list[Output]) -> None:
    names = [body["type"] for body in json.loads(encode_outputs(turn))]
    assert names == [type(output).__name__ for output in turn]


@pytest.mark.parametrize("encoded", ["", "[", "{}", '[{"type":"Nothing"}]', '[{"type":"Denial"}]'])
def test_what_no_encoder_wrote_is_not_decoded(encoded: str) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode_outputs(encoded)


@given(st.sampled_from([Halt, Pause, Reduce, Resume, Flatten, Reset, Note]), whole, text, text)
def test_commands_come_back_as_they_were(kind: type[Any], at: int, source: str, why: str) -> None:
    command = kind(at, source, why)
    name, encoded = encode_input(command)
    assert name == "command"
    assert decode_command(encoded) == command
    assert type(decode_command(encoded)) is kind


def test_a_reset_keeps_what_it_accepts() -> None:
    command = Reset(1, "operator", "seen", "max_drawdown")
    assert decode_command(encode_input(command)[1]) == command


@given(st.lists(st.integers(-(2**63), 2**63 - 1)))
def test_columns_of_integers(values: list[int]) -> None:
    assert from_bytes(to_bytes(values, "q"), "q").tolist() == values
    assert to_bytes(array("q", values), "q") == to_bytes(values, "q")


@given(st.lists(st.floats(allow_nan=False)))
def test_columns_of_prices(values: list[float]) -> None:
    assert from_bytes(to_bytes(values, "d"), "d").tolist() == values


def test_columns_are_little_endian() -> None:
    assert to_bytes([1, -2], "q") == b"\1" + b"\0" * 7 + b"\xfe" + b"\xff" * 7
    assert to_bytes([1.0], "d") == b"\0" * 6 + b"\xf0\x3f"


@given(st.dictionaries(text, st.binary(max_size=40), max_size=4))
def test_named_columns(columns: dict[str, bytes]) -> None:
    assert decode_columns(encode_columns(columns)) == columns


# --- hashes -------------------------------------------------------------------------------------


def test_a_link_is_the_hash_of_the_one_before_and_the_row_as_msgpack() -> None:
    packed = bytes.fromhex("94 07 a1 78 c4 02 00 01 c0")  # [7, "x", b"\0\1", None]
    assert chained(GENESIS, 7, "x", b"\0\1", None) == hashlib.sha256(GENESIS + packed).digest()


@given(st.lists(text, min_size=1, max_size=4), st.lists(text, min_size=1, max_size=4))
def test_only_equal_rows_have_equal_links(one: list[str], other: list[str]) -> None:
    assert (chained(GENESIS, *one) == chained(GENESIS, *other)) == (one == other)
    assert chained(chained(GENESIS, *one), *other) != chained(GENESIS, *one)


def test_the_digest_is_over_outputs_and_columns_alone() -> None:
    def of(*encoded: str, ends: tuple[int, ...] = (1,), equity: tuple[int, ...] = (5,)) -> str:
        digest = Digest()
        for one in encoded:
            digest.add(one)
        return digest.hexdigest(array("q", ends), array("q", equity))

    assert of("a", "b") == of("a", "b")
    others = {of("a"), of("b", "a"), of("a", "b", ends=(2,)), of("a", "b", equity=(6,)), of()}
    assert len({*others, of("a", "b")}) == 6
    assert of("a", encode_outputs(()), "b") == of("a", "b")  # a note trades nothing


# --- writing and reading ------------------------------------------------------------------------

SESSION = Session(20240102, 10, 80, 7, 70, 100)
DENIAL = Denial(20, "NVDA", Reason.PAUSED, 5, Origin.TARGET, "a 'quoted' detail\n")
MANIFEST = {"config": {"name": "x"}, "engine_version": 1}


def _write(path: Path) -> dict[str, Any]:
    """A journal of three turns and two blocks; returns its seal."""
    writer = JournalWriter(path)
    writer.open_segment(1, "start", MANIFEST, {"cash_usd": 5})
    market = MarketSlice(10, 20, (), (), SESSION, 0)
    turns = [
        Turn(2, 20, market, (DENIAL,)),
        Turn(3, 25, Note(25, "operator", "hello"), ()),
        Turn(5, 80, Tick(80, TickKind.CLOSES, SESSION), (DENIAL, DENIAL)),
    ]
    assert [writer.add_turn(turn, encode_outputs(turn.outputs)) for turn in turns[:2]] == [1, 2]
    writer.store_turns()
    assert writer.add_turn(turns[2], encode_outputs(turns[2].outputs)) == 1
    writer.store_turns()
    writer.add_block("bars", "NVDA", 2, {"end": to_bytes([20, 30], "q")})
    writer.add_block("equity", "", 1, {"end": to_bytes([20], "q")})
    seal = writer.seal()
    writer.close()
    return seal


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


def test_what_was_written_is_read(journal: Path) -> None:
    seal = _write(journal)
    reader = JournalReader(journal)
    assert reader.segment() == (MANIFEST, {"cash_usd": 5})
    turns = list(reader.turns())
    assert [(row.seq, row.instant, row.kind) for row in turns] == [
        (2, 20, "slice"),
        (3, 25, "command"),
        (5, 80, "tick"),
    ]
    assert [row.input and decode_command(row.input) for row in turns] == [
        None,
        Note(25, "operator", "hello"),
        None,
    ]
    assert decode_outputs(turns[2].outputs) == (DENIAL, DENIAL)
    (block,) = reader.blocks("bars")
    assert (block.symbol, block.rows) == ("NVDA", 2)
    assert from_bytes(block.columns["end"], "q").tolist() == [20, 30]
    assert [block.kind for block in reader.blocks("equity")] == ["equity"]
    assert list(reader.blocks("gaps")) == []
    assert reader.check_chains(seal) == []
    assert reader.check_chains(None) == []
    reader.close()
    assert (seal["turns"], seal["blocks"]) == (3, 2)


def test_equal_content_makes_equal_files(tmp_path: Path) -> None:
    first, second = tmp_path / "a.db", tmp_path / "b.db"
    assert _write(first) == _write(second)
    assert first.read_bytes() == second.read_bytes()


CHANGES = [
    ("UPDATE turns SET outputs = '[]' WHERE seq = 5", "turns: row seq 5"),
    ("UPDATE turns SET outputs = outputs || ' ' WHERE seq = 2", "turns: row seq 2"),
    ("UPDATE turns SET instant = 21 WHERE seq = 2", "turns: row seq 2"),
    ("UPDATE turns SET input = NULL WHERE seq = 3", "turns: row seq 3"),
    ("UPDATE turns SET kind = 'slice' WHERE seq = 5", "turns: row seq 5"),
    ("UPDATE turns SET seq = 4 WHERE seq = 5", "turns: row seq 4"),
    ("DELETE FROM turns WHERE seq = 2", "turns: row seq 3"),
    ("DELETE FROM turns WHERE seq = 5", "turns: rows after seq 3"),
    ("DELETE FROM turns", "turns: rows after seq None"),
    ("DELETE FROM blocks WHERE block = 2", "blocks: rows after block 1"),
    ("UPDATE blocks SET columns = x'80' WHERE block = 1", "blocks: row block 1"),
    ("UPDATE blocks SET symbol = 'AMD' WHERE block = 1", "blocks: row block 1"),
    ("UPDATE blocks SET count = 3 WHERE block = 1", "blocks: row block 1"),
    ("UPDATE segments SET opening = '{}'", "segments: row segment 1"),
    ("DELETE FROM segments", "segments: rows after segment None"),
]


@pytest.mark.parametrize(("statement", "finding"), CHANGES)
def test_every_change_breaks_a_chain(journal: Path, statement: str, finding: str) -> None:
    seal = _write(journal)
    with closing(sqlite3.connect(journal)) as connection, connection:
        assert connection.execute(statement).rowcount > 0
    reader = JournalReader(journal)
    (problem,) = reader.check_chains(seal)
    reader.close()
    assert problem.startswith(finding)


def test_a_row_that_a_replay_never_writes_is_found(journal: Path) -> None:
    seal = _write(journal)
    row = (1, 1, 5, "{}")
    with closing(sqlite3.connect(journal)) as connection, connection:
        connection.execute(CLOSINGS.insert, (*row, chained(GENESIS, *row)))
    with closing(JournalReader(journal)) as reader:
        assert reader.check_chains(None) == []
        assert reader.check_chains(seal) == [
            "closings: rows after closing 1 are missing or were added"
        ]


def test_a_hash_that_was_changed_breaks_the_chain(journal: Path) -> None:
    seal = _write(journal)
    with closing(sqlite3.connect(journal)) as connection, connection:
        connection.execute("UPDATE turns SET hash = zeroblob(32) WHERE seq = 3")
    reader = JournalReader(journal)
    assert reader.check_chains(seal) == ["turns: row seq 3 is not what was written"]
    reader.close()


def test_without_a_seal_only_a_shortened_journal_goes_unseen(journal: Path) -> None:
    _write(journal)
    with closing(sqlite3.connect(journal)) as connection, connection:
        connection.execute("DELETE FROM turns WHERE seq = 5")
    reader = JournalReader(journal)
    assert reader.check_chains(None) == []
    reader.close()


# --- what is no journal -------------------------------------------------------------------------


def _nothing(path: Path) -> None:
    """Leave the place empty."""


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _text(path: Path) -> None:
    path.write_text("fill_id,ts_effective\n" * 100, encoding="utf-8")


def _other(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE things (name TEXT)")


def _newer(path: Path) -> None:
    _write(path)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA user_version = 3")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (_nothing, "no journal here"),
        (Path.mkdir, "no journal here"),
        (_empty, "not a journal (it is empty)"),
        (_text, "not a journal (file is not a database)"),
        (_other, "not a journal"),
        (_newer, "journal version 3, this papertape reads 2"),
    ],
)
def test_what_is_no_journal_is_refused(
    journal: Path, make: Callable[[Path], None], words: str
) -> None:
    make(journal)
    with pytest.raises(RefusedError) as caught:
        JournalReader(journal)
    (line,) = caught.value.lines
    assert line.startswith(f"{journal}: {words}")


def test_a_journal_that_was_never_finished_says_so(journal: Path) -> None:
    JournalWriter(journal).close()
    reader = JournalReader(journal)
    with pytest.raises(RefusedError, match="no segment"):
        reader.segment()
    reader.close()


@pytest.mark.parametrize("kept", [0.5, 0.9])
def test_a_journal_cut_short_is_refused_where_it_is_read(journal: Path, kept: float) -> None:
    _write(journal)
    content = journal.read_bytes()
    journal.write_bytes(content[: int(len(content) * kept)])
    refusal = pytest.raises(RefusedError, match=r"journal\.db: .*restore it from a copy")
    with refusal, closing(JournalReader(journal)) as reader:
        list(reader.turns())


def test_a_reader_never_writes(journal: Path) -> None:
    _write(journal)
    journal.chmod(0o444)
    before = journal.read_bytes()
    reader = JournalReader(journal)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader._file._connection.execute("DELETE FROM turns")
    reader.close()
    assert journal.read_bytes() == before
    assert [path.name for path in journal.parent.iterdir()] == ["journal.db"]


def test_a_writer_does_not_write_over_a_journal(journal: Path) -> None:
    _write(journal)
    with pytest.raises(sqlite3.OperationalError, match="already exists"):
        JournalWriter(journal)
