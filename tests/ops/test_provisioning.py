"""What Grafana, Prometheus and Compose read: files that exist, and that agree with each other.

No container engine and no Grafana are here to try them with; what can be known without is checked.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from daemon.config.models import ObservabilityConfig
from tests.ops.boards import FOLDER
from tests.ops.programs import PROMETHEUS, ROOT, answer_of, program

OPS = ROOT / "ops"
PROVISIONING = OPS / "grafana" / "provisioning"
CONTAINERFILE = (OPS / "Containerfile").read_text("utf-8")
LOOPBACK = "127.0.0.1:"


def _yaml(path: Path) -> Any:
    return yaml.safe_load(path.read_text("utf-8"))


COMPOSE: dict[str, Any] = _yaml(OPS / "compose.yaml")
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]


def _mounts(service: str) -> Iterator[tuple[str, str, str]]:
    for mount in SERVICES[service]["volumes"]:
        source, target, *mode = mount.split(":")
        yield source, target, "".join(mode)


# --- Grafana --------------------------------------------------------------------------------------


def test_dashboards_are_files_that_nobody_changes_in_the_browser() -> None:
    (provider,) = _yaml(PROVISIONING / "dashboards" / "papertape.yaml")["providers"]
    assert provider["allowUiUpdates"] is False
    assert provider["type"] == "file"
    assert provider["folderUid"] == "papertape"


def test_the_data_source_knows_how_often_is_scraped() -> None:
    (source,) = _yaml(PROVISIONING / "datasources" / "papertape.yaml")["datasources"]
    scraped = _yaml(PROMETHEUS / "prometheus.yml")["global"]["scrape_interval"]
    assert source["jsonData"]["timeInterval"] == scraped
    assert (source["type"], source["uid"]) == ("prometheus", "papertape-prometheus")
    assert source["editable"] is False


def test_the_containers_data_source_differs_in_its_place_alone() -> None:
    (host,) = _yaml(PROVISIONING / "datasources" / "papertape.yaml")["datasources"]
    (contained,) = _yaml(OPS / "compose" / "datasources" / "papertape.yaml")["datasources"]
    assert contained == host | {"url": "http://prometheus:9090"}
    assert host["url"] == "http://127.0.0.1:9090"


# --- Prometheus -----------------------------------------------------------------------------------


def test_promtool_accepts_the_config() -> None:
    answer_of(program("promtool"), "check", "config", str(PROMETHEUS / "prometheus.yml"))


def test_the_shipped_target_is_where_a_daemon_serves_by_default() -> None:
    (group,) = _yaml(PROMETHEUS / "targets" / "papertape.yml")
    assert group["targets"] == [ObservabilityConfig().metrics]


def test_every_file_of_targets_has_its_twin_for_containers() -> None:
    for path in (PROMETHEUS / "targets").iterdir():
        (group,) = _yaml(OPS / "compose" / "targets" / path.name)
        for target in group["targets"]:
            assert target.partition(":")[0] in SERVICES


# --- Compose --------------------------------------------------------------------------------------


def test_there_are_the_four_services() -> None:
    assert set(SERVICES) == {"papertape", "prometheus", "alertmanager", "grafana"}


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_is_reached_from_this_machine_alone(service: str) -> None:
    for port in SERVICES[service]["ports"]:
        assert port.startswith(LOOPBACK), port
        _, host, contained = port.split(":")
        assert host == contained


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_may_do_little_and_comes_back(service: str) -> None:
    found = SERVICES[service]
    assert found["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in found["security_opt"]
    assert found["restart"] == "unless-stopped"
    assert not {"privileged", "network_mode", "pid"} & set(found)
    assert found["logging"]["options"]["max-size"]  # months of lines must not fill the disk


@pytest.mark.parametrize("service", SERVICES)
def test_what_a_service_mounts_exists_or_is_a_volume(service: str) -> None:
    for source, target, mode in _mounts(service):
        assert target.startswith("/")
        if source.startswith("."):
            assert (OPS / source).exists(), source
            assert mode == "ro", source
        else:
            assert source in COMPOSE["volumes"]


@pytest.mark.parametrize("service", sorted(set(SERVICES) - {"papertape"}))
def test_an_image_has_a_version(service: str) -> None:
    assert re.fullmatch(r"docker\.io/[\w-]+/[\w-]+:v?\d+\.\d+\.\d+", SERVICES[service]["image"])


@pytest.mark.parametrize("service", ["prometheus", "alertmanager"])
def test_a_program_knows_its_options(service: str) -> None:
    name = "prometheus" if service == "prometheus" else "prometheus-alertmanager"
    asked = subprocess.run([program(name), "--help"], capture_output=True, text=True, check=False)
    known = asked.stdout + asked.stderr
    for word in SERVICES[service]["command"]:
        option = word.partition("=")[0]
        assert f"{option}=" in known, option


def test_the_config_that_compose_starts_with_is_there_with_its_tape() -> None:
    words = SERVICES["papertape"]["command"]
    (inside,) = (word for word in words if word.endswith("replay_nvda.yaml}"))
    name = inside.partition(":-")[2].rstrip("}")
    mounts = {target: OPS / source for source, target, _ in _mounts("papertape")}
    config = _yaml(mounts["/etc/papertape/configs"] / name)
    tape = Path("/etc/papertape/configs", config["tape"]["path"])
    relative = Path(*_resolved(tape).parts[len(Path("/etc/papertape/replay/samples").parts) :])
    assert (mounts["/etc/papertape/replay/samples"] / relative).is_file()


def _resolved(path: Path) -> Path:
    parts: list[str] = []
    for part in path.parts:
        if part == "..":
            parts.pop()
        else:
            parts.append(part)
    return Path(*parts)


def test_the_home_page_is_the_overview() -> None:
    home = SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    (provider,) = _yaml(PROVISIONING / "dashboards" / "papertape.yaml")["providers"]
    assert home == f"{provider['options']['path']}/overview.json"
    assert provider["options"]["path"] in {target for _, target, _ in _mounts("grafana")}
    assert (FOLDER / "overview.json").is_file()


# --- the image ------------------------------------------------------------------------------------


def _instructions(word: str) -> list[str]:
    joined = re.sub(r"\\\n\s*", "", CONTAINERFILE)
    return re.findall(rf"^{word} (.*)$", joined, re.MULTILINE)


def test_the_image_holds_what_the_lock_says_and_runs_as_nobody_special() -> None:
    locked, ours = (line for line in _instructions("RUN") if "pip install" in line)
    assert "--require-hashes" in locked
    assert "--no-deps" in locked
    assert "-r requirements-service.lock" in locked
    assert "--no-deps" in ours
    assert _instructions("USER") == ["papertape"]
    assert _instructions("STOPSIGNAL") == ["SIGTERM"]
    (check,) = _instructions("HEALTHCHECK")
    assert "/healthz" in check


def test_the_image_is_made_from_files_that_are_there_and_are_sent() -> None:
    sent = (OPS / "Containerfile.dockerignore").read_text("utf-8").splitlines()
    for line in _instructions("COPY"):
        words = [word for word in line.split() if not word.startswith("--")]
        if "--from=build" not in line:
            for source in words[:-1]:
                assert (ROOT / source).exists(), source
                assert f"!{source}" in sent
