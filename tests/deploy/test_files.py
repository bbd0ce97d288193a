"""What deploy/ holds is what its programs take, and starts a gateway as it says."""

import configparser
import json
import re
import shlex
import subprocess
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests import foreign, processes

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
CHART = DEPLOY / "helm/omniroute"
TOOL_S_MAX = 120
KEY = re.compile(r"sk-omni-[a-z2-7]{12}-[A-Za-z0-9_-]{43}")
SHARED = (
    *("--set", "replicas=3", "--set", "database.secretName=database"),
    *("--set", "secretName=gateway", "--set", "ingress.enabled=true"),
    *("--set", "publicUrl=https://gateway.example.com"),
    *("--set", "trustedProxies={10.0.0.0/8}"),
)


def run(program: str, *words: str) -> "subprocess.CompletedProcess[str]":
    """Run a program of the environment that holds them."""
    path = foreign.python_of("deploy").with_name(program)
    return subprocess.run(
        [str(path), *words],
        capture_output=True,
        text=True,
        timeout=TOOL_S_MAX,
        check=False,
        cwd=ROOT,
    )


def chart(*words: str) -> list[dict[str, Any]]:
    """Give the objects that the chart makes."""
    made = run("helm", "template", "omni", str(CHART), *words)
    assert made.returncode == 0, made.stderr
    return [one for one in YAML(typ="safe").load_all(made.stdout) if one]


def dockerfile() -> dict[str, list[str]]:
    """Give what each instruction of the image that runs says."""
    text = (DEPLOY / "Dockerfile").read_text("utf-8").replace("\\\n", " ")
    last = text[text.rindex("\nFROM ") :]
    told: dict[str, list[str]] = {}
    for line in last.splitlines():
        name, _, rest = line.partition(" ")
        if name.isupper():
            told.setdefault(name, []).append(rest.strip())
    return told


def test_the_dockerfile_has_no_finding() -> None:
    found = run("hadolint", str(DEPLOY / "Dockerfile"))

    assert (found.returncode, found.stdout) == (0, "")


def test_the_image_runs_as_nobody_and_takes_only_what_the_wheel_is_made_of() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    rooms = project["tool"]["hatch"]["build"]["targets"]["wheel"]["only-include"]
    ignored = (ROOT / ".dockerignore").read_text("utf-8").split()

    assert dockerfile()["USER"] == ["10001:10001"]
    assert "*" in ignored
    assert {f"!{room}" for room in rooms} <= set(ignored)
    assert not {"!tests", "!.git", "!.env"} & set(ignored)


def test_the_images_start_makes_a_key_once_and_needs_it(tmp_path: Path) -> None:
    command = json.loads(dockerfile()["CMD"][0])
    words = [word for word in command if word != "--no-open"]
    starts: list[tuple[int, int, str, int]] = []
    for _ in range(2):
        # A container has its own name in HOSTNAME.
        with processes.gateway(tmp_path, *words, HOSTNAME="3f2a1b") as running:
            refused = running.call("GET", "/v1/models").status
            healthy = running.command(*_health_check()).returncode
            said = (running.home / "gateway.log").read_text("utf-8")
            key = KEY.search(said) or KEY.search("".join(one[2] for one in starts))
            assert key is not None, said
            taken = running.call("GET", "/v1/models", key=key[0]).status
        starts.append((refused, taken, said, healthy))

    assert [one[:2] for one in starts] == [(401, 200), (401, 200)]
    assert [len(KEY.findall(one[2])) for one in starts] == [1, 0]
    assert [one[3] for one in starts] == [0, 0]


def test_compose_publishes_to_this_machine_alone_and_hardens_the_container() -> None:
    gateway = _compose("compose.yaml")["services"]["gateway"]

    assert gateway["ports"] == ["${OMNIROUTE_PUBLISH:-127.0.0.1:20128}:20128"]
    assert (gateway["read_only"], gateway["cap_drop"]) == (True, ["ALL"])
    assert gateway["security_opt"] == ["no-new-privileges:true"]
    assert gateway["stop_grace_period"] == "40s"


def test_compose_with_a_database_takes_no_secret_from_a_default() -> None:
    text = (DEPLOY / "compose.postgres.yaml").read_text("utf-8")
    given = re.findall(r"\$\{(\w+)([^}]*)\}", text)

    assert {name for name, _ in given} == {"POSTGRES_PASSWORD", "STORAGE_ENCRYPTION_KEY"}
    assert all(rest.startswith(":?") for _, rest in given)


@pytest.mark.parametrize("words", [(), SHARED], ids=["alone", "shared"])
def test_what_the_chart_makes_is_valid(words: Sequence[str], tmp_path: Path) -> None:
    made = run("helm", "template", "omni", str(CHART), *words)
    (tmp_path / "made.yaml").write_text(made.stdout)
    validated = run("kubernetes-validate", "--strict", str(tmp_path / "made.yaml"))

    assert made.returncode == 0, made.stderr
    assert validated.returncode == 0, validated.stdout + validated.stderr


def test_the_chart_has_no_finding_and_the_packages_version() -> None:
    linted = run("helm", "lint", "--strict", str(CHART))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    told = YAML(typ="safe").load((CHART / "Chart.yaml").read_text("utf-8"))

    assert linted.returncode == 0, linted.stdout
    assert told["appVersion"] == project["version"]


def test_gateways_that_cannot_share_are_not_made() -> None:
    alone = run("helm", "template", "omni", str(CHART), "--set", "replicas=2")
    without = run("helm", "template", "omni", str(CHART), "--set", "database.secretName=db")

    assert "replicas above 1 need database.secretName" in alone.stderr
    assert "needs secretName" in without.stderr


@pytest.mark.parametrize("words", [(), SHARED], ids=["alone", "shared"])
def test_a_pod_may_do_nothing_and_its_probes_are_answered(
    words: Sequence[str], tmp_path: Path
) -> None:
    workload = next(one for one in chart(*words) if one["kind"] in ("StatefulSet", "Deployment"))
    pod = workload["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    probes = [container[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")]
    with processes.gateway(tmp_path) as running:
        answers = [
            running.call(
                "GET", one["path"], headers={h["name"]: h["value"] for h in one["httpHeaders"]}
            ).status
            for one in probes
        ]

    assert pod["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert pod["terminationGracePeriodSeconds"] > 35 + 3
    assert answers == [200, 200, 200]


def test_the_unit_keeps_the_gateway_in_its_folder_and_lets_it_end() -> None:
    unit = configparser.RawConfigParser(strict=False)
    unit.optionxform = str  # type: ignore[assignment]
    unit.read(DEPLOY / "omniroute.service")
    service = unit["Service"]
    flags = shlex.split(service["ExecStart"])[1:]

    assert service["ProtectSystem"] == "strict"
    assert service["NoNewPrivileges"] == "true"
    assert service["RestartPreventExitStatus"] == "78"
    assert int(service["TimeoutStopSec"]) > 35
    assert flags == ["--no-open"]


def _compose(name: str) -> dict[str, Any]:
    made: dict[str, Any] = YAML(typ="safe").load((DEPLOY / name).read_text("utf-8"))
    return made


def _health_check() -> list[str]:
    (told,) = dockerfile()["HEALTHCHECK"]
    program, *words = json.loads(told[told.index("[") :])
    assert program == "omniroute"
    return [str(word) for word in words]
