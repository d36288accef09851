"""No process outlives the tests, whatever they found."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.acceptance.stage import Stage


@pytest.fixture(scope="session", autouse=True)
def _no_process_stays() -> Iterator[None]:
    """End what a test that failed has left running."""
    yield
    while Stage.made:
        Stage.made.pop().clean_up()
