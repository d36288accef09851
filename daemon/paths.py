"""Which state directory a verb means."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

from daemon.errors import NotPermittedError, UsageError

HOME = Path("/var/lib/papertape")
"""Where systemd keeps the state directories of its instances, one folder a name."""

JOURNAL, MARK, LOCK = "journal.db", "journal.mark", "daemon.lock"


def resolve_state(option: str | None) -> Path:
    """The state directory for verbs that need no daemon: `--state`, the environment, `./state`.

    It need not exist yet; whoever writes into it makes it.
    """
    given = _given(option)
    return Path("state").absolute() if given is None else given


def resolve_daemon(name: str | None, option: str | None) -> Path:
    """The state directory of a daemon, for verbs that act on one; it is never created.

    NAME, else `--state`, $PAPERTAPE_STATE, $STATE_DIRECTORY, `./state` if it holds a journal, else
    the only journal under /var/lib/papertape. UsageError lists the daemons found where none is
    meant for sure.
    """
    if name is not None and option is not None:
        raise UsageError(f"{name} and --state {option}: give one of them")
    if name is not None:
        return _named(name)
    given = _given(option)
    if given is not None:
        if not _is_a_daemons(given):
            raise UsageError(f"{given}: no daemon has run here (there is no {JOURNAL})", *_found())
        return given
    here = Path("state").absolute()
    if _is_a_daemons(here):
        return here
    there = daemons()
    if len(there) == 1:
        return there[0]
    first = (
        "which daemon? give its NAME or --state DIR"
        if there
        else "no daemon found: give --state DIR"
    )
    raise UsageError(f"{first} (./state holds no {JOURNAL})", *_found())


def resolve_restored(name: str | None, option: str | None) -> Path:
    """The state directory that a copy is restored into: as `resolve_daemon`, but it may be empty.

    A NAME's folder must be there (installing the service makes it); one that is given need not.
    """
    given = _given(option)
    if name is None:
        return resolve_daemon(None, None) if given is None else given
    is_there = option is None and _is_name(name) and (HOME / name).is_dir()
    return HOME / name if is_there else resolve_daemon(name, option)


def journal_meant(word: str | None, option: str | None) -> Path | None:
    """The state directory whose journal is to be verified; None where a run is meant.

    A word means a daemon of that name, if there is one and no `--state` says where to look;
    otherwise a run. No word means the journal of the state directory; where that holds none, its
    latest run; where it holds no run either, the only daemon there is.
    """
    if word is not None:
        is_name = option is None and _is_name(word)
        return HOME / word if is_name and _is_a_daemons(HOME / word) else None
    here = resolve_state(option)
    if _is_a_daemons(here) and any((here / name).exists() for name in (JOURNAL, MARK)):
        return here
    if _given(option) is not None or (here / "runs").is_dir():
        return None
    return resolve_daemon(None, None)


def daemons() -> list[Path]:
    """The state directories under /var/lib/papertape that hold a journal."""
    try:
        return sorted(path for path in HOME.iterdir() if _is_a_daemons(path))
    except OSError:
        return []


def _given(option: str | None) -> Path | None:
    for given in (option, os.environ.get("PAPERTAPE_STATE"), os.environ.get("STATE_DIRECTORY")):
        if given:
            return Path(given).expanduser().absolute()
    return None


def _named(name: str) -> Path:
    if not _is_name(name):
        raise UsageError(f"{name!r} is not a name; for a folder write --state {name}")
    path = HOME / name
    if not _is_a_daemons(path):
        raise UsageError(f"no daemon {name}: {path} holds no {JOURNAL}", *_found())
    return path


def _is_name(word: str) -> bool:
    return "/" not in word and word not in ("", ".", "..")


def as_owner(path: Path) -> str:
    """This very command line, as the user that a state directory belongs to would type it."""
    import pwd

    try:
        owner = ["-u", pwd.getpwuid(path.stat().st_uid).pw_name]
    except (KeyError, OSError):
        owner = []
    return shlex.join(["sudo", *owner, "papertape", *sys.argv[1:]])


def _is_a_daemons(path: Path) -> bool:
    """Whether a daemon has used the directory, be it that it has only begun to.

    NotPermittedError where this user may not look into it.
    """
    for name in (JOURNAL, LOCK):
        try:
            os.stat(path / name)  # noqa: PTH116 - Path.exists hides that one may not look
        except PermissionError:
            raise NotPermittedError(
                f"{path}: you may not look into it, nothing was done; type: {as_owner(path)}"
            ) from None
        except OSError:
            continue
        return True
    return False


def _found() -> list[str]:
    there = daemons()
    if not there:
        return [f"daemons found: none under {HOME}"]
    return ["daemons found: " + ", ".join(path.name for path in there)]
