"""A run directory read back: each file when it is first asked for, with one clear line if damaged.

The files of a run directory are a contract for people and programs; everything that compares,
lists or accepts runs reads them here and nowhere else.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from daemon.errors import RefusedError

MANIFEST_SCHEMA = 1
"""The newest form of manifest.json that is understood."""

MANIFEST = "manifest.json"
SUMMARY = "summary.json"
CONFIG = "config.yaml"

STREAMS = ("trades", "fills", "orders", "denials", "state_changes", "equity")
"""The CSV files that say what was traded, most telling first."""

_REQUIRED = {"schema": int, "created": str, "name": str, "digest": str, "inputs": dict}
_OPTIONAL_TEXT = ("label", "start", "end")
_DIGEST = re.compile(r"[0-9a-f]{6,64}")

Row = dict[str, str]


@dataclass(frozen=True)
class RunDirectory:
    """One run on disk; `path` is absolute and its manifest has been checked by `read_run`.

    Reading a file that is missing or damaged raises RefusedError with the file's path.
    """

    path: Path

    @property
    def run_id(self) -> str:
        """The run's own name, which a baseline keeps though it lies in another folder."""
        return str(self.manifest.get("run_id") or self.path.name)

    @property
    def name(self) -> str:
        return str(self.manifest["name"])

    @property
    def label(self) -> str | None:
        return self.manifest.get("label") or None

    @property
    def digest(self) -> str:
        return str(self.manifest["digest"])

    @property
    def created(self) -> str:
        """When the run was made, ISO-8601 with Z."""
        return str(self.manifest["created"])

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """manifest.json: versions, hashes of all inputs, the digest."""
        return _checked_manifest(self.path / MANIFEST)

    @cached_property
    def summary(self) -> dict[str, Any]:
        """summary.json: the metrics."""
        return read_json(self.path / SUMMARY)

    @cached_property
    def config(self) -> dict[str, Any]:
        """config.yaml: the resolved config, defaults filled in."""
        return read_yaml(self.path / CONFIG)

    def trades(self) -> list[Row]:
        """The rows of trades.csv, open trades included."""
        return list(self.rows("trades"))

    def fills(self) -> list[Row]:
        """The rows of fills.csv in the order of the venue."""
        return list(self.rows("fills"))

    def equity(self) -> Iterator[Row]:
        """The rows of equity.csv one by one: one a bar, so there may be hundreds of thousands."""
        return self.rows("equity")

    def has(self, stream: str) -> bool:
        """Whether the file of a stream is here (a baseline keeps trades and fills alone)."""
        return (self.path / f"{stream}.csv").is_file()

    def rows(self, stream: str) -> Iterator[Row]:
        """The rows of `stream`.csv one by one, values as written."""
        return _rows(self.path / f"{stream}.csv")

    def file(self, name: str) -> Path:
        """The path of a file that must be there (`journal.db`, `report.html`)."""
        path = self.path / name
        if not path.is_file():
            raise RefusedError(f"{path} does not exist: this folder keeps only a part of the run")
        return path


def read_run(path: Path) -> RunDirectory:
    """The run in a folder.

    Raises RefusedError where the folder is no run directory, or one that cannot be read.
    """
    if not path.is_dir():
        what = "is a file" if path.exists() else "does not exist"
        raise RefusedError(f"{path.absolute()} {what}: a run is a folder made by papertape replay")
    if not (path / MANIFEST).is_file():
        raise RefusedError(f"{path.absolute()} is not a run directory: it has no {MANIFEST}")
    run = RunDirectory(path.resolve())
    _ = run.manifest
    return run


def read_json(path: Path) -> dict[str, Any]:
    """A file that holds one JSON object; RefusedError otherwise."""
    try:
        value = json.loads(_text(path))
    except json.JSONDecodeError as error:
        raise RefusedError(f"{path}:{error.lineno}: damaged, not JSON ({error.msg})") from None
    if not isinstance(value, dict):
        raise RefusedError(f"{path}: damaged, not a JSON object")
    return value


def read_yaml(path: Path) -> dict[str, Any]:
    """A file that holds one YAML mapping, read by the rules of configs; RefusedError otherwise."""
    from daemon.config.positions import parse
    from daemon.config.problems import rendered

    document = parse(_text(path))
    if document.problems:
        raise RefusedError(*rendered(document.problems, str(path)))
    if not isinstance(document.value, dict):
        raise RefusedError(f"{path}: not a mapping of keys to values")
    return document.value


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise RefusedError(f"{path} is missing: the run directory is damaged") from None
    except (OSError, UnicodeDecodeError) as error:
        raise RefusedError(f"{path} cannot be read: {error}") from None


def _checked_manifest(path: Path) -> dict[str, Any]:
    manifest = read_json(path)
    for key, kind in _REQUIRED.items():
        if not isinstance(manifest.get(key), kind):
            raise RefusedError(f"{path}: damaged, '{key}' is missing or not {kind.__name__}")
    for key in _OPTIONAL_TEXT:
        if not isinstance(manifest.get(key), str | None):
            raise RefusedError(f"{path}: damaged, '{key}' is not text")
    if not _DIGEST.fullmatch(manifest["digest"]):
        raise RefusedError(f"{path}: damaged, 'digest' is not a hash in hexadecimal digits")
    if manifest["schema"] > MANIFEST_SCHEMA:
        raise RefusedError(
            f"{path}: written by a newer papertape (schema {manifest['schema']}, this one reads "
            f"{MANIFEST_SCHEMA}); update papertape to read it"
        )
    return manifest


def _rows(path: Path) -> Iterator[Row]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.reader(file, strict=True)
            header = next(reader, None)
            if not header:
                raise RefusedError(f"{path}: damaged, no header line")
            for values in reader:
                if len(values) != len(header):
                    raise RefusedError(
                        f"{path}:{reader.line_num}: damaged, {len(values)} fields under "
                        f"{len(header)} columns"
                    )
                yield dict(zip(header, values, strict=True))
    except FileNotFoundError:
        raise RefusedError(f"{path} is missing: the run directory is damaged") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise RefusedError(f"{path} cannot be read: {error}") from None
