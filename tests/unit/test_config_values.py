"""What a right config means: defaults, overrides, paths, origins, and the way back to YAML."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from daemon.config import (
    DEFAULT_ACTIONS,
    CommissionConfig,
    Config,
    IbFeedConfig,
    LimitConfig,
    TapeFeedConfig,
    load_config,
    require_supported,
    require_tape,
    setting_of,
    warnings_of,
)
from daemon.config.emit import to_yaml
from daemon.config.notify import NOTICE_EVENTS
from daemon.errors import RefusedError, UsageError
from tests.unit.config_files import FOUR_LINES, complaints, load


def test_the_defaults(tmp_path: Path) -> None:
    assert load(tmp_path, FOUR_LINES).resolved() == {
        "name": "test",
        "symbols": ["NVDA"],
        "bars": {"size": "1h", "calendar": "XNYS", "grid": "session"},
        "tape": None,
        "feed": None,
        "account": {"cash_usd": 100_000.0},
        "model": None,
        "strategy": {
            "kind": "sma_cross",
            "params": {"fast": 10, "slow": 50, "quantity": 100, "allow_short": False},
        },
        "warmup_bars": None,
        "execution": {
            "fill": "next_open",
            "overnight": "next_open",
            "tick_usd": 0.01,
            "slippage_bps": 1.0,
            "commission": "ibkr_fixed",
            "regulatory_fees": True,
            "participation_fraction": 0.025,
            "short_borrow_rate_pct": None,
        },
        "risk": {
            "max_position_shares": None,
            "max_position_usd": None,
            "max_order_usd": None,
            "max_gross_leverage": None,
            "price_collar_pct": None,
            "min_cash_usd": None,
            "max_orders_per_hour": None,
            "max_orders_per_day": None,
            "allow_short": False,
            "max_daily_loss_usd": None,
            "max_drawdown_pct": None,
            "flat_before_close": False,
        },
        "observability": {"metrics": "127.0.0.1:9108", "log": "json"},
        "notify": {"urls_credential": None, "events": [], "test_at_start": False},
        "paths": {"data": None, "models": None},
    }


def test_the_defaults_of_tape_and_feeds(tmp_path: Path) -> None:
    resolved = load(tmp_path, FOUR_LINES + "tape: {}\nfeed: {}\n").resolved()
    assert resolved["tape"] == {
        "path": None,
        "dialect": "auto",
        "timezone": None,
        "stamps": "start",
        "adjustment": "splits",
        "on_bad_bar": "quarantine",
        "columns": None,
    }
    assert resolved["feed"] == {
        "kind": "ib",
        "host": "127.0.0.1",
        "port": 7497,
        "client_ids": [17, 18, 19],
        "grace_s": 5.0,
        "decide_within_s": 60.0,
        "pause_after_s": 120.0,
        "resume": {"stable_s": 120.0, "after": "backfilled"},
    }
    played = load(tmp_path, FOUR_LINES + "tape: {}\nfeed: {kind: tape}\n").resolved()
    assert played["feed"] == {
        "kind": "tape",
        "pace": 3600.0,
        "start": None,
        "end": None,
        "decide_within_s": 60.0,
        "pause_after_s": 120.0,
        "resume": {"stable_s": 120.0, "after": "backfilled"},
        "faults": [],
    }


LIMITS = [
    ("max_position_shares", 500, "deny"),
    ("max_position_usd", 50000.0, "deny"),
    ("max_order_usd", 20000.0, "deny"),
    ("max_gross_leverage", 1.0, "deny"),
    ("price_collar_pct", 10.0, "deny"),
    ("min_cash_usd", 0.0, "deny"),
    ("max_orders_per_hour", 4, "pause"),
    ("max_orders_per_day", 12, "halt"),
    ("max_daily_loss_usd", 1500.0, "halt_and_flatten"),
    ("max_drawdown_pct", 15.0, "halt_and_flatten"),
]


@pytest.mark.parametrize(("name", "value", "action"), LIMITS)
def test_a_bare_number_takes_the_limits_own_action(
    tmp_path: Path, name: str, value: float, action: str
) -> None:
    bare = load(tmp_path, f"{FOUR_LINES}risk: {{{name}: {value:g}}}")
    assert {key: (one.limit, one.action) for key, one in bare.risk.limits().items()} == {
        name: (value, action)
    }
    assert type(getattr(bare.risk, name).limit) is type(value)
    other = load(tmp_path, f"{FOUR_LINES}risk: {{{name}: {{limit: {value:g}, action: reduce}}}}")
    assert other.risk.limits()[name].action == "reduce"
    none_told = load(tmp_path, f"{FOUR_LINES}risk: {{{name}: {{limit: {value:g}}}}}")
    assert none_told == bare


def test_the_table_of_actions_holds_every_limit() -> None:
    assert {name: action for name, _, action in LIMITS} == DEFAULT_ACTIONS


def test_values_arrive_typed(tmp_path: Path) -> None:
    config = load(
        tmp_path,
        FOUR_LINES + "tape: {columns: {date: d, time: t, open: o, high: h, low: l, close: c}}\n"
        "feed: {kind: tape, pace: max, start: 2024-01-02, end: 2024-01-02}\n"
        "account: {cash_usd: 5}\n"
        "warmup_bars: auto\n"
        "execution: {commission: {per_share_usd: 0.005}}\n"
        "risk: {max_order_usd: 2e4}\n",
    )
    assert isinstance(config.feed, TapeFeedConfig)
    assert config.feed.pace == "max"
    assert repr(config.account.cash_usd) == "5.0"
    assert config.warmup_bars == "auto"
    assert config.execution.commission == CommissionConfig(per_share_usd=0.005)
    assert config.risk.max_order_usd == LimitConfig(limit=20_000.0, action="deny")
    assert config.tape is not None
    assert config.tape.dialect == "columns"
    assert config.tape_spec(tmp_path).columns == {
        "date": "d",
        "time": "t",
        "open": "o",
        "high": "h",
        "low": "l",
        "close": "c",
    }
    with pytest.raises(ValueError, match="frozen"):
        config.name = "other"


def test_a_section_whose_lines_are_all_comments_has_its_defaults(tmp_path: Path) -> None:
    text = FOUR_LINES + "".join(
        f"{section}:\n  # nothing\n"
        for section in ("account", "execution", "risk", "observability", "notify", "paths")
    )
    assert load(tmp_path, text) == load(tmp_path, FOUR_LINES)


# --- overrides --------------------------------------------------------------------------------


def test_overrides_are_read_by_the_same_rules_and_the_last_one_wins(tmp_path: Path) -> None:
    config = load(
        tmp_path,
        FOUR_LINES + "risk: {max_daily_loss_usd: 1500}\n",
        [
            ("strategy.params.fast", "5"),
            ("account.cash_usd", "1"),
            ("account.cash_usd", "2e5"),
            ("risk.max_daily_loss_usd.action", "pause"),
            ("feed", "{kind: ib, client_ids: [3]}"),
            ("feed.port", "4002"),
            ("symbols", "[AMD, NVDA]"),
            ("execution.participation_fraction", ""),
        ],
    )
    assert config.strategy.params["fast"] == 5
    assert config.account.cash_usd == 200_000
    assert config.risk.max_daily_loss_usd == LimitConfig(limit=1500.0, action="pause")
    assert config.feed == IbFeedConfig(port=4002, client_ids=(3,))
    assert config.symbols == ("AMD", "NVDA")
    assert config.execution.participation_fraction is None


OVERRIDE_ERRORS = [
    (
        ("risk.max_position_share", "5"),
        "--set risk.max_position_share=5: unknown key (did you mean 'max_position_shares'?)",
    ),
    (
        ("risk", "{max_order_usd: x}"),
        "--set risk={max_order_usd: x}: risk.max_order_usd: expected a number, got 'x'",
    ),
    (
        ("account", "{cash_usd: 1, cash_usd: 2}"),
        "--set account={cash_usd: 1, cash_usd: 2}: account.cash_usd: duplicate key (given twice)",
    ),
    (("symbols.0", "A"), "--set symbols.0=A: symbols is a list: set it as a whole"),
    (("a..b", "1"), "--set a..b=1: expected a dotted key, such as account.cash_usd"),
    (
        ("account.cash_usd", "1_0"),
        ("--set account.cash_usd=1_0: expected a number, got '1_0' (write 10)"),
    ),
    (
        ("strategy.kind", "tresh"),
        (
            "--set strategy.kind=tresh: expected threshold, sma_cross, "
            "buy_and_hold or package.module:Class, got 'tresh' (did you mean 'threshold'?)"
        ),
    ),
    (
        ("model", "{}"),
        (
            "--set model={}: model.kind: required key is missing: recorded, baseline, "
            "registry or remote"
        ),
    ),
]


@pytest.mark.parametrize(("override", "line"), OVERRIDE_ERRORS)
def test_a_wrong_override_is_named(tmp_path: Path, override: tuple[str, str], line: str) -> None:
    assert complaints(tmp_path, FOUR_LINES, [override]) == [line]


def test_a_setting_of_several_lines_is_still_told_in_one(tmp_path: Path) -> None:
    assert complaints(tmp_path, FOUR_LINES, [("name", "\n")]) == [
        "--set name=\\n: expected text, got nothing (put it in quotes)"
    ]
    config = load(tmp_path, FOUR_LINES, [("name", "\n  a\n")])
    assert config.origins["name",] == "--set name=\\n  a\\n"


def test_a_setting_is_a_key_and_a_value() -> None:
    assert setting_of("tape.path=a=b.csv") == ("tape.path", "a=b.csv")
    for text in ("risk", "=5", " =5"):
        with pytest.raises(UsageError, match="expected KEY=VALUE"):
            setting_of(text)


def test_each_value_knows_where_it_came_from(tmp_path: Path) -> None:
    text = FOUR_LINES + "risk:\n  max_order_usd: 5\n"
    told = [("account.cash_usd", "1"), ("risk.max_order_usd.action", "halt")]
    config = load(tmp_path, text, told)
    where = tmp_path / "c.yaml"
    assert config.origins["name",] == f"{where}:1"
    assert config.origins["bars", "size"] == f"{where}:3"
    assert config.origins["risk", "max_order_usd", "limit"] == f"{where}:6"
    assert config.origins["account", "cash_usd"] == "--set account.cash_usd=1"
    action = config.origins["risk", "max_order_usd", "action"]
    assert action == "--set risk.max_order_usd.action=halt"
    for default in (("bars", "grid"), ("tape",), ("strategy", "params", "fast")):
        assert default not in config.origins


# --- paths ------------------------------------------------------------------------------------


def test_paths_are_relative_to_the_file_or_the_state_directory(tmp_path: Path) -> None:
    state = tmp_path / "state"
    text = FOUR_LINES + (
        "tape: {path: ../bars/{symbol}.csv}\n"
        "model: {kind: recorded, path: $STATE/p.csv}\n"
        "paths: {data: shared/data}\n"
    ).replace("../bars/{symbol}.csv", "'../bars/{symbol}.csv'")
    folder = tmp_path / "configs"
    folder.mkdir()
    config = load(folder, text, state=state)
    assert config.tape_spec().path == tmp_path / "bars/{symbol}.csv"
    assert config.tape_path("NVDA") == tmp_path / "bars/nvda.csv"
    assert config.predictions_path() == state / "p.csv"
    assert config.predictions_path(tmp_path) == tmp_path / "p.csv"
    assert config.data_dir() == folder / "shared/data"
    assert config.models_dir() == state / "models"
    (tmp_path / "bars").mkdir()
    (tmp_path / "bars/NVDA.csv").touch()
    assert config.tape_path("NVDA") == tmp_path / "bars/NVDA.csv"


SIZES = [("1h", "hourly"), ("30m", "30min"), ("15m", "15min"), ("5m", "5min"), ("1m", "minute")]


@pytest.mark.parametrize(("size", "word"), SIZES)
def test_without_a_path_the_tape_is_papertapes_own(tmp_path: Path, size: str, word: str) -> None:
    config = load(tmp_path, FOUR_LINES.replace("1h", size) + "tape: {}\n")
    assert config.tape_path("NVDA", tmp_path) == tmp_path / f"data/processed/nvda_{word}.csv"


def test_an_unknown_state_directory_is_said(tmp_path: Path) -> None:
    config = load(tmp_path, FOUR_LINES + "tape: {}\n")
    with pytest.raises(RefusedError) as caught:
        config.data_dir()
    path = tmp_path / "c.yaml"
    assert caught.value.lines == (
        f"{path}: $STATE/data needs a state directory: give one with --state",
    )


# --- what this version can do -----------------------------------------------------------------


def test_models_of_later_versions_are_read_but_refused(tmp_path: Path) -> None:
    for model, word in (
        ("{kind: registry, ref: nvda-hourly@champion}", "registered"),
        ("{kind: remote, url: https://models.example/x}", "remote"),
    ):
        config = load(tmp_path, f"{FOUR_LINES}model: {model}")
        with pytest.raises(RefusedError) as caught:
            require_supported(config)
        assert caught.value.lines == (
            (
                f"{tmp_path}/c.yaml:5: model: {word} models are not available in this version: use "
                "recorded or baseline"
            ),
        )
    require_supported(load(tmp_path, FOUR_LINES + "model: {kind: baseline}"))
    require_supported(load(tmp_path, FOUR_LINES))


def test_replay_needs_a_tape(tmp_path: Path) -> None:
    config = load(tmp_path, FOUR_LINES + "tape: {}\n")
    assert require_tape(config) is config.tape
    with pytest.raises(RefusedError, match=r"c\.yaml: tape: required by replay"):
        require_tape(load(tmp_path, FOUR_LINES))


def test_a_threshold_without_a_model_is_warned_about(tmp_path: Path) -> None:
    text = FOUR_LINES.replace(
        "{kind: sma_cross}", "{kind: threshold, params: {enter_long_bps: 1, quantity: 1}}"
    )
    assert warnings_of(load(tmp_path, text)) == [
        (
            f"{tmp_path}/c.yaml:4: strategy: threshold trades on predictions and there is no "
            "model: it will never enter"
        )
    ]
    assert warnings_of(load(tmp_path, text + "model: {kind: baseline}")) == []
    assert warnings_of(load(tmp_path, FOUR_LINES)) == []


def test_addresses_without_events_are_warned_of(tmp_path: Path) -> None:
    config = load(tmp_path, FOUR_LINES + "notify: {urls_credential: alerts}\n")
    assert warnings_of(config) == [
        f"{config.path}:5: notify: there are addresses but no events: nothing will be sent"
    ]
    assert warnings_of(load(tmp_path, FOUR_LINES + NOTIFY)) == []


# --- the way back -----------------------------------------------------------------------------


NOTIFY = "notify: {urls_credential: alerts, events: [halt]}\n"


def test_the_hash_is_of_what_can_change_results(tmp_path: Path) -> None:
    config = load(tmp_path, FOUR_LINES)
    hashed = config.resolved()
    del hashed["observability"], hashed["notify"]
    canonical = json.dumps(hashed, sort_keys=True, separators=(",", ":"))
    assert config.sha256 == hashlib.sha256(canonical.encode()).hexdigest()
    quiet = load(tmp_path, FOUR_LINES + "observability: {metrics: null}\n" + NOTIFY)
    assert quiet.sha256 == config.sha256
    assert quiet != config
    richer = load(tmp_path, FOUR_LINES + "account: {cash_usd: 100001}\n")
    assert richer.sha256 != config.sha256
    spelled_out = load(tmp_path, FOUR_LINES + "account: {cash_usd: 1e5}\n")
    assert spelled_out.sha256 == config.sha256
    assert spelled_out == config
    assert hash(spelled_out) == hash(config)


def test_the_hash_holds_no_path_of_this_machine(tmp_path: Path) -> None:
    text = FOUR_LINES + "tape: {path: x.csv}\n"
    (tmp_path / "other").mkdir()
    here, there = load(tmp_path, text), load(tmp_path / "other", text)
    assert here.sha256 == there.sha256
    assert str(tmp_path) not in here.to_yaml()


finite = st.floats(0.01, 1e9, allow_nan=False, allow_infinity=False)
names = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,20}", fullmatch=True)
plain_text = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20)
file_names = plain_text.filter(lambda text: text.strip() and not set(text) & set("${}"))
models = st.fixed_dictionaries({"kind": st.just("recorded"), "path": file_names})
limits = st.one_of(
    st.integers(1, 10**6),
    st.fixed_dictionaries(
        {"limit": st.integers(1, 10**6)},
        optional={"action": st.sampled_from(["deny", "reduce", "pause", "halt"])},
    ),
)
trees = st.fixed_dictionaries(
    {
        "name": names,
        "symbols": st.lists(st.sampled_from(["A", "NO", "BRK.B", "TRUE"]), min_size=1, unique=True),
        "bars": st.fixed_dictionaries({"size": st.sampled_from(["1h", "5m"])}),
        "strategy": st.just({"kind": "buy_and_hold", "params": {"equity_fraction": 0.3}}),
    },
    optional={
        "tape": st.fixed_dictionaries({}, optional={"path": st.none() | file_names}),
        "account": st.none() | st.fixed_dictionaries({"cash_usd": finite}),
        "feed": st.just({"kind": "ib"}) | st.fixed_dictionaries({"grace_s": st.floats(0, 50)}),
        "model": st.none()
        | st.fixed_dictionaries({"kind": st.just("recorded"), "path": file_names}),
        "warmup_bars": st.none() | st.just("auto") | st.integers(0, 1000),
        "execution": st.fixed_dictionaries(
            {},
            optional={
                "commission": st.sampled_from(["none", "ibkr_fixed"])
                | st.fixed_dictionaries(
                    {"per_share_usd": finite}, optional={"maximum_pct": st.none() | finite}
                ),
                "participation_fraction": st.none() | st.sampled_from([0.5, 1, 0.000001]),
            },
        ),
        "risk": st.dictionaries(
            st.sampled_from(["max_position_shares", "max_order_usd", "max_orders_per_day"]), limits
        ),
        "notify": st.fixed_dictionaries(
            {
                "urls_credential": st.just("alerts"),
                "events": st.lists(st.sampled_from(NOTICE_EVENTS), max_size=3, unique=True),
            }
        ),
        "observability": st.fixed_dictionaries({"log": st.sampled_from(["json", "text"])}),
    },
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(trees)
def test_a_config_loads_back_equal_from_its_yaml(tmp_path: Path, tree: dict[str, Any]) -> None:
    config = load(tmp_path, to_yaml(tree))
    again = load(tmp_path, config.to_yaml())
    assert again == config
    assert again.sha256 == config.sha256
    assert again.to_yaml() == config.to_yaml()
    assert again.strategy_params == config.strategy_params


def test_a_copy_elsewhere_can_keep_the_folder_of_its_paths(tmp_path: Path) -> None:
    config = load(tmp_path, FOUR_LINES + "tape: {path: x.csv}\n")
    copied = tmp_path / "run/config.yaml"
    copied.parent.mkdir()
    copied.write_text(config.to_yaml())
    again: Config = load_config(copied, base=config.base)
    assert again.tape_path("NVDA") == tmp_path / "x.csv"
    assert again.path == copied
