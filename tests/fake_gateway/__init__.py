"""A fake Interactive Brokers gateway that the real client libraries talk to over a real socket."""

from tests.fake_gateway.clock import SECOND_NS, LoopClock, ManualClock, instant_ns
from tests.fake_gateway.gateway import FakeGateway
from tests.fake_gateway.market import Instrument, Market, MarketBar, bars_from, session_starts
from tests.fake_gateway.pacing import crowded, violations
from tests.fake_gateway.requests import Kind
from tests.fake_gateway.sessions import Hours
from tests.fake_gateway.settings import Settings
from tests.fake_gateway.steps import After, Step
from tests.fake_gateway.virtual_loop import VirtualTimeLoop, run_virtually
from tests.fake_gateway.walk import walk

__all__ = [
    "SECOND_NS",
    "After",
    "FakeGateway",
    "Hours",
    "Instrument",
    "Kind",
    "LoopClock",
    "ManualClock",
    "Market",
    "MarketBar",
    "Settings",
    "Step",
    "VirtualTimeLoop",
    "bars_from",
    "crowded",
    "instant_ns",
    "run_virtually",
    "session_starts",
    "violations",
    "walk",
]
