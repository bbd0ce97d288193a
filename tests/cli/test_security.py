"""What doctor --security finds, from facts alone, and as a command."""

import json
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from omniroute.server.doctor_facts import (
    DatabaseFacts,
    Facts,
    FolderFacts,
    PortFacts,
    RunningFacts,
    TlsFacts,
)
from omniroute.server.management import AccountJson, GatewayFacts, SettingJson
from omniroute.server.management_keys import KeyJson
from omniroute.server.security import WEIGHTS, Check, Standing, grade_of, standing
from omniroute.server.settings import Note, Settings, Sources
from tests.processes import gateway, plain_environment, run_command

FOLDER = Path("/home/someone/.omniroute")
NOW = 1_800_000_000.0
SECRET = "9f2c61d07ab34e85b1c6d2e8f3a45970"
KEY = KeyJson("k1", "mine", ("write:route",), models=("sim/fast",), created_unix_s=NOW - 1000)
WELL = Facts(
    settings=Settings(data_dir=FOLDER, storage_encryption_key=SECRET, require_key="always"),
    sources=Sources({}),
    version="0.1.0",
    python="3.11.7",
    folder=FolderFacts(FOLDER, exists=True),
    database=DatabaseFacts("sqlite", exists=True, revision="0001", newest="0001"),
    port=PortFacts("free"),
    tls=TlsFacts("/etc/ssl/cert.pem", 140),
    now_unix_s=NOW,
    keys=1,
)


OPEN = FolderFacts(FOLDER, exists=True, open_to_others=["keyring.json"])
FAR = AccountJson("a", "far", "openai_chat", "http://far.example/v1", "database", key_masked="...x")


def judged(*keys: KeyJson, is_root: bool = False, facts: Facts = WELL, **settings: Any) -> Standing:
    """Give the standing of a gateway that is as WELL, but for these."""
    changed = replace(facts, settings=replace(facts.settings, **settings))
    return standing(changed, keys or (replace(KEY, expires_unix_s=NOW + 1000),), is_root=is_root)


def names(found: Standing, weight: str) -> list[str]:
    return [one.name for one in found.checks if one.weight == weight]


def test_what_is_set_up_well_gets_an_a_with_nothing_to_do() -> None:
    found = judged()

    assert found.grade == "A"
    assert {one.weight for one in found.checks} == {"good"}


@pytest.mark.parametrize(
    ("settings", "weight", "name"),
    [
        ({"host": "0.0.0.0"}, "weakness", "no-tls"),
        ({"require_key": "auto"}, "hint", "keyless"),
        (
            {"require_key": "auto", "public_url": "https://gateway.example"},
            "danger",
            "keyless-and-public",
        ),
        ({"trusted_proxies": (ip_network("0.0.0.0/1"),)}, "danger", "trusts-everyone"),
        ({"trusted_proxies": (ip_network("2000::/3"),)}, "danger", "trusts-everyone"),
        ({"allowed_origins": ("http://app.example",)}, "weakness", "plain-origins"),
        ({"storage_encryption_key": None}, "hint", "ring-beside-data"),
        ({"storage_encryption_key": "x" * 40}, "danger", "guessable-key"),
        ({"storage_encryption_key": "Change-Me-9f2c61d07ab34e85b1c6d"}, "danger", "guessable-key"),
        ({"storage_encryption_key": f"{SECRET},{'0' * 32}"}, "danger", "guessable-key"),
        ({"a2a_private_webhooks": True}, "weakness", "private-webhooks"),
        ({"database_url": "postgresql://u:p@db.example/x"}, "weakness", "unverified-database"),
        ({"log_level": "debug"}, "hint", "debug-log"),
        ({"mcp_audit_arguments": True}, "hint", "kept-arguments"),
    ],
)
def test_a_setting_that_is_less_safe_is_named(
    settings: dict[str, Any], weight: str, name: str
) -> None:
    found = judged(facts=replace(WELL, keys=0), **settings)

    assert name in names(found, weight)


@pytest.mark.parametrize(
    "settings",
    [
        {"host": "0.0.0.0", "public_url": "https://gateway.example"},
        {"public_url": "https://gateway.example"},
        {"trusted_proxies": (ip_network("10.0.0.0/8"),)},
        {"allowed_origins": ("https://app.example", "http://localhost:3000")},
        {"database_url": "postgresql://u:p@db.example/x?sslmode=verify-full"},
        {"database_url": "postgresql://u:p@127.0.0.1/x"},
    ],
)
def test_a_setting_that_is_as_safe_changes_nothing(settings: dict[str, Any]) -> None:
    assert judged(**settings).grade == "A"


@pytest.mark.parametrize(
    ("changes", "weight", "name"),
    [
        (
            {"folder": FolderFacts(FOLDER, True, open_to_others=["keyring.json"])},
            "danger",
            "open-folder",
        ),
        (
            {"sources": Sources({}, notes=(Note("note", ".env", "can be read by other users"),))},
            "weakness",
            "open-env-file",
        ),
        (
            {
                "accounts": (
                    AccountJson(
                        "a",
                        "far",
                        "openai_chat",
                        "http://far.example/v1",
                        "database",
                        key_masked="...x",
                    ),
                )
            },
            "weakness",
            "plain-providers",
        ),
        (
            {
                "running": RunningFacts(
                    1,
                    "http://127.0.0.1:1",
                    facts=GatewayFacts(
                        "0.1.0", True, 1, (), settings=(SettingJson("host", "0.0.0.0", "--host"),)
                    ),
                )
            },
            "weakness",
            "other-settings",
        ),
    ],
)
def test_a_fact_that_is_less_safe_is_named(changes: dict[str, Any], weight: str, name: str) -> None:
    found = judged(facts=replace(WELL, **changes))

    assert name in names(found, weight)
    assert found.grade == ("F" if weight == "danger" else "B")


