"""Every kind of mistake and the exact line it is answered with."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from daemon.config import load_config
from daemon.config.loader import MAX_LINES
from daemon.errors import PapertapeError, RefusedError
from tests.unit.config_files import FOUR_LINES, complaints

# Each is the fifth line of an otherwise right file, and what is said about it after `c.yaml:5:`.
FIFTH_LINE = [
    # keys
    ("cash_usd: 5", "1: cash_usd: unknown key (did you mean 'account.cash_usd'?)"),
    ("acount: {}", "1: acount: unknown key (did you mean 'account'?)"),
    ("zzz: 1", "1: zzz: unknown key"),
    ("account: {cash: 5}", "11: account.cash: unknown key (did you mean 'cash_usd'?)"),
    (
        "notify: {zzz: 5}",
        ("10: notify.zzz: unknown key (known: urls_credential, events, test_at_start)"),
    ),
    (
        "feed: {kind: tape, port: 1}\ntape: {}",
        (
            "20: feed.port: unknown key (known: kind, pace, start, end, decide_within_s, "
            "pause_after_s, resume, faults)"
        ),
    ),
    (
        "risk: {max_order_usd: {limits: 1, limit: 2}}",
        "24: risk.max_order_usd.limits: unknown key (did you mean 'limit'?)",
    ),
    ("<<: {a: 1}", "1: <<: unknown key"),
    ("name: again", "1: name: duplicate key (first at line 1)"),
    ("model: {}", "1: model.kind: required key is missing: recorded, baseline, registry or remote"),
    ("model: {kind: recorded}", "1: model.path: required key is missing"),
    (
        "execution: {commission: {}}",
        "13: execution.commission.per_share_usd: required key is missing",
    ),
    (
        "risk: {max_order_usd: {action: deny}}",
        "8: risk.max_order_usd.limit: required key is missing",
    ),
    (
        "notify: {urls_credential: a, events: [halt, puase]}",
        (
            "45: notify.events[1]: expected halt, pause, gap, feed, parity, check, fill, "
            "daily_summary, start or stop, got 'puase' (did you mean 'pause'?)"
        ),
    ),
    (
        "notify: {urls_credential: a, events: [halt, halt]}",
        "38: notify.events: halt is listed twice",
    ),
    (
        "notify: {events: [halt]}",
        (
            "18: notify.events: needs urls_credential, the name of the credential that holds the "
            "addresses"
        ),
    ),
    (
        "notify: {test_at_start: true}",
        (
            "25: notify.test_at_start: needs urls_credential, the name of the credential that "
            "holds the addresses"
        ),
    ),
    (
        "notify: {urls_credential: ../x}",
        "27: notify.urls_credential: expected the name of a credential, not a path, got '../x'",
    ),
    # types
    (
        "account: {cash_usd: '100'}",
        "21: account.cash_usd: expected a number, got '100' (without the quotes)",
    ),
    (
        "account: {cash_usd: 100_000}",
        "21: account.cash_usd: expected a number, got '100_000' (write 100000)",
    ),
    ("account: {cash_usd: true}", "21: account.cash_usd: expected a number, got true"),
    ("account: {cash_usd: [1]}", "21: account.cash_usd: expected a number, got a list"),
    (
        "account: {cash_usd: .inf}",
        "21: account.cash_usd: expected a number, got '.inf' (it must be finite)",
    ),
    ("account: {cash_usd: 1e999}", "21: account.cash_usd: expected a number, got '1e999'"),
    ("account: {cash_usd: }", "20: account.cash_usd: expected a number, got nothing"),
    ("account: 5", "10: account: expected a mapping (lines of 'key: value'), got 5"),
    ("account: [a]", "10: account: expected a mapping (lines of 'key: value'), got a list"),
    ("feed: {kind: ib, port: 7497.0}", "24: feed.port: expected a whole number, got 7497.0"),
    (
        'feed: {kind: ib, port: "7497"}',
        "24: feed.port: expected a whole number, got '7497' (without the quotes)",
    ),
    ("feed: {port: 0123}", "14: feed.port: expected a whole number, got '0123' (write 123)"),
    ("feed: {host: 5}", "14: feed.host: expected text, got 5 (put it in quotes)"),
    ("feed: {client_ids: 17}", "20: feed.client_ids: expected a list, got 17: write [17]"),
    ("feed: {client_ids: [1, x]}", "24: feed.client_ids[1]: expected a whole number, got 'x'"),
    (
        "execution: {regulatory_fees: yes}",
        "30: execution.regulatory_fees: expected true or false, got 'yes' (write true)",
    ),
    (
        "execution: {regulatory_fees: NO}",
        "30: execution.regulatory_fees: expected true or false, got 'NO' (write false)",
    ),
    (
        "execution: {regulatory_fees: 1}",
        "30: execution.regulatory_fees: expected true or false, got 1 (write true)",
    ),
    (
        "risk: {max_drawdown_pct: 5%}",
        "26: risk.max_drawdown_pct: expected a number, got '5%' (write 5)",
    ),
    (
        "risk: {max_order_usd: '$20,000'}",
        "23: risk.max_order_usd: expected a number, got '$20,000' (write 20000)",
    ),
    (
        "risk: {max_order_usd: .nan}",
        "23: risk.max_order_usd: expected a number, got '.nan' (it must be finite)",
    ),
    (
        "risk: {max_order_usd: true}",
        "23: risk.max_order_usd: expected a number or {limit, action}, got true",
    ),
    (
        "risk: {max_position_shares: 16:00}",
        "29: risk.max_position_shares: expected a whole number, got '16:00'",
    ),
    (
        "risk: {max_position_shares: 1.5}",
        "29: risk.max_position_shares: expected a whole number, got 1.5",
    ),
    # words
    ("bars: x", "1: bars: duplicate key (first at line 3)"),
    (
        "tape: {dialect: yfinanse}",
        (
            "17: tape.dialect: expected auto, papertape, yfinance, ib_async, "
            "alpaca, polygon, lean or columns, got 'yfinanse' (did you mean 'yfinance'?)"
        ),
    ),
    (
        "model: {kind: onnx, path: x}",
        ("15: model.kind: expected recorded, baseline, registry or remote, got 'onnx'"),
    ),
    ("feed: {kind: tap}", "14: feed.kind: expected ib or tape, got 'tap' (did you mean 'tape'?)"),
    (
        "execution: {commission: ibkr}",
        (
            "25: execution.commission: expected none or ibkr_fixed, "
            "got 'ibkr' (did you mean 'ibkr_fixed'?)"
        ),
    ),
    (
        "risk: {max_order_usd: {limit: 5, action: holt}}",
        (
            "42: risk.max_order_usd.action: expected "
            "deny, reduce, pause, halt or halt_and_flatten, got 'holt' (did you mean 'halt'?)"
        ),
    ),
    ("warmup_bars: some", "14: warmup_bars: expected a whole number or auto, got 'some'"),
    ("warmup_bars: true", "14: warmup_bars: expected a whole number or auto, got true"),
    (
        "feed: {kind: tape, pace: fast}\ntape: {}",
        "26: feed.pace: expected a number or max, got 'fast'",
    ),
    # bounds
    ("account: {cash_usd: 0}", "21: account.cash_usd: must be above 0, got 0"),
    ("account: {cash_usd: 1e11}", "21: account.cash_usd: must be at most 1e+10, got 1e11"),
    ("feed: {port: 65536}", "14: feed.port: must be at most 65535, got 65536"),
    ("feed: {client_ids: []}", "20: feed.client_ids: must not be empty"),
    ("feed: {host: ''}", "14: feed.host: must not be empty"),
    ("warmup_bars: -1", "14: warmup_bars: must be at least 0, got -1"),
    ("feed: {kind: tape, pace: 0}\ntape: {}", "26: feed.pace: must be above 0, got 0"),
    (
        "execution: {participation_fraction: 0}",
        "37: execution.participation_fraction: must be above 0, got 0",
    ),
    (
        "execution: {participation_fraction: 2.5}",
        "37: execution.participation_fraction: must be at most 1, got 2.5",
    ),
    (
        "execution: {tick_usd: 0.00015}",
        "23: execution.tick_usd: expected a multiple of 0.0001, got 0.00015",
    ),
    (
        "execution: {slippage_bps: 0.005}",
        "27: execution.slippage_bps: expected a multiple of 0.01, got 0.005",
    ),
    ("execution: {slippage_bps: -1}", "27: execution.slippage_bps: must be at least 0, got -1"),
    (
        "risk: {max_orders_per_day: 0}",
        (
            "28: risk.max_orders_per_day: must be above 0, got 0 (leave "
            "the key out to switch the limit off)"
        ),
    ),
    ("risk: {max_drawdown_pct: 101}", "26: risk.max_drawdown_pct: must be at most 100, got 101"),
    ("risk: {min_cash_usd: -1}", "22: risk.min_cash_usd: must be at least 0, got -1"),
    # forms
    ("feed: {client_ids: [1, 2, 1]}", "20: feed.client_ids: 1 is listed twice"),
    (
        "tape: {timezone: America/New_Yrok}",
        (
            "18: tape.timezone: expected a time zone such as "
            "America/New_York, got 'America/New_Yrok' (did you mean 'America/New_York'?)"
        ),
    ),
    (
        "tape: {timezone: ../x}",
        ("18: tape.timezone: expected a time zone such as America/New_York, got '../x'"),
    ),
    (
        "tape: {path: '$HOME/x.csv'}",
        "14: tape.path: only a leading $STATE/ is replaced in a path, got '$HOME/x.csv'",
    ),
    ("tape: {path: 'a_{sym}.csv'}", "14: tape.path: expected {symbol}, got {sym}"),
    ("tape: {path: ' '}", "14: tape.path: an empty path"),
    (
        "observability: {metrics: '9108'}",
        ("26: observability.metrics: expected HOST:PORT, got '9108'"),
    ),
    (
        "model: {kind: registry, ref: nvda}",
        "30: model.ref: expected NAME@ALIAS or NAME/VERSION, got 'nvda'",
    ),
    (
        "model: {kind: remote, url: 'http://a:b@c/'}",
        (
            "28: model.url: expected a URL (http:// or "
            "https://) without a password, got 'http://a:b@c/'"
        ),
    ),
    # keys that depend on each other
    ("feed: {kind: tape}", "14: tape: a tape feed plays the tape: say which (tape: {path: ...})"),
    (
        "feed: {grace_s: 60}",
        ("7: feed.decide_within_s: must be above grace_s (60), or no bar is ever in time"),
    ),
    (
        "feed: {kind: tape, start: 2024-01-03, end: 2024-01-02}\ntape: {}",
        "44: feed.end: 2024-01-02 is not after start (2024-01-03)",
    ),
    (
        "feed: {kind: tape, start: 15:30}\ntape: {}",
        "27: feed.start: expected a date, or a date and time, got '15:30'",
    ),
    (
        "tape: {dialect: columns}",
        "17: tape.dialect: dialect columns needs tape.columns with their names",
    ),
    (
        "tape: {dialect: lean, columns: {timestamp: t, open: o, high: h, low: l, close: c}}",
        "32: tape.columns: dialect lean knows its own columns: remove one",
    ),
    (
        "tape: {columns: {open: o, high: h, low: l, close: c}}",
        "17: tape.columns: name the column timestamp, or the columns date and time",
    ),
    (
        "tape: {columns: {timestamp: t, date: d, open: o, high: h, low: l, close: c}}",
        "17: tape.columns: name the column timestamp or the columns date and time, not both",
    ),
    (
        "tape: {columns: {timestamp: t, open: o, high: o, low: l, close: c}}",
        "47: tape.columns.high: the column 'o' is named twice",
    ),
]


@pytest.mark.parametrize(("line", "said"), FIFTH_LINE, ids=[line for line, _ in FIFTH_LINE])
def test_one_mistake_is_one_line(tmp_path: Path, line: str, said: str) -> None:
    assert complaints(tmp_path, FOUR_LINES + line) == [f"c.yaml:5:{said}"]


FIRST_FOUR = [
    (
        "test",
        "a b",
        (
            "1:7: name: expected letters, digits, '.', '_' and '-' (at most 64, starting "
            "with a letter or digit), got 'a b'"
        ),
    ),
    (
        "test",
        "../up",
        (
            "1:7: name: expected letters, digits, '.', '_' and '-' (at most 64, starting "
            "with a letter or digit), got '../up'"
        ),
    ),
    ("test", "2024", "1:7: name: expected text, got 2024 (put it in quotes)"),
    ("[NVDA]", "NVDA", "2:10: symbols: expected a list, got 'NVDA': write [NVDA]"),
    ("[NVDA]", "[]", "2:10: symbols: must not be empty"),
    ("[NVDA]", "[A, B, A]", "2:10: symbols: A is listed twice"),
    (
        "[NVDA]",
        "[nvda]",
        (
            "2:11: symbols[0]: expected a ticker symbol in capitals such as NVDA or "
            "BRK.B, got 'nvda'"
        ),
    ),
    ("[NVDA]", "[7203]", "2:11: symbols[0]: expected text, got 7203 (put it in quotes)"),
    ("[NVDA]", "[true]", "2:11: symbols[0]: expected text, got true (put it in quotes)"),
    (
        "size: 1h",
        "size: 1 hr",
        ("3:14: bars.size: expected 1h, 30m, 15m, 5m or 1m, got '1 hr' (did you mean '1h'?)"),
    ),
    ("size: 1h", "size: 5", "3:14: bars.size: expected 1h, 30m, 15m, 5m or 1m, got 5"),
    (
        "size: 1h",
        "calendar: NYSE",
        ("3:18: bars.calendar: expected XNYS, got 'NYSE' (did you mean 'XNYS'?)"),
    ),
    ("{size: 1h}", "", "3:6: bars: expected a mapping (lines of 'key: value'), got nothing"),
    ("{kind: sma_cross}", "{}", "4:1: strategy.kind: required key is missing"),
    (
        "{kind: sma_cross}",
        "sma_cross",
        ("4:11: strategy: expected a mapping (lines of 'key: value'), got 'sma_cross'"),
    ),
]


@pytest.mark.parametrize(("old", "new", "said"), FIRST_FOUR)
def test_required_keys(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert complaints(tmp_path, FOUR_LINES.replace(old, new)) == [f"c.yaml:{said}"]


def test_symbols_that_other_readers_take_for_something_else(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(FOUR_LINES.replace("[NVDA]", "[ON, NO, Y, TRUE, NULL, BRK.B, BF-B]"))
    assert load_config(path).symbols == ("ON", "NO", "Y", "TRUE", "NULL", "BRK.B", "BF-B")


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = """\
bars: {size: 1 hr}
risk:
  max_drawdow_pct: 5
  max_order_usd: 1
  max_order_usd: x
