"""`papertape reference run | check`: replays whose results are known, played again.

A reference is a config file in `configs/reference/` or `STATE/reference/`; its accepted baseline
lies in `baselines/NAME/` of the same folder, with `tolerances.yaml` in it.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any

from daemon.errors import Exit, PapertapeError, RefusedError, UsageError
from daemon.text_table import counted, is_plain, marked, number_text
from replay.runs.baselines import ACCEPTED, BUNDLED_REFERENCES, TOLERANCES, accept, read_baseline
from replay.runs.comparison import Comparison, Verdict, compare
from replay.runs.comparison_text import comparison_json, comparison_line, comparison_lines
from replay.runs.reader import RunDirectory, read_run, read_yaml
from replay.runs.tolerances import read_tolerances

OK, BEYOND, FAILED, NO_BASELINE = "ok", "beyond", "failed", "no baseline"

_MARKS = {OK: "green", BEYOND: "red", FAILED: "red", NO_BASELINE: "yellow"}
_CHANGES_MAX = 12


@dataclass(frozen=True, slots=True)
class Reference:
    """A replay whose result is known; a repository keeps history itself, so bundled ones do not."""

    name: str
    config: Path
    keeps_history: bool

    @property
    def baselines(self) -> Path:
        return self.config.parent / "baselines"

    @property
    def baseline(self) -> Path:
        return self.baselines / self.name


@dataclass(frozen=True, slots=True)
class Result:
    """A replayed reference: `verdict` is one of the four words above."""

    reference: Reference
    verdict: str
    seconds: float
    run: RunDirectory | None = None
    comparison: Comparison | None = None
    problem: str = ""


def find_references(
    names: Sequence[str], *, state: Path, folders: Sequence[Path] | None = None
) -> list[Reference]:
    """The references of those names, or all where none is named, bundled ones first.

    `folders` replaces the two places they are looked for in. Raises UsageError for an unknown name
    (the line lists those there are), RefusedError where there is none at all.
    """
    own = state / "reference"
    places = [BUNDLED_REFERENCES, own] if folders is None else list(folders)
    known = [
        Reference(path.stem, path, keeps_history=folder == own)
        for folder in places
        for path in sorted(folder.glob("*.yaml"))
    ]
    if not known:
        raise RefusedError(f"no reference replays (*.yaml) in {' or '.join(map(str, places))}")
    for name in names:
        if all(one.name != name for one in known):
            there = ", ".join(sorted({one.name for one in known}))
            raise UsageError(f"no reference replay '{name}'; there are {there}")
    return [one for one in known if not names or one.name in names]


def reference_check(
    names: Sequence[str] = (),
    *,
    state: Path,
    as_json: bool = False,
    folders: Sequence[Path] | None = None,
) -> int:
    """Replay references into a temporary folder and print one line each.

    Returns 0 where all hold, 1 where one is beyond its tolerances, fails or has no baseline.
    """
    chosen = find_references(names, state=state, folders=folders)
    width = max(len(one.name) for one in chosen)
    results = []
    with tempfile.TemporaryDirectory(prefix="papertape-reference-") as scratch:
        for number, reference in enumerate(chosen):
            result = played(reference, state, Path(scratch) / str(number))
            results.append(result)
            if not as_json:
                print(_line(result, width), flush=True)
    if as_json:
        print(json.dumps(_results_json(results), indent=2))
    else:
        print(_conclusion(results))
    return _exit_code(results)


def reference_run(
    names: Sequence[str] = (),
    *,
    state: Path,
    accept_as_baseline: bool = False,
    reason: str = "",
    as_json: bool = False,
    folders: Sequence[Path] | None = None,
    now: datetime | None = None,
) -> int:
    """Replay references into STATE/runs and print each comparison with its baseline.

    With `accept_as_baseline` each result that is not the same becomes the baseline, for a `reason`
    that has to be given; the exit code is then 1 only where a replay failed. `now` is an aware
    instant.
    """
    if accept_as_baseline and not reason.strip():
        raise UsageError("--accept needs --reason TEXT: why are the new results right?")
    if reason and not accept_as_baseline:
        raise UsageError("--reason TEXT goes with --accept")
    results = []
    for reference in find_references(names, state=state, folders=folders):
        result = played(reference, state, None)
        results.append(result)
        lines: Iterable[str] = _run_lines(result)
        if accept_as_baseline and result.run is not None:
            lines = _accepted_lines(result, result.run, reason, now or datetime.now(UTC))
        if not as_json:
            print(marked(reference.name, "bold", plain=is_plain()))
            print(*(f"  {line}".rstrip() for line in lines), sep="\n", end="\n\n", flush=True)
    if as_json:
        print(json.dumps(_results_json(results), indent=2))
    if accept_as_baseline:
        return Exit.CHECK_FAILED if any(one.run is None for one in results) else Exit.OK
    if not as_json:
        print(_conclusion(results))
    return _exit_code(results)


# --- playing --------------------------------------------------------------------------------------


def played(reference: Reference, state: Path, out: Path | None) -> Result:
    """Replay a reference into `out`, or a folder of its own in STATE/runs, and compare it."""
    began = perf_counter()

    def result(verdict: str, **more: Any) -> Result:
        return Result(reference, verdict, perf_counter() - began, **more)

    run = None
    try:
        run = read_run(_replay(reference.config, state, out))
        if not (reference.baseline / ACCEPTED).is_file():
            return result(NO_BASELINE, run=run)
        tolerances = read_tolerances(reference.baseline / TOLERANCES)
        found = compare(read_baseline(reference.baseline).run, run, tolerances)
    except PapertapeError as error:
        return result(FAILED, run=run, problem=error.lines[0])
    return result(BEYOND if found.beyond else OK, run=run, comparison=found)


def _replay(config: Path, state: Path, out: Path | None) -> Path:
    """Play one config into a run directory: into `out`, or a folder of its own in STATE/runs."""
    from replay.run import Period
    from replay.run_directory import Request, replay

    period = Period(*_period(config))
    return replay(Request(config, state, period=period, out=out, html=out is None)).path


def _period(config: Path) -> tuple[str | None, str | None]:
    """Start and end of the config's tape feed, which a replay is told by options."""
    feed = read_yaml(config).get("feed")
    if not isinstance(feed, dict):
        return None, None
    start, end = (feed.get(key) for key in ("start", "end"))
    return start and str(start), end and str(end)


