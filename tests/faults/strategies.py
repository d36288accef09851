"""Strategies that misbehave, as a user's module would: each is told apart by its number of calls.

A call leaves a line in `calls.txt` beside the config. `GO` lets one that blocks go on.
"""

from __future__ import annotations

from pathlib import Path

from tests.replay.workshop import Workshop

_BODY = '''
HERE = Path(__file__).resolve().parents[1]


class Strategy:
    """Misbehaves at call number `at`; else it turns at every bar."""

    warmup_bars = 0

    @dataclass(frozen=True)
    class Params:
        at: int = 6

    def __init__(self, params, symbols):
        self._at = params.at
        self._calls = 0

    def decide(self, market, predictions, portfolio):
        self._calls += 1
        with open(HERE / "calls.txt", "a") as file:
            file.write(f"{self._calls}\\n")
        if self._calls == self._at:
            self.misbehave(market)
        return [TargetPosition("NVDA", 100 * (-1) ** self._calls)]

    def misbehave(self, market):
        %s
'''

MISBEHAVIOURS = {
    "raises": 'raise ValueError("the sky\\nis falling")',
    "divides": "1 / 0",
    "exits": 'raise SystemExit("leaving")',
    "interrupts": "raise KeyboardInterrupt",
    "blocks": '(HERE / "blocked").touch()\n        while not (HERE / "go").exists(): pass',
    "sleeps": (
        '(HERE / "blocked").touch()\n        import time\n'
        '        while not (HERE / "go").exists(): time.sleep(0.01)'
    ),
    "recurses": "self.misbehave(market)",
}


def misbehaving(shop: Workshop, how: str, at: int = 6) -> dict[str, str]:
    """Write the strategy, and the setting that uses it."""
    shop.strategy(how, _BODY % MISBEHAVIOURS[how])
    return using(how, at)


def using(module: str, at: int) -> dict[str, str]:
    """The settings of a strategy of this module, without other limits."""
    return {
        "strategy": f'{{kind: "{module}:Strategy", params: {{at: {at}}}}}',
        "risk.max_orders_per_day": "null",
    }


def calls(shop: Workshop) -> list[int]:
    """The numbers of the calls so far, over all processes."""
    path = shop.folder / "calls.txt"
    return [int(line) for line in path.read_text().split()] if path.exists() else []


def is_blocked(shop: Workshop) -> bool:
    """Whether the strategy stands still."""
    return (shop.folder / "blocked").exists()


def let_go(shop: Workshop) -> Path:
    """Let it go on, now and whenever it blocks again."""
    go = shop.folder / "go"
    go.touch()
    return go
