"""A config that runs code, explodes by aliases or is nested without end -> refused in one line with
exit 78 before it costs anything; nothing in it is ever executed.
"""

from __future__ import annotations

import resource
from pathlib import Path

import pytest

from tests.faults.conftest import Daemons
from tests.faults.trouble import refusal
from tests.replay.workshop import CONFIG, Workshop

BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
HOSTILE = {
    "an alias bomb": (BOMB, "anchors and aliases"),
    "nested lists": (f"name: {'[' * 5000}{']' * 5000}\n", "nested deeper"),
    "nested mappings": (f"name: {'{a: ' * 5000}1{'}' * 5000}\n", "nested deeper"),
    "a large file": ("# " + "x" * 1_000_000, "larger than"),
    "many values": (f"symbols: [{'A,' * 100_000}A]\n", "more than"),
    "a second document": (CONFIG + "---\n" + CONFIG, "second document"),
    "a merge of itself": ("a: &a\n  <<: *a\n", "anchors and aliases"),
    "bytes": ("\x00\x01\x02", "not allowed"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_hostile_is_refused(shop: Workshop, name: str) -> None:
    text, words = HOSTILE[name]
    shop.config.write_text(text)
    answer = shop.type("config", "check", str(shop.config))
    assert answer.code == 78
    assert words in answer.out
    assert len(answer.out.splitlines()) < 5


@pytest.mark.parametrize(
    "tag", ["object/apply:os.system", "object/new:os.system", "object/apply:subprocess.check_call"]
)
def test_a_tag_never_runs_anything(
    shop: Workshop, daemons: Daemons, tmp_path: Path, tag: str
) -> None:
    proof = tmp_path / "ran"
    shop.config.write_text(f'{CONFIG}notify: !!python/{tag} ["touch {proof}"]\n')
    said = refusal(daemons())
    assert f"{shop.config}:7:9: notify: the tag '!!python/{tag}' is not read" in said
    assert not proof.exists()


def test_a_bomb_takes_no_memory(shop: Workshop, daemons: Daemons) -> None:
    """Read to the end it would be a billion values."""
    shop.config.write_text(BOMB)
    daemon = daemons()
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    refusal(daemon, prefix=("prlimit", "--as=1000000000"))
    after = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    assert after <= max(before, 200_000), "kilobytes"
