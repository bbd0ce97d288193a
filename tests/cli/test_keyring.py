"""`omniroute keyring`: a rotation by hand, also where no gateway runs."""

import json
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.processes import free_port, plain_environment, run_command

Run = Callable[..., "subprocess.CompletedProcess[str]"]
OLD, NEW = "old-fake-text-of-the-ring-" + "0" * 32, "new-fake-text-of-the-ring-" + "1" * 32


@pytest.fixture
def omniroute(tmp_path: Path) -> Run:
    return partial(run_command, environment=plain_environment(tmp_path, PORT=str(free_port())))


def test_a_key_is_added_and_the_old_one_retired_without_a_gateway(
    omniroute: Run, tmp_path: Path
) -> None:
    omniroute("keys", "add", "--name", "laptop")
    omniroute("providers", "add", "groq", stdin="sk-fake-groq")
    [first] = json.loads(omniroute("keyring", "list", "--json").stdout)["keys"]
    added = json.loads(omniroute("keyring", "add", "--json").stdout)
    refused = omniroute("keyring", "retire", added["keys"][0]["key_id"])
    retired = omniroute("keyring", "retire", first["key_id"])
    ring = json.loads(omniroute("keyring", "list", "--json").stdout)
    accounts = json.loads(omniroute("providers", "list", "--json").stdout)["providers"]

    assert (first["secrets"], first["virtual_keys"]) == (1, 1)
    assert added["kept_in"] == "file"
    assert refused.returncode == 1
    assert "this is the newest key" in refused.stderr
    assert retired.returncode == 0, retired.stderr
    assert "retired" in retired.stdout
    assert [(one["state"], one["secrets"]) for one in ring["keys"]] == [
        ("newest", 1),
        ("retired", 0),
    ]
    assert [one["enabled"] for one in accounts if one["provider"] == "groq"] == [True]
    assert len(json.loads((tmp_path / "data" / "keyring.json").read_text())["keys"]) == 1


def test_a_ring_of_a_variable_is_rotated_by_its_owner(tmp_path: Path) -> None:
    def with_ring(text: str) -> Run:
        variables = plain_environment(
            tmp_path, PORT=str(free_port()), OMNIROUTE_STORAGE_ENCRYPTION_KEY=text
        )
        return partial(run_command, environment=variables)

    with_ring(OLD)("providers", "add", "groq", stdin="sk-fake-groq")
    refused = with_ring(OLD)("keyring", "add")
    both = with_ring(f"{NEW},{OLD}")
    [newest, old] = json.loads(both("keyring", "list", "--json").stdout)["keys"]
    retired = both("keyring", "retire", old["key_id"])
    listed = json.loads(with_ring(NEW)("providers", "list", "--json").stdout)["providers"]
    alone = with_ring(OLD)("providers", "list")

    assert refused.returncode == 1
    assert "STORAGE_ENCRYPTION_KEY: put a new one at the end" in refused.stderr
    assert (newest["state"], old["state"], old["secrets"]) == ("newest", "older", 1)
    assert "Take it out of OMNIROUTE_STORAGE_ENCRYPTION_KEY" in retired.stdout
    assert [one["enabled"] for one in listed if one["provider"] == "groq"] == [True]
    assert alone.returncode == 78
    assert "every key of this key ring was retired" in alone.stderr
