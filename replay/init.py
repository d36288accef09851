"""`papertape init DIR`: a folder that runs as it is, to change from there."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

from daemon.config.verbs import schema
from daemon.errors import Exit, RefusedError, UsageError

TEMPLATES = Path(__file__).parent / "templates"
SAMPLES = Path(__file__).parent / "samples"
SAMPLE_FILES = ("nvda_synthetic_hourly.csv.zip", "synthetic_predictions.csv.zip")
SCHEMA = "papertape.schema.json"


def init(directory: Path) -> int:
    """Writes config, sample data and an example strategy into a new or empty folder.

    UsageError for a folder that holds something, RefusedError where it cannot be written.
    """
    where = directory.absolute()
    if where.exists() and not where.is_dir():
        raise UsageError(f"{where} is a file: name a folder that is new or empty")
    try:
        if where.exists() and any(where.iterdir()):
            raise UsageError(f"{where} is not empty: name a folder that is new or empty")
        written = list(_write(where))
    except OSError as error:
        raise RefusedError(f"{error.filename or where}: {error.strerror}") from None
    print(f"{where}:")
    for name, meaning in written:
        print(f"  {name:<42} {meaning}")
    print("\nNext:")
    for command in _next_commands(directory):
        print(f"  {command}")
    return Exit.OK


def _write(folder: Path) -> Iterator[tuple[str, str]]:
    """Each file as it is written, with what it is; the config last, so that it finds the rest."""
    for name in SAMPLE_FILES:
        target = folder / "data" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(SAMPLES / name, target)
        yield f"data/{name}", "synthetic sample, no real prices"
    (folder / "strategies").mkdir()
    shutil.copyfile(TEMPLATES / "breakout.py", folder / "strategies/breakout.py")
    yield "strategies/breakout.py", "a strategy to change"
    (folder / SCHEMA).write_text(schema() + "\n", encoding="utf-8")
    yield SCHEMA, "lets an editor complete and check the config"
    shutil.copyfile(TEMPLATES / "config.yaml", folder / "config.yaml")
    yield "config.yaml", "start here"


def _next_commands(directory: Path) -> Iterator[str]:
    if directory.absolute() != Path.cwd():
        yield f"cd {shlex.quote(str(directory))}"
    yield "papertape config check config.yaml"
    yield "papertape replay --config config.yaml --open"
    own = "strategy={kind: breakout:Breakout}"
    yield f"papertape replay --config config.yaml --set '{own}' --label breakout"
    yield "papertape runs diff latest~1 latest"
