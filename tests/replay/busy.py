"""A run in which nearly everything happens: all kinds of orders, splits, dividends, gaps."""

from __future__ import annotations

from pathlib import Path

from tests.replay.workshop import Workshop, write_tape

STRATEGY = '''
class Busy:
    """Asks for something at most bars, decided by a small generator of its own."""

    warmup_bars = 0

    @dataclass(frozen=True)
    class Params:
        seed: int = 1

    def __init__(self, params, symbols):
        self.number = params.seed
        self.orders = 0

    def draw(self, below):
        self.number = (self.number * 1103515245 + 12345) % 2**31
        return (self.number >> 16) % below

    def decide(self, market, predictions, portfolio):
        wanted = []
        for bar in market.bars:
            kind = self.draw(12)
            side = (Side.BUY, Side.SELL)[self.draw(2)]
            quantity = 10 + 10 * self.draw(5)
            sign = 1 if side is Side.BUY else -1
            near = round(bar.close * (1 - sign * 0.004), 2)
            far = round(bar.close * (1 + sign * 0.003), 2)
            force = (TimeInForce.DAY, TimeInForce.GTC, TimeInForce.IOC)[self.draw(3)]
            if kind == 0:
                bracket = Bracket(stop_loss_pct=1.0, take_profit_pct=0.8)
                wanted.append(TargetPosition(bar.symbol, sign * quantity, bracket, "bracketed"))
            elif kind == 1:
                bracket = Bracket(trailing_stop_pct=1.5)
                wanted.append(TargetPosition(bar.symbol, sign * quantity, bracket, "trailed"))
            elif kind == 2:
                wanted.append(TargetPosition(bar.symbol, sign * quantity, reason="plain"))
            elif kind == 3:
                wanted.append(TargetPosition(bar.symbol, 0, reason="out"))
            elif kind == 4:
                wanted.append(OrderRequest(
                    bar.symbol, side, quantity, OrderType.LIMIT, limit_price=near,
                    time_in_force=force,
                ))
            elif kind == 5:
                wanted.append(OrderRequest(
                    bar.symbol, side, quantity, OrderType.STOP, stop_price=far,
                    time_in_force=force,
                ))
            elif kind == 6:
                wanted.append(OrderRequest(
                    bar.symbol, side, quantity, OrderType.STOP_LIMIT, stop_price=far,
                    limit_price=far, time_in_force=force, group=f"pair-{self.number}",
                ))
            elif kind == 7:
                wanted.append(OrderRequest(
                    bar.symbol, side, quantity, OrderType.TRAILING_STOP, trail_pct=0.7,
                    time_in_force=TimeInForce.GTC,
                ))
            elif kind == 8:
                wanted.append(CancelRequest(1 + self.draw(200)))
        return wanted
'''

CONFIG = """\
name: busy
symbols: [NVDA, AMD]
bars: {size: 1h}
tape: {path: "{symbol}.csv", adjustment: raw}
account: {cash_usd: 20000}
model: {kind: baseline, bars: 2}
strategy: {kind: "busy:Busy"}
execution: {participation_fraction: 0.001}
risk: {allow_short: true, max_position_shares: 120, max_orders_per_hour: {limit: 3, action: deny},
       max_orders_per_day: {limit: 12, action: deny}, min_cash_usd: 1,
       max_drawdown_pct: {limit: 1.6, action: reduce}}
"""

ACTIONS = """\
symbol,kind,effective,ratio,amount_usd,pay_date,source
NVDA,split,2024-01-24,3:2,,,made up
AMD,split,2024-02-14,1:4,,,made up
NVDA,dividend,2024-01-10,,0.12,2024-01-12,made up
AMD,dividend,2024-01-17,,0.35,2024-02-02,made up
NVDA,dividend,2024-03-04,,0.05,2024-06-01,made up
"""


def set_up(shop: Workshop) -> None:
    """Make the shop's next replay the busy one."""
    shop.strategy("busy", STRATEGY)
    shop.config.write_text(CONFIG, encoding="utf-8")
    write_tape(shop.folder / "nvda.csv", seed=3, without=(12, 13, 100, 153), jumps={105: 2 / 3})
    gaps = (0, 1, 100, *range(200, 215), 307)  # the first bars after its split among them
    write_tape(shop.folder / "amd.csv", seed=4, price=30, without=gaps, jumps={210: 4.0})
    folder = shop.state / "data"
    folder.mkdir()
    (folder / "corporate_actions.csv").write_text(ACTIONS, encoding="utf-8")


def busy_run(shop: Workshop) -> Path:
    """The run directory of the busy replay."""
    set_up(shop)
    return shop.replay()
