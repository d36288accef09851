from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.config.emit import to_yaml
from daemon.config.positions import MAX_BYTES, MAX_DEPTH, MAX_KEY_CHARACTERS, parse, scalar
from daemon.config.problems import rendered
from tests.unit.config_files import FOUR_LINES, complaints, load

SCALARS = [
    # what YAML 1.1 makes of it is in the comment
    ("16:00", "16:00"),  # 960
    ("9:30", "9:30"),  # 570
    ("09:30", "09:30"),
    ("NO", "NO"),  # False
    ("no", "no"),  # False
    ("yes", "yes"),  # True
    ("on", "on"),  # True
    ("y", "y"),
    ("TRUE", "TRUE"),  # True; a ticker symbol
    ("True", "True"),  # True
    ("0123", "0123"),  # 83
    ("0123456", "0123456"),  # 42798, from an all-digit hash
    ("010", "010"),  # 8
    ("0x1F", "0x1F"),  # 31
    ("0b101", "0b101"),  # 5
    ("1_000", "1_000"),  # 1000
    ("1e3", 1000.0),  # "1e3"
    ("1e-3", 0.001),  # "1e-3"
    ("1E+6", 1_000_000.0),
    (".nan", ".nan"),  # nan
    (".inf", ".inf"),  # inf
    ("-.INF", "-.INF"),  # -inf
    ("1e999", "1e999"),
    ("2024-01-02", "2024-01-02"),  # a date
    ("2024-01-02 15:30:00", "2024-01-02 15:30:00"),  # a datetime
    ("=", "="),
    ("<<", "<<"),
    ("0", 0),
    ("-0", 0),
    ("+5", 5),
    ("-7", -7),
    ("5.", 5.0),
    (".5", 0.5),
    ("00.5", "00.5"),
    ("1.2.3", "1.2.3"),
    ("9" * 41, "9" * 41),
    ("9" * 40, int("9" * 40)),
    ("٣", "٣"),  # an Arabic three
    ("null", None),
    ("~", None),
    ("", None),
    ("Null", "Null"),
    ("true", True),
    ("false", False),
]


@pytest.mark.parametrize(("text", "meaning"), SCALARS)
def test_plain_scalars_mean_what_they_look_like(text: str, meaning: object) -> None:
    found = scalar(text)
    assert found == meaning
    assert type(found) is type(meaning)
    assert parse(f"key: {text}").value == {"key": meaning}


def test_quoted_scalars_are_text() -> None:
    assert parse("""{a: "1", b: 'true', c: "null"}""").value == {"a": "1", "b": "true", "c": "null"}


def test_keys_are_text_whatever_they_look_like() -> None:
    assert parse("NO: 1\n1: 2\nnull: 3").value == {"NO": 1, "1": 2, "null": 3}


def test_places_count_from_one() -> None:
    document = parse("a: 1\nb:\n  - x\n  - {c:   y}\n")
    where = {path: (place.line, place.column) for path, place in document.places.items()}
    assert where == {
        (): (1, 1),
        ("a",): (1, 4),
        ("b",): (3, 3),
        ("b", 0): (3, 5),
        ("b", 1): (4, 5),
        ("b", 1, "c"): (4, 11),
    }
    key = document.places["b", 1, "c"]
    assert (key.key_line, key.key_column, key.text) == (4, 6, "y")


