"""What every verb's module needs: the apps, and the parameters that several verbs share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from cyclopts import App, Parameter, Token

from daemon import __version__


def worth_showing(default: object) -> str | None:
    """A default as help tells it; None where it says nothing, as that of a flag."""
    return None if default is None or default is False or default == "" else str(default)


def readable(_: object, tokens: Sequence[Token]) -> str:
    """An argument that is text for people: what is not UTF-8 in it becomes question marks."""
    return tokens[0].value.encode("utf-8", "replace").decode()


def examples(*lines: str) -> str:
    """The end of a verb's help."""
    return "\n".join(("Examples:", *(f"  papertape {line}" for line in lines)))


State = Annotated[
    str | None,
    Parameter(
        metavar="DIR",
        help="State directory (else $PAPERTAPE_STATE, $STATE_DIRECTORY, ./state).",
    ),
]
Reason = Annotated[str, Parameter(metavar="TEXT", converter=readable, help="Why, for the journal.")]
Name = Annotated[
    str | None,
    Parameter(
        help="The daemon's name: /var/lib/papertape/NAME (else --state, or the only one there is).",
        allow_leading_hyphen=False,
    ),
]
Json = Annotated[bool, Parameter(name="--json", negative="", help="One JSON document on stdout.")]
Set = Annotated[
    list[str] | None,
    Parameter(
        name="--set",
        negative="",
        metavar="KEY=VALUE",
        consume_multiple=False,
        help="Put over the config, such as risk.max_drawdown_pct=10; may be repeated.",
    ),
]
Run = Annotated[
    str,
    Parameter(
        help="A path, an id prefix, a label, latest, latest~1 or baseline:NAME.",
        allow_leading_hyphen=False,
    ),
]

app = App(
    name="papertape",
    help="Paper-trades US stocks, live or on recorded bars, through the same tasks.",
    version=__version__,
    help_format="plaintext",
    default_parameter=Parameter(show_default=worth_showing),
    print_error=False,
    exit_on_error=False,
    suppress_keyboard_interrupt=False,
    result_action="return_value",
)
config_app = App(name="config", help="Check, show and describe configs.")
runs_app = App(name="runs", help="List, show, compare, accept and remove runs.")
reference_app = App(name="reference", help="The reference replays and their baselines.")
data_app = App(name="data", help="Recorded bars.")
calendar_app = App(name="calendar", help="The exchange's sessions, and closures told late.")
notify_app = App(name="notify", help="Messages to people.")
for part in (config_app, runs_app, reference_app, data_app, calendar_app, notify_app):
    app.command(part)


def settings_of(texts: Sequence[str] | None) -> list[tuple[str, str]]:
    """What `--set` was given, as dotted keys and YAML values."""
    from daemon.config import setting_of

    return [setting_of(text) for text in texts or ()]
