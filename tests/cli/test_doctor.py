"""What doctor finds, from facts alone."""

from collections.abc import Mapping
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from omniroute.server.doctor import Finding, findings, has_error, settings_in_force
from omniroute.server.doctor_facts import (
    DatabaseFacts,
    Facts,
    FolderFacts,
    LocalServer,
    PortFacts,
    RunningFacts,
    TlsFacts,
)
from omniroute.server.management import AccountJson, GatewayFacts, SettingJson
from omniroute.server.settings import Note, Settings, Source, Sources

FOLDER = Path("/home/someone/.omniroute")
GROQ = AccountJson(
    "environment:groq",
    "groq",
    "openai_chat",
    "https://api.groq.com/openai/v1",
    "environment",
    key_masked="...abcd",
    key_from="GROQ_API_KEY",
)
WELL = Facts(
    settings=Settings(data_dir=FOLDER),
    sources=Sources({"port": Source("file", "PORT", Path("/there/.env"))}),
    version="0.1.0",
    python="3.11.7",
    folder=FolderFacts(FOLDER, exists=True),
    database=DatabaseFacts("sqlite", exists=True, revision="0001", newest="0001"),
    port=PortFacts("ours"),
    tls=TlsFacts("/etc/ssl/cert.pem", 140),
    now_unix_s=1_800_000_000.0,
    running=RunningFacts(12, "http://127.0.0.1:20128", "0.1.0"),
    accounts=(GROQ,),
    keys=1,
)


def found(facts: Facts, words: str) -> Finding:
    """Give the one finding whose first sentence holds the words."""
    hits = [one for one in findings(facts) if words in one.what]
    assert len(hits) == 1, [one.what for one in findings(facts)]
    return hits[0]


def test_what_is_stored_and_cannot_be_used_is_an_error_with_its_reason() -> None:
    words = "combo 'mine' cannot be used: Invalid enum value 'fastest'"

    one = found(replace(WELL, problems=(words,)), "combo 'mine'")

    assert (one.level, one.what) == ("error", words)
    assert "left out" in one.why


def test_a_machine_in_order_has_nothing_to_mend() -> None:
    levels = {one.level for one in findings(WELL)}

    assert levels == {"ok"}
    assert not has_error(findings(WELL))


def test_the_worst_comes_first() -> None:
    facts = replace(
        WELL,
        port=PortFacts("other", " (process 9, nginx)"),
        running=None,
        folder=replace(WELL.folder, open_to_others=["keyring.json"]),
    )

    levels = [one.level for one in findings(facts)]

    assert levels == sorted(levels, key=("error", "warning", "note", "ok").index)
    assert has_error(findings(facts))


@pytest.mark.parametrize(
    ("changes", "level", "words"),
    [
        ({"running": None}, "note", "no gateway runs"),
        (
            {"running": RunningFacts(12, "http://h", stale=True)},
            "note",
            "process 12 left its runtime file",
        ),
        (
            {"running": RunningFacts(12, "http://h", answers=False, problem="it is silent")},
            "error",
            "does not answer",
        ),
        (
            {"running": RunningFacts(12, "http://h", "0.0.9")},
            "warning",
            "the running gateway is OmniRoute 0.0.9",
        ),
        ({"folder": FolderFacts(FOLDER, exists=False)}, "ok", "will be made"),
        ({"folder": FolderFacts(FOLDER, exists=False, makeable=False)}, "error", "cannot be made"),
        ({"folder": FolderFacts(FOLDER, exists=True, is_folder=False)}, "error", "is not a folder"),
        ({"folder": FolderFacts(FOLDER, exists=True, usable=False)}, "error", "cannot be read"),
        (
            {"folder": FolderFacts(FOLDER, exists=True, open_to_others=["a", "b"])},
            "warning",
            "parts of the data folder: a, b",
        ),
        (
            {"folder": FolderFacts(FOLDER, exists=True, future="storage.sqlite")},
            "warning",
            "storage.sqlite was changed later than now",
        ),
        (
            {"database": DatabaseFacts("sqlite", exists=True, problem="it is newer")},
            "error",
            "it is newer",
        ),
        ({"database": DatabaseFacts("sqlite", newest="0002")}, "ok", "will be made"),
        (
            {"database": DatabaseFacts("sqlite", exists=True, revision="0001", newest="0002")},
            "note",
            "brings it to 0002",
        ),
        ({"database": DatabaseFacts("postgres")}, "ok", "PostgreSQL"),
        ({"port": PortFacts("free")}, "ok", "127.0.0.1:20128 is free"),
        ({"port": PortFacts("other", " (process 9, nginx)")}, "error", "holds 127.0.0.1:20128 (p"),
        ({"port": PortFacts("refused", "Permission denied")}, "error", "Permission denied"),
        ({"keys": 0}, "note", "no key is needed"),
        ({"accounts": ()}, "note", "answers come from the simulator"),
        ({"accounts": (replace(GROQ, enabled=False),)}, "note", "is switched off"),
        ({"ignored": (("OPENAI_API_KEY", "it is ours"),)}, "note", "OPENAI_API_KEY was not taken"),
        (
            {"servers": (LocalServer("ollama-local", "http://127.0.0.1:11434/v1", 3),)},
            "ok",
            "answers at http://127.0.0.1:11434/v1 with 3 models",
        ),
        ({"now_unix_s": 0.0}, "error", "the clock is wrong"),
        ({"tls": TlsFacts("/nowhere", 0)}, "error", "no certificates of authorities at /nowhere"),
    ],
)
def test_a_fact_becomes_a_finding(changes: Mapping[str, Any], level: str, words: str) -> None:
    facts = replace(WELL, **changes)

    assert found(facts, words).level == level


