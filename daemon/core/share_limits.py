"""The limit on a position's shares, by symbol: a split makes more or fewer shares of the same."""

from __future__ import annotations

from collections.abc import Iterable

from daemon.core.events import Split


class ShareLimits:
    """`limit` is the configured one; `rescaled` those of symbols that have split since it was."""

    __slots__ = ("limit", "rescaled")

    def __init__(self) -> None:
        self.limit: int | None = None
        self.rescaled: dict[str, int] = {}

    def obey(self, limit: int | None) -> None:
        """Go by this limit; one that is the same as before stays rescaled."""
        if limit != self.limit:
            self.limit = limit
            self.rescaled.clear()

    def split(self, action: Split) -> None:
        """A symbol's shares have been split; a part of a share is left out."""
        if self.limit is not None:
            before = self.rescaled.get(action.symbol, self.limit)
            after = before * action.numerator // action.denominator
            self.rescaled[action.symbol] = max(1, after)

    def restore(self, limit: int | None, rescaled: Iterable[tuple[str, int]]) -> None:
        """Take over what was rescaled, unless another limit has been set since."""
        if limit == self.limit:
            self.rescaled = dict(rescaled)