# --- accepting ------------------------------------------------------------------------------------


def _accepted_lines(result: Result, run: RunDirectory, reason: str, now: datetime) -> Iterator[str]:
    """Accept the result unless nothing changed; the lines say old → new."""
    found, reference = result.comparison, result.reference
    if found is not None and _is_unchanged(found):
        yield f"unchanged, digest {run.digest[:6]}: the baseline stays as it is"
        return
    accept(
        run,
        reference.name,
        folder=reference.baselines,
        now=now,
        reason=reason,
        keep_history=reference.keeps_history,
    )
    yield f"accepted: {reason}"
    if found is None:
        yield f"digest {run.digest[:6]}"
        yield result.problem or "the first baseline of this replay"
    else:
        yield from _changes(found)


def _is_unchanged(found: Comparison) -> bool:
    steady = {Verdict.EQUAL, Verdict.IGNORED}
    metrics = all(metric.verdict in steady for metric in found.metrics)
    return found.same_trading and metrics and all(one.harmless for one in found.inputs)


def _changes(found: Comparison) -> Iterator[str]:
    old, new = found.old.digest[:6], found.new.digest[:6]
    yield f"digest {old} → {new}" if old != new else f"digest {new}, unchanged"
    yield from (f"input {one.name}" for one in found.inputs if not one.harmless)
    moved = [one for one in found.metrics if one.verdict not in {Verdict.EQUAL, Verdict.IGNORED}]
    for one in moved[:_CHANGES_MAX]:
        yield f"{one.key} {number_text(one.old)} → {number_text(one.new)}"
    if len(moved) > _CHANGES_MAX:
        yield f"… and {counted(len(moved) - _CHANGES_MAX, 'other metric')}"


# --- telling --------------------------------------------------------------------------------------


def _run_lines(result: Result) -> Sequence[str]:
    if result.comparison is not None:
        return comparison_lines(result.comparison, plain=is_plain())
    return [told(result)]


def told(result: Result) -> str:
    """A result in one line."""
    if result.comparison is not None:
        return comparison_line(result.comparison)
    if result.verdict == FAILED:
        return result.problem
    digest = f"digest {result.run.digest[:6]}" if result.run else ""
    name = result.reference.name
    return f"{digest}; papertape reference run {name} --accept --reason TEXT accepts it"


def _line(result: Result, width: int) -> str:
    mark = marked(f"{result.verdict:<11}", _MARKS[result.verdict], plain=is_plain())
    return f"{mark}  {result.reference.name:<{width}}  {told(result)} ({result.seconds:.2f} s)"


def _conclusion(results: Sequence[Result]) -> str:
    bad = [one.reference.name for one in results if one.verdict != OK]
    total = counted(len(results), "reference replay")
    if not bad:
        return f"{total}, all within tolerance"
    shown = f"papertape reference run {bad[0]} shows all of it"
    return f"{total}, {len(bad)} not as accepted: {', '.join(bad)}; {shown}"


def _results_json(results: Sequence[Result]) -> dict[str, Any]:
    replays = [
        {
            "name": one.reference.name,
            "config": str(one.reference.config),
            "verdict": one.verdict,
            "problem": one.problem or None,
            "digest": one.run.digest if one.run else None,
            "wall_seconds": round(one.seconds, 3),
            "comparison": comparison_json(one.comparison) if one.comparison else None,
        }
        for one in results
    ]
    return {"holds": all(one.verdict == OK for one in results), "replays": replays}


def _exit_code(results: Sequence[Result]) -> int:
    return Exit.OK if all(one.verdict == OK for one in results) else Exit.CHECK_FAILED
