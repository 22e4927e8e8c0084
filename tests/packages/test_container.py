"""The Dockerfile and the compose file, as hadolint and Docker Compose read them."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from kassa.serving.roles import Role
from tests.tooling.test_settings import FIELDS

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
DOCKERFILE = (ROOT / "Dockerfile").read_text()


def compose(*options: str) -> dict[str, Any]:
    command = [str(BIN / "docker-compose"), "--file", str(ROOT / "compose.yaml"), "--env-file", "/dev/null", *options]
    done = subprocess.run([*command, "config", "--format", "json"], check=True, capture_output=True, text=True)
    assert done.stderr == ""
    read: dict[str, Any] = json.loads(done.stdout)
    return read


def test_the_dockerfile_has_no_fault_that_hadolint_knows() -> None:
    linted = subprocess.run(
        [BIN / "hadolint", "--no-color", ROOT / "Dockerfile"], check=False, capture_output=True, text=True
    )
    assert (linted.returncode, linted.stdout) == (0, "")


def test_the_image_is_small_watched_and_not_roots() -> None:
    stages = re.split(r"^FROM ", DOCKERFILE, flags=re.MULTILINE)[1:]
    assert [stage.split()[0].endswith("-slim") for stage in stages] == [True, True]
    final = stages[-1]
    assert re.findall(r"^USER (.*)$", final, re.MULTILINE) == ["10001:10001"]
    assert "/readyz" in re.findall(r"^HEALTHCHECK (.*)$", final, re.MULTILINE)[0]
    assert not re.search(r"^(?:ENV|ARG).*(?:SECRET|PASSWORD|API_KEY|DATABASE_URL)", DOCKERFILE, re.MULTILINE)


def test_the_image_installs_what_is_locked_and_nothing_else() -> None:
    installs = re.findall(r"pip install (.*)", DOCKERFILE)
    assert len(installs) == 2
    assert "--require-hashes" in installs[0]
    assert "--no-index" in installs[1]


def test_what_the_image_copies_reaches_the_builder_and_no_more() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    let_in = {line.removeprefix("!") for line in lines if line.startswith("!")}
    copied = re.findall(r"^COPY (?!--from)(.*) \S+$", DOCKERFILE, re.MULTILINE)
    assert {name for names in copied for name in names.split()} == let_in
    assert "*" in lines
    assert all((ROOT / name).exists() for name in let_in)


def test_the_compose_file_runs_the_three_parts_on_one_database() -> None:
    services = compose()["services"]
    parts = {name: service["command"] for name, service in services.items() if name != "database"}
    assert parts == {role: ["serve", "--only", role] for role in (Role.API, Role.GATE, Role.WORKER)}
    for part in parts:
        service = services[part]
        assert service["depends_on"]["database"]["condition"] == "service_healthy"
        assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
        assert service["environment"].keys() <= {*FIELDS, "KASSA_DATABASE_URL_FILE", "KASSA_SECRET_KEY_FILE"}


def test_the_demo_is_one_container_and_only_where_it_is_asked_for() -> None:
    assert "demo" not in compose()["services"]
    demo = compose("--profile", "demo")["services"]["demo"]
    assert (demo["command"], "depends_on" in demo) == (["serve", "--demo"], False)


@pytest.mark.parametrize("profile", [(), ("--profile", "demo")])
def test_no_port_is_open_to_the_network_and_no_secret_stands_in_the_environment(profile: tuple[str, ...]) -> None:
    for service in compose(*profile)["services"].values():
        assert {port["host_ip"] for port in service.get("ports", ())} <= {"127.0.0.1"}
        named = [name for name in service["environment"] if re.search(r"SECRET|PASSWORD|DATABASE_URL", name)]
        assert [name for name in named if not name.endswith("_FILE")] == []


def test_the_sample_of_settings_is_what_the_compose_file_takes() -> None:
    sample = set(re.findall(r"^(KASSA_\w+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    taken = set(re.findall(r"\$\{(\w+):-", (ROOT / "compose.yaml").read_text()))
    assert sample == taken
    assert sample <= FIELDS.keys()