UNREADABLE: list[tuple[str | bytes, str]] = [
    ("", "c.yaml:1:1: the file is empty: `papertape init DIR` writes an example"),
    ("# nothing\n", "c.yaml:1:1: the file is empty: `papertape init DIR` writes an example"),
    ("null", "c.yaml:1:1: the file is empty: `papertape init DIR` writes an example"),
    ("- a", "c.yaml:1:1: expected a mapping (lines of 'key: value'), got a list"),
    ("just text", "c.yaml:1:1: expected a mapping (lines of 'key: value'), got 'just text'"),
    ("a:\n\t- b", "c.yaml:2:1: a tab: YAML wants spaces here"),
    ("a:\tb", "c.yaml:1:3: a tab: YAML wants spaces here"),
    (
        "a: 1\n  b: 2",
        (
            "c.yaml:2:4: not valid YAML: mapping values are not allowed here (is the indentation "
            "right? text that holds ': ' needs quotes)"
        ),
    ),
    (
        'path: "C:\\Work"',
        (
            "c.yaml:1:11: not valid YAML: found unknown escape character 'W' (use single quotes "
            "around text that holds a backslash)"
        ),
    ),
    (
        "a: @b",
        (
            "c.yaml:1:4: not valid YAML: found character '@' that cannot start any token (put the "
            "text in quotes)"
        ),
    ),
    ("a: 1\n---\na: 2", "c.yaml:2:1: a second document ('---') is not read"),
    ("a: *b", "c.yaml:1:4: a: anchors and aliases ('&', '*') are not read: write the value out"),
    ("a: &b 1", "c.yaml:1:4: a: anchors and aliases ('&', '*') are not read: write the value out"),
    ("a: !!int 3", "c.yaml:1:4: a: the tag '!!int' is not read: remove it"),
    (
        "a: !!python/object/apply:os.system [true]",
        "c.yaml:1:4: a: the tag '!!python/object/apply:os.system' is not read: remove it",
    ),
    ("? [a]\n: b", "c.yaml:1:3: a key must be plain text"),
    ("a: \x01", "c.yaml:1:4: the character U+0001 is not allowed"),
    ('a: "\\0"', "c.yaml:1:4: a: the character U+0000 is not allowed"),
    ('a: "\\ud800"', "c.yaml:1:4: a: the character U+D800 is not allowed"),
    (b"a: 1\nb: \xff", "c.yaml:2:4: not UTF-8 text (byte 0xff)"),
    ("name: x".encode("utf-16"), "c.yaml:1:1: not UTF-8 text (byte 0xff)"),
    ("[" * 5000, f"c.yaml:1:{MAX_DEPTH + 2}: nested deeper than {MAX_DEPTH} levels"),
    ("a: [" + "1," * 20_000 + "]", "c.yaml:1:39999: more than 20000 values"),
    ("x" * (MAX_BYTES + 1), "c.yaml:1:1: larger than 256 KB: not a config"),
    ("k" * 201 + ": 1", "c.yaml:1:1: this key is too long"),
]


@pytest.mark.parametrize(("text", "line"), UNREADABLE)
def test_what_cannot_be_read_is_refused_in_one_line(
    tmp_path: Path, text: str | bytes, line: str
) -> None:
    assert complaints(tmp_path, text) == [line]


def test_an_alias_bomb_is_refused_before_it_grows(tmp_path: Path) -> None:
    bomb = "a: &a [x, x]\n" + "".join(
        f"{chr(98 + i)}: &{chr(98 + i)} [*{chr(97 + i)}, *{chr(97 + i)}]\n" for i in range(20)
    )
    assert complaints(tmp_path, bomb) == [
        "c.yaml:1:4: a: anchors and aliases ('&', '*') are not read: write the value out"
    ]


def test_a_byte_order_mark_and_windows_line_ends_are_read(tmp_path: Path) -> None:
    text = "\ufeff" + FOUR_LINES.replace("\n", "\r\n")
    assert load(tmp_path, text).name == "test"


def test_every_duplicate_key_is_named_and_the_first_one_counts() -> None:
    document = parse("a: 1\nb: {c: 1, c: {d: 2, d: 3}}\na: 2\n")
    assert document.value == {"a": 1, "b": {"c": 1}}
    assert rendered(document.problems, "f") == [
        "f:2:11: b.c: duplicate key (first at line 2)",
        "f:2:21: b.c.d: duplicate key (first at line 2)",
        "f:3:1: a: duplicate key (first at line 1)",
    ]
    assert document.places["a",].text == "1"


characters = st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from("\n\t")
texts = st.text(characters)
keys = st.text(characters, max_size=MAX_KEY_CHARACTERS)
numbers = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**38), 10**38)
leaves = st.none() | st.booleans() | numbers | texts
trees = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(keys, trees, max_size=5))
def test_what_is_written_reads_back_equal(values: dict[str, Any]) -> None:
    document = parse(to_yaml(values) if values else "{}")
    assert document.problems == []
    assert document.value == values
    assert repr(document.value) == repr(values)  # 5 is not 5.0, and -0.0 is not 0.0


@given(st.text() | st.text(alphabet="ab:-[]{}&*!|>'\"%@`#, \n\t?0e.~", max_size=40))
def test_junk_is_read_or_refused_and_never_raises(text: str) -> None:
    document = parse(text)
    lines = rendered(document.problems, "f")
    assert all(line.startswith("f:") and "\n" not in line for line in lines)
    assert not _holds_a_number_that_is_not_finite(document.value)


def _holds_a_number_that_is_not_finite(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_holds_a_number_that_is_not_finite, value.values()))
    if isinstance(value, list):
        return any(map(_holds_a_number_that_is_not_finite, value))
    return isinstance(value, float) and not math.isfinite(value)