def test_a_key_of_a_provider_may_go_plain_to_this_machine_and_its_network() -> None:
    urls = ("http://127.0.0.1:11434/v1", "http://192.168.0.9/v1", "http://ollama:11434/v1")
    accounts = tuple(
        AccountJson(url, "near", "openai_chat", url, "database", key_masked="...x") for url in urls
    )

    assert judged(facts=replace(WELL, accounts=accounts)).grade == "A"


@pytest.mark.parametrize(
    ("host", "weight"), [("0.0.0.0", ["no-tls", "plain-cookie"]), ("127.0.0.1", [])]
)
def test_a_cookie_over_plain_http_is_a_weakness_where_others_can_reach_it(
    host: str, weight: list[str]
) -> None:
    found = judged(host=host, dashboard_plain_cookie=True)

    assert names(found, "weakness") == weight


@pytest.mark.parametrize(
    ("needs_key", "has_password", "initial", "weight", "name"),
    [
        (True, False, None, "good", "password"),
        (True, True, None, "good", "password"),
        (False, True, None, "hint", "password-alone"),
        (True, True, "seven fake horses 42", "hint", "initial-password"),
    ],
)
def test_the_password_of_the_dashboard_is_looked_at(
    needs_key: bool, has_password: bool, initial: str | None, weight: str, name: str
) -> None:
    told = GatewayFacts("0.1.0", needs_key, 1, (), has_password=has_password)
    running = RunningFacts(1, "http://127.0.0.1:1", facts=told)
    found = judged(facts=replace(WELL, running=running), initial_password=initial)

    assert name in names(found, weight)
    assert found.grade == "A"


ADMIN = KeyJson("k2", "admin", ("admin",), created_unix_s=NOW - 1000, expires_unix_s=NOW + 1000)


@pytest.mark.parametrize(
    ("keys", "weight", "name"),
    [
        ((ADMIN,) * 4, "weakness", "many-admins"),
        ((replace(ADMIN, created_unix_s=NOW - 400 * 86_400),), "weakness", "old-keys"),
        ((replace(ADMIN, expires_unix_s=None),), "hint", "keys-for-ever"),
        ((replace(KEY, models=()),), "hint", "unbounded-keys"),
    ],
)
def test_a_key_that_is_less_safe_is_named(
    keys: tuple[KeyJson, ...], weight: str, name: str
) -> None:
    assert name in names(judged(*keys), weight)


@pytest.mark.parametrize(
    "key",
    [
        replace(ADMIN, created_unix_s=0.0, rolled_unix_s=NOW - 1000),
        replace(ADMIN, created_unix_s=0.0, enabled=False),
        replace(ADMIN, created_unix_s=0.0, expires_unix_s=NOW - 1),
        replace(KEY, models=(), expires_unix_s=NOW + 1, requests_per_minute=5),
        replace(KEY, models=(), expires_unix_s=NOW + 1, budget_ids=("b",)),
    ],
)
def test_a_key_that_is_bounded_rolled_or_off_is_no_weakness(key: KeyJson) -> None:
    found = judged(key)

    assert names(found, "weakness") == names(found, "hint") == []


def test_root_is_a_weakness() -> None:
    assert names(judged(is_root=True), "weakness") == ["root"]


@pytest.mark.parametrize(
    ("weights", "grade"),
    [
        ((), "A"),
        (("good", "hint", "hint"), "A"),
        (("weakness",), "B"),
        (("weakness",) * 2, "C"),
        (("weakness",) * 3, "D"),
        (("weakness",) * 9, "D"),
        (("danger",), "F"),
        (("good", "danger", "hint"), "F"),
    ],
)
def test_the_grade_is_counted(weights: tuple[Any, ...], grade: str) -> None:
    assert grade_of(Check(weight, "x", "x") for weight in weights) == grade


def test_the_worst_comes_first() -> None:
    found = judged(host="0.0.0.0", storage_encryption_key="x" * 40, log_level="debug")

    weights = [WEIGHTS.index(one.weight) for one in found.checks]

    assert weights == sorted(weights)
    assert len(set(weights)) == 4


def test_the_command_grades_a_start_before_it_is_made(tmp_path: Path) -> None:
    environment = plain_environment(tmp_path, STORAGE_ENCRYPTION_KEY="change-me-" * 4)

    done = run_command("doctor", "--security", "--host", "0.0.0.0", environment=environment)

    assert done.returncode == 1
    assert done.stdout.startswith("Grade F: ")
    assert "STORAGE_ENCRYPTION_KEY looks like" in done.stdout
    assert not (tmp_path / "data").exists()


def test_the_command_looks_at_the_keys_of_the_gateway_that_runs(tmp_path: Path) -> None:
    with gateway(tmp_path) as running:
        before = json.loads(running.command("doctor", "--security", "--json").stdout)
        running.new_key("--name", "mine", "--scope", "agent")
        after = json.loads(running.command("doctor", "--security", "--json").stdout)

    told = [{one["name"] for one in found["checks"]} for found in (before, after)]
    assert "keyless" in told[0]
    assert "keyless" not in told[1]
    assert {"key-needed", "unbounded-keys", "keys-for-ever"} <= told[1]
    assert before["grade"] == after["grade"] in ("A", "B")
