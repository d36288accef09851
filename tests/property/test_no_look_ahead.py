"""Nothing that comes later changes what was decided before; equal inputs give equal outputs."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from daemon.core.outputs import Denial, OrderAccepted, StateChanged
from tests.property.scenarios import (
    BAR_BYTES,
    MAX_SLICES,
    Dice,
    Rows,
    Scenario,
    often,
    rows_of,
    scenarios,
)
from tests.property.tracing import Trace, run

TAIL = BAR_BYTES * MAX_SLICES


def _until(trace: Trace, instant: int) -> list[tuple[int, object]]:
    """All outputs of turns at or before an instant, and the equity."""
    found: list[tuple[int, object]] = [
        (turn.instant, output) for turn, output in trace.outputs() if turn.instant <= instant
    ]
    found += [(end, equity) for _, end, equity in trace.rows() if end <= instant]
    return found


@often
@given(scenarios(), st.integers(0, 255), st.binary(min_size=TAIL, max_size=TAIL))
def test_other_bars_after_t_change_nothing_up_to_t(
    scenario: Scenario, at: int, tail: bytes
) -> None:
    cut = at % (scenario.slices - 1)
    changed: dict[str, Rows] = {}
    for symbol, rows in scenario.bars.items():
        other = rows_of(Dice(tail), scenario.slices, 7700)
        changed[symbol] = (*rows[: cut + 1], *other[cut + 1 :])
    first, second = run(scenario), run(scenario.with_bars(changed))
    instant = first.ends[cut]
    assert _until(first, instant) == _until(second, instant)


@often
@given(scenarios(), st.integers(0, 255))
def test_a_tape_that_ends_at_t_decides_the_same_up_to_t(scenario: Scenario, at: int) -> None:
    """Where every symbol has its bar at t: a symbol that has ended is no longer expected."""
    cut = 1 + at % (scenario.slices - 1)
    if any(rows[cut] is None for rows in scenario.bars.values()):
        return
    short = {symbol: rows[: cut + 1] for symbol, rows in scenario.bars.items()}
    long, short_run = run(scenario), run(scenario.with_bars(short))
    instant = long.ends[cut]
    decided = (OrderAccepted, Denial, StateChanged)
    assert _only(long, instant, decided) == _only(short_run, instant, decided)
    assert _until(long, instant - 1) == _until(short_run, instant - 1)


def _only(trace: Trace, instant: int, kinds: tuple[type, ...]) -> list[object]:
    return [
        output
        for turn, output in trace.outputs()
        if turn.instant <= instant and isinstance(output, kinds)
    ]


@given(scenarios(), st.sampled_from([1, 2, 3, 7, 64, 512]))
def test_equal_inputs_give_equal_digests_in_any_chunks(scenario: Scenario, chunk: int) -> None:
    first, again = run(scenario), run(scenario, chunk_bars=chunk)
    assert first.digest() == again.digest()
    assert first.turns == again.turns


@given(scenarios(limited=False, commanded=False, actions=False))
def test_a_symbol_of_its_own_trades_as_it_does_among_others(scenario: Scenario) -> None:
    """Symbols meet only in the account: without limits and caps they do not touch each other."""
    if scenario.pricing.leverage_ppm is not None or len(scenario.symbols) == 1:
        return
    if any(getattr(x, "group", None) or hasattr(x, "order_id") for x in _wanted(scenario)):
        return
    for number, wanted in scenario.at.items():  # alone, nobody is asked where there is no bar
        if any(scenario.bars[x.symbol][number] is None for x in wanted if hasattr(x, "symbol")):
            return
    together = run(scenario)
    for symbol in scenario.symbols:
        mine = {
            number: tuple(x for x in wanted if getattr(x, "symbol", None) == symbol)
            for number, wanted in scenario.at.items()
        }
        alone = run(
            Scenario(
                bars={symbol: scenario.bars[symbol]},
                at=mine,
                per_session=scenario.per_session,
                pricing=scenario.pricing,
                limits=scenario.limits,
                cash_usd=scenario.cash_usd,
            )
        )
        assert _fills(alone, symbol) == _fills(together, symbol)


def _wanted(scenario: Scenario) -> list[object]:
    return [intent for wanted in scenario.at.values() for intent in wanted]


def _fills(trace: Trace, symbol: str) -> list[tuple[object, ...]]:
    return [
        (f.side, f.quantity, f.price_e4, f.effective, f.reason, f.commission_micros, f.ambiguous)
        for f in trace.result.fills
        if f.symbol == symbol
    ]
