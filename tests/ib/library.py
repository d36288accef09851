"""The client library under test: ib_async, or ib_insync where it is installed in its place.

`make soak` runs these tests a second time in an environment of its own that has ib_insync.
"""

from __future__ import annotations

try:
    import ib_async as library
except ImportError:  # the names are the same
    import ib_insync as library  # type: ignore[import-not-found, no-redef]  # one of the two

IS_INSYNC = library.__name__ == "ib_insync"

__all__ = ["IS_INSYNC", "library"]