@pytest.mark.parametrize(
    ("changes", "level", "words"),
    [
        ({"host": "0.0.0.0"}, "warning", "unencrypted"),
        ({"host": "0.0.0.0"}, "ok", "every caller needs a key"),
        ({"require_key": "always"}, "ok", "every caller needs a key"),
        (
            {"trusted_proxies": (ip_network("0.0.0.0/0"),)},
            "error",
            "nearly every address is trusted",
        ),
        ({"public_url": "https://gateway.example"}, "note", "the gateway listens on loopback"),
        ({"idle_s": 900.0}, "warning", "idle_s is longer than total_s"),
    ],
)
def test_settings_that_are_not_what_their_owner_may_think_are_told(
    changes: Mapping[str, Any], level: str, words: str
) -> None:
    facts = replace(WELL, settings=replace(WELL.settings, **changes))

    assert found(facts, words).level == level


def test_a_bind_for_others_behind_tls_is_in_order() -> None:
    settings = replace(WELL.settings, host="0.0.0.0", public_url="https://gateway.example")

    levels = {one.level for one in findings(replace(WELL, settings=settings))}

    assert levels == {"ok"}


def test_a_key_that_is_always_needed_and_does_not_exist_is_warned_of() -> None:
    settings = replace(WELL.settings, require_key="always")

    finding = found(replace(WELL, settings=settings, keys=0), "there is none")

    assert (finding.level, finding.next) == ("warning", "`omniroute keys add` makes one")


def test_an_account_is_told_with_where_its_key_came_from_and_no_more_of_it() -> None:
    assert found(WELL, "groq at").what == (
        "groq at https://api.groq.com/openai/v1: key ...abcd from GROQ_API_KEY"
    )


def test_notes_on_variables_keep_their_level() -> None:
    notes = (Note("warning", "A", "A is misspelt"), Note("note", "B", "B has no effect"))
    facts = replace(WELL, sources=replace(WELL.sources, notes=notes))

    assert found(facts, "A is misspelt").level == "warning"
    assert found(facts, "B has no effect").level == "note"


def test_the_env_file_that_was_read_is_named() -> None:
    facts = replace(WELL, sources=replace(WELL.sources, env_file=Path("/there/.env")))

    assert found(facts, "/there/.env").level == "ok"


def test_clocks_that_are_apart_are_told() -> None:
    own = GatewayFacts("0.1.0", needs_key=False, keys=0, accounts=(), now_unix_s=1_799_999_000.0)
    facts = replace(WELL, running=RunningFacts(12, "http://h", "0.1.0", facts=own))

    assert found(facts, "clock differs").level == "warning"


def test_the_settings_shown_are_those_of_the_running_gateway() -> None:
    own = GatewayFacts(
        "0.1.0",
        needs_key=False,
        keys=0,
        accounts=(),
        settings=(SettingJson("port", "4000", "--port"),),
    )
    asked = replace(WELL, running=RunningFacts(12, "http://h", "0.1.0", facts=own))

    theirs = settings_in_force(asked)
    here = {one.name: one.source for one in settings_in_force(WELL)}

    assert [(one.name, one.value, one.source) for one in theirs] == [("port", "4000", "--port")]
    assert here["port"] == "PORT in /there/.env"
    assert here["host"] == "default"


def test_every_finding_that_is_not_well_says_what_or_why() -> None:
    facts = replace(
        WELL,
        running=RunningFacts(12, "http://h", answers=False, problem="it is silent"),
        folder=FolderFacts(FOLDER, exists=True, usable=False),
        port=PortFacts("refused", "no"),
        tls=TlsFacts("/nowhere", 0),
        now_unix_s=0.0,
        keys=0,
    )

    bare = [one.what for one in findings(facts) if one.level == "error" and not one.next]

    assert bare == []
