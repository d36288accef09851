"""Seeded trouble: the same seed makes the same faults at the same instants.

Every session gets one fault of each class, anywhere within it or, as often, shortly before the end
of a bar, so that one that lasts meets who asks for it; between sessions the servers reset and the
gateway restarts, as they do in the field. All of it ends by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from random import Random

from tests.fake_gateway.clock import SECOND_NS
from tests.fake_gateway.connection import Framing
from tests.fake_gateway.faults import (
    AnyFault,
    ClosePort,
    CompetingSession,
    Cut,
    CutOff,
    Delay,
    DelayBar,
    Drop,
    Empty,
    Farm,
    Frame,
    Garbage,
    HalfStart,
    Ignore,
    Mangle,
    MissBar,
    Mute,
    NightlyReset,
    Refuse,
    Restart,
    ReviseBar,
    Skew,
    Slow,
    TakeClientIds,
    Upstream,
)
from tests.fake_gateway.mangling import Mangling
from tests.fake_gateway.market import Instrument
from tests.fake_gateway.requests import Kind
from tests.fake_gateway.steps import Step

DOWN_S_MAX = 900
MARGIN_S = 60  # nothing happens so close to the ends of a session
BEFORE_END_S = 10.0
HALF_HOUR_NS = 1_800 * SECOND_NS

# Each class of faults, as a function of a generator; one of each class a session.
Draw = Callable[[Random], AnyFault]
CLASSES: dict[str, Draw] = {
    "drop": lambda random: Drop(reset=random.random() < 0.5),
    "half_open": lambda random: Mute(for_s=_seconds(random)),
    "servers_lost": lambda random: Upstream(
        down_s=_seconds(random), restored=random.choice((1101, 1102))
    ),
    "history_farm": lambda random: Farm(farm="history", down_s=_seconds(random)),
    "market_farm": lambda random: Farm(farm="market", down_s=_seconds(random)),
    "pacing": lambda random: Refuse(code=162, text="pacing", times=random.randint(1, 3)),
    "client_id": lambda random: TakeClientIds(client_ids=(17,), for_s=_seconds(random)),
    "competing": lambda random: CompetingSession(for_s=_seconds(random)),
    "restart": lambda random: Restart(
        down_s=_seconds(random), next_order_id=1, reset=random.random() < 0.5
    ),
    "port": lambda random: ClosePort(for_s=_seconds(random)),
    "silence": lambda random: Ignore(times=random.randint(1, 2)),
    "late_answer": lambda random: Delay(by_s=random.choice((2.0, 9.0, 31.0))),
    "wrong_answer": lambda random: Mangle(how=random.choice(list(Mangling))),
    "empty_answer": lambda _random: Empty(),
    "refused": lambda random: Refuse(
        code=random.choice((162, 200, 321, 322, 366, 10089, 10090)), text=None
    ),
    "cut_off": lambda random: CutOff(
        where=random.choice(list(Cut)), kind=random.choice((Kind.HISTORY, Kind.CURRENT_TIME))
    ),
    "half_start": lambda random: HalfStart(without=random.choice(("accounts", "next_valid_id"))),
    "slow": lambda random: Slow(by_s=random.choice((0.5, 3.0, 12.0)), for_s=_seconds(random)),
    "framing": lambda random: Frame(framing=random.choice(list(Framing)), for_s=_seconds(random)),
    "garbage": lambda _random: Garbage(),
    "clock": lambda random: Skew(seconds=random.choice((-1.5, 1.5)), for_s=_seconds(random)),
}

BAR_CLASSES = ("late_bar", "missing_bar", "revised_bar")


def trouble(
    seed: int,
    instrument: Instrument,
    first: date,
    days: int,
    classes: Sequence[str] = (*CLASSES, *BAR_CLASSES),
    *,
    nights: bool = True,
) -> list[Step]:
    """Return the steps of some days from a date on: a fault of each class in every session."""
    random = Random(seed)
    steps: list[Step] = []
    for offset in range(days):
        day = first + timedelta(days=offset)
        session = instrument.hours.session(day, regular=True)
        if session is not None:
            steps += _session(random, instrument, session, classes)
        if nights:
            steps += _night(random, day)
    return sorted(steps, key=lambda step: str(step.at))


def _session(
    random: Random, instrument: Instrument, session: tuple[int, int], classes: Sequence[str]
) -> list[Step]:
    bars = [bar for bar in instrument.bars if session[0] <= bar.start_ns < session[1]]
    steps = []
    for name in classes:
        at_ns = random.randrange(
            session[0] // SECOND_NS + MARGIN_S, session[1] // SECOND_NS - MARGIN_S
        )
        if name not in BAR_CLASSES:
            fault, aimed_ns = CLASSES[name](random), _before_a_bar_s_end(random, session)
            at = at_ns * SECOND_NS if random.random() < 0.5 else aimed_ns
            steps.append(Step(fault=fault, at=_text(at)))
        elif bars:
            fault = _of_a_bar(random, name, instrument.symbol, random.choice(bars).start_ns)
            steps.append(Step(fault=fault, at=_text(session[0] - MARGIN_S * SECOND_NS)))
    return steps


def _before_a_bar_s_end(random: Random, session: tuple[int, int]) -> int:
    """At a half hour, where bars of most sizes end."""
    ends = range(session[0] + HALF_HOUR_NS, session[1] + 1, HALF_HOUR_NS)
    return random.choice(ends) - round(random.uniform(0.0, BEFORE_END_S) * SECOND_NS)


def _of_a_bar(random: Random, name: str, symbol: str, start_ns: int) -> AnyFault:
    start = _text(start_ns)
    if name == "missing_bar":
        return MissBar(symbol=symbol, start=start)
    if name == "late_bar":
        return DelayBar(symbol=symbol, start=start, by_s=random.choice((20.0, 90.0, 2_400.0)))
    at = _text(start_ns + random.randrange(3_600, 7_200) * SECOND_NS)
    return ReviseBar(symbol=symbol, start=start, at=at, values={"volume": 1.0})


def _night(random: Random, day: date) -> list[Step]:
    """The servers reset around midnight in New York, the gateway restarts itself before."""
    evening = datetime(day.year, day.month, day.day, 23, 45, tzinfo=UTC) + timedelta(hours=5)
    reset_s = round(evening.timestamp()) + random.randrange(1_800)
    restart_s = round(evening.timestamp()) - random.randrange(1_800)
    return [
        Step(fault=Restart(down_s=90, next_order_id=1), at=_text(restart_s * SECOND_NS)),
        Step(fault=NightlyReset(down_s=120), at=_text(reset_s * SECOND_NS)),
    ]


def _seconds(random: Random) -> float:
    """Mostly a blip, sometimes minutes."""
    return float(random.choice((3, 10, 45, 130, 300, DOWN_S_MAX)))


def _text(instant_ns: int) -> str:
    return f"{datetime.fromtimestamp(instant_ns // SECOND_NS, UTC):%Y-%m-%dT%H:%M:%S}Z"