strategy: {kind: sma_cros, params: {fast: x}}
feed: {port: seven}
"""
    overrides = [("feed.hostt", "a"), ("account.cash_usd", "x"), ("risk", "[")]
    assert complaints(tmp_path, text, overrides) == [
        "c.yaml:1:1: name: required key is missing",
        "c.yaml:1:1: symbols: required key is missing",
        "c.yaml:1:14: bars.size: expected 1h, 30m, 15m, 5m or 1m, got '1 hr' (did you mean '1h'?)",
        "c.yaml:3:3: risk.max_drawdow_pct: unknown key (did you mean 'max_drawdown_pct'?)",
        "c.yaml:5:3: risk.max_order_usd: duplicate key (first at line 4)",
        (
            "c.yaml:6:18: strategy.kind: expected threshold, sma_cross, buy_and_hold or "
            "package.module:Class, got 'sma_cros' (did you mean 'sma_cross'?)"
        ),
        "c.yaml:7:14: feed.port: expected a whole number, got 'seven'",
        "--set account.cash_usd=x: expected a number, got 'x'",
        "--set feed.hostt=a: unknown key (did you mean 'host'?)",
        "--set risk=[: not valid YAML: expected the node content, but found '<stream end>'",
    ]


def test_hundreds_of_mistakes_are_cut_short(tmp_path: Path) -> None:
    text = FOUR_LINES + "".join(f"zzz{number}: 1\n" for number in range(MAX_LINES + 7))
    lines = complaints(tmp_path, text)
    assert len(lines) == MAX_LINES + 1
    assert lines[-1] == "c.yaml: and 7 more"


def test_a_file_that_cannot_be_opened_is_named_with_its_whole_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, reason in (("no.yaml", "No such file or directory"), (".", "it is a folder")):
        with pytest.raises(RefusedError) as caught:
            load_config(Path(name))
        where = tmp_path if name == "." else tmp_path / name
        assert caught.value.lines == (f"{where}: cannot read the config: {reason}",)


WORDS = (
    "name symbols bars size tape path feed kind ib account cash_usd model baseline strategy "
    "threshold params quantity execution commission risk max_order_usd limit action 5 -1 1e3 null "
    "true ~ NVDA [NVDA] {} [] max 2024-01-02 .nan x"
)
words = st.sampled_from(WORDS.split())
values = st.recursive(
    words,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]")
        | st.dictionaries(words.filter(str.isidentifier), inner, max_size=4).map(
            lambda items: "{" + ", ".join(f"{key}: {one}" for key, one in items.items()) + "}"
        )
    ),
    max_leaves=10,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    sections=st.dictionaries(words.filter(str.isidentifier), values, max_size=6),
    key=st.lists(words, min_size=1, max_size=3).map(".".join),
    value=values | st.text(max_size=10),
)
def test_no_config_raises_anything_but_a_refusal(
    tmp_path: Path, sections: dict[str, str], key: str, value: str
) -> None:
    path = tmp_path / "c.yaml"
    text = [f"{name}: {one}" for name, one in sections.items()]
    path.write_text(FOUR_LINES + "\n".join(text), encoding="utf-8")
    lines: tuple[str, ...] = ()
    try:
        load_config(path, [(key, value)])
    except PapertapeError as error:
        lines = error.lines
    assert all("\n" not in line and ": " in line for line in lines)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.binary(max_size=80))
def test_any_bytes_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "c.yaml"
    path.write_bytes(content)
    with pytest.raises(RefusedError):
        load_config(path)
