"""The commands that look into decisions, on the simulator and without a running gateway."""

import asyncio
import json
import sqlite3
import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from omniroute.server.store.audit import Entry
from tests.cli.test_settings_effect import composed
from tests.processes import plain_environment, run_command

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def omniroute(tmp_path: Path) -> Run:
    """Give a function that runs a command on a data folder of the test's own."""
    environment = plain_environment(tmp_path)

    def run(*words: str) -> "subprocess.CompletedProcess[str]":
        return run_command(*words, environment=environment)

    return run


def test_simulate_tells_a_verdict_a_chance_and_a_cost_for_each_candidate(omniroute: Run) -> None:
    omniroute("combos", "add", "duo", "sim/cheap", "sim/smart")

    told = omniroute("simulate", "duo", "--prompt-tokens", "60000", "--max-tokens", "1000")
    chosen = omniroute("simulate", "duo", "--request-id", "req_x", "--json")

    lines = told.stdout.splitlines()
    assert lines[0].startswith("duo (combo, priority), drawn as req_")
    assert "1  sim/smart  may answer" in lines[3]
    assert "100.0%" in lines[3]
    assert "left out: context_too_long" in lines[4]
    assert json.loads(chosen.stdout)["request_id"] == "req_x"
    assert [one["place"] for one in json.loads(chosen.stdout)["candidates"]] == [1, 2]


def test_simulate_like_a_recorded_request_says_what_changed(omniroute: Run) -> None:
    omniroute("combos", "add", "mine", "sim/cheap", "sim/smart")
    omniroute("chat", "--model", "mine", "hello")
    recorded = json.loads(omniroute("explain", "--last", "--json").stdout)["request"]["request_id"]

    same = omniroute("simulate", "--like", recorded)
    omniroute("combos", "add", "mine", "sim/fast")
    other = omniroute("simulate", "--like", recorded)

    assert "Nothing has changed since it was decided." in same.stdout, same.stderr
    assert "Changed since it was decided" in other.stdout
    assert "sim/fast" in other.stdout


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "give a model, or --like"),
        (("auto", "--like", "req_x"), "give a model, or --like"),
        (("--like", "req_x", "--tools"), "leave the others out"),
        (("auto", "--prompt-tokens", "many"), "--prompt-tokens is a whole number"),
    ],
)
def test_simulate_refuses_words_that_do_not_go_together(
    omniroute: Run, words: tuple[str, ...], told: str
) -> None:
    done = omniroute("simulate", *words)

    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr


def test_audit_route_decides_again_and_notices_a_changed_record(
    omniroute: Run, tmp_path: Path
) -> None:
    omniroute("chat", "hello")

    sound = omniroute("audit", "route", "--all")
    with closing(sqlite3.connect(tmp_path / "data" / "storage.sqlite")) as database:
        database.execute("UPDATE decisions SET record = CAST('[' || record AS BLOB)")
        database.commit()
    changed = omniroute("audit", "route", "--all")
    with closing(sqlite3.connect(tmp_path / "data" / "storage.sqlite")) as database:
        database.execute("DELETE FROM snapshots")
        database.commit()
    homeless = omniroute("audit", "route", "--all")

    assert sound.returncode == 0, sound.stderr
    assert "decisions decided again  1" in sound.stdout
    assert "different                0" in sound.stdout
    assert (changed.returncode, changed.stderr) == (1, "")
    assert "it cannot be read" in changed.stdout
    assert "the row was changed" in changed.stdout
    assert "its snapshot is missing" in homeless.stdout


def test_audit_route_wants_a_range(omniroute: Run) -> None:
    done = omniroute("audit", "route")

    assert (done.returncode, done.stdout) == (2, "")
    assert "--since" in done.stderr


