"""Writes the dashboards beside this package: `make dashboards`."""

from __future__ import annotations

from pathlib import Path

from ops.grafana.generator import compare, decisions, feed, overview, process
from ops.grafana.generator.model import Page
from ops.grafana.generator.writer import written

PAGES: tuple[Page, ...] = (
    overview.PAGE,
    feed.PAGE,
    decisions.PAGE,
    process.PAGE,
    compare.PAGE,
)
FOLDER = Path(__file__).resolve().parent.parent / "dashboards"


def files() -> dict[str, str]:
    """The name and text of every file."""
    return {f"{page.key}.json": written(page) for page in PAGES}


def main() -> None:
    """Write them all."""
    FOLDER.mkdir(exist_ok=True)
    for name, text in files().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
        print(FOLDER / name)


if __name__ == "__main__":
    main()