def test_combos_test_tells_of_each_model_in_the_combos_order(omniroute: Run) -> None:
    omniroute("combos", "add", "some", "sim/smart", "sim/fast@fault=html_502", "sim/cheap")

    done = omniroute("combos", "test", "some", "--prompt", "good morning")
    found = json.loads(omniroute("combos", "test", "some", "--json").stdout)
    unknown = omniroute("combos", "test", "nowhere")

    lines = done.stdout.splitlines()
    assert done.returncode == 69, done.stderr
    assert [line.split()[:2] for line in lines[1:]] == [
        ["sim/smart", "yes"],
        ["sim/fast@fault=html_502", "NO"],
        ["sim/cheap", "yes"],
    ]
    assert "good morning" in lines[3]
    assert [one["ok"] for one in found] == [True, False, True]
    assert "nowhere" in unknown.stderr
    assert unknown.returncode == 1


def test_the_lab_prints_lines_and_the_last_table_where_there_is_no_terminal(
    omniroute: Run,
) -> None:
    omniroute("combos", "add", "duo", "sim/fast", "sim/smart")

    told = omniroute("lab", "duo", "--requests", "40", "--faults", "1=rate_limited@11-20")
    found = json.loads(omniroute("lab", "duo", "--requests", "40", "--json").stdout)

    lines = told.stdout.splitlines()
    assert told.returncode == 0, told.stderr
    assert lines[0] == "4: 4 answered, 0 failed"
    assert any("sim/fast has rate_limited" in line for line in lines)
    assert "\x1b" not in told.stdout
    assert lines[-1].startswith("40 of 40 requests: 40 answered")
    assert (found["number"], len(found["models"])) == (40, 2)


def test_audit_log_lists_changes_and_notices_a_changed_one(omniroute: Run, tmp_path: Path) -> None:
    empty = omniroute("audit", "log")
    omniroute("combos", "add", "first", "sim/fast")
    omniroute("combos", "add", "second", "sim/fast")

    sound = json.loads(omniroute("audit", "log", "--limit", "1", "--json").stdout)
    told = omniroute("audit", "log")
    one = omniroute("audit", "log", "--of", sound["entries"][0]["target"])
    with closing(sqlite3.connect(tmp_path / "data" / "storage.sqlite")) as database:
        database.execute("UPDATE audit SET actor = 'nobody'")
        database.commit()
    changed = omniroute("audit", "log")

    assert empty.returncode == 0, empty.stderr
    assert "Nothing was changed yet." in empty.stdout
    assert (len(sound["entries"]), sound["chains"]["rows"]) == (1, 2)
    assert "2 changes in 2 chains verified, 0 broken" in told.stdout
    assert one.stdout.count("combo") < told.stdout.count("combo")
    assert changed.returncode == 1
    assert "the row was changed" in changed.stdout


def test_audit_verify_names_the_row_that_was_tampered_with(omniroute: Run, tmp_path: Path) -> None:
    omniroute("chat", "hello")
    omniroute("combos", "add", "first", "sim/fast")

    sound = omniroute("audit", "verify")
    with closing(sqlite3.connect(tmp_path / "data" / "storage.sqlite")) as database, database:
        database.execute("UPDATE audit SET target = CAST(x'636fff' AS TEXT)")
    changed = omniroute("audit", "verify")
    told = json.loads(omniroute("audit", "verify", "--json").stdout)

    assert (sound.returncode, sound.stderr) == (0, "")
    assert [line.split()[-4:] for line in sound.stdout.splitlines()[1:]] == [
        ["1", "1", "0", "0"],
        ["1", "1", "0", "0"],
        ["0", "0", "0", "0"],
    ]
    assert changed.returncode == 1
    assert "1  the row was changed" in changed.stdout
    assert (told["sound"], told["missing"]) == (False, None)
    assert told["verified"]["verified"][0]["chains"]["broken"][0]["seq"] == 1


def test_an_export_shows_that_an_older_database_was_put_back(
    omniroute: Run, tmp_path: Path
) -> None:
    store, older = tmp_path / "data" / "storage.sqlite", tmp_path / "older.sqlite"
    export = str(tmp_path / "audit.jsonl")
    omniroute("combos", "add", "first", "sim/fast")
    with closing(sqlite3.connect(store)) as database, closing(sqlite3.connect(older)) as copy:
        database.backup(copy)
    omniroute("combos", "add", "second", "sim/fast")
    written = omniroute("audit", "export", export)
    again = omniroute("audit", "export", export)
    lines = omniroute("audit", "export").stdout.splitlines()

    same = omniroute("audit", "verify", "--against", export)
    for ending in ("-wal", "-shm"):
        Path(f"{store}{ending}").unlink(missing_ok=True)
    older.replace(store)
    back = omniroute("audit", "verify", "--against", export)

    assert written.stdout == f"2 changes written to {export}\n"
    assert again.returncode == 1
    assert sorted(json.loads(line)["action"] for line in lines) == ["combo.put"] * 2
    assert (same.returncode, same.stderr) == (0, "")
    assert "2 changes in the export, 0 not on record as such" in same.stdout
    assert back.returncode == 1
    assert "2 changes in the export, 1 not on record as such" in back.stdout


def test_changes_that_went_for_their_age_are_no_gap_in_an_export(
    omniroute: Run, tmp_path: Path
) -> None:
    export = str(tmp_path / "audit.jsonl")

    async def kept(**variables: str) -> None:
        async with composed(tmp_path, variables) as opened:
            storage = opened.parts.storage
            if not variables:
                entry = Entry(time.time() - 5 * 86_400, "maria", "look", "t", "{}")
                await storage.database.write(lambda: storage.audit.append(entry))
            await storage.poll()

    asyncio.run(kept())
    omniroute("combos", "add", "first", "sim/fast")
    written = omniroute("audit", "export", export)
    asyncio.run(kept(OMNIROUTE_AUDIT_RETENTION_DAYS="1"))
    told = omniroute("audit", "verify", "--against", export)
    log = omniroute("audit", "log")

    assert written.stdout == f"2 changes written to {export}\n"
    assert (told.returncode, told.stderr) == (0, "")
    assert told.stdout.splitlines()[1].split()[-4:] == ["1", "2", "1", "0"]
    assert "2 changes in the export, 0 not on record as such" in told.stdout
    assert "1 older ones were removed for their age, behind signed checkpoints" in log.stdout


def test_audit_verify_refuses_a_file_that_is_no_export(omniroute: Run, tmp_path: Path) -> None:
    other = tmp_path / "other.txt"
    other.write_text("hello\n")

    done = omniroute("audit", "verify", "--against", str(other))

    assert (done.returncode, done.stdout) == (2, "")
    assert "is no line of an export" in done.stderr


def test_audit_log_refuses_a_limit_that_is_none(omniroute: Run) -> None:
    done = omniroute("audit", "log", "--limit", "many")

    assert (done.returncode, done.stdout) == (1, "")
    assert "limit is a number" in done.stderr


def test_prune_counts_and_removes_old_requests_and_the_rest_verifies(
    omniroute: Run, tmp_path: Path
) -> None:
    omniroute("chat", "--model", "sim/fast", "an old one")
    with closing(sqlite3.connect(tmp_path / "data" / "storage.sqlite")) as database, database:
        database.execute("UPDATE outcomes SET at_unix_s = at_unix_s - 8640000")
    omniroute("chat", "--model", "sim/fast", "a new one")

    counted = omniroute("prune", "--dry-run", "--days", "30", "--json")
    removed = omniroute("prune", "--days", "30")
    audited = omniroute("audit", "route", "--all", "--json")
    wrong = omniroute("prune", "--days", "soon")

    assert json.loads(counted.stdout)["requests"] == 1
    assert removed.stdout.startswith("older than 30 days, removed\n")
    assert json.loads(audited.stdout)["decisions"] == 1
    assert json.loads(audited.stdout)["chains"]["broken"] == []
    assert wrong.returncode == 2
