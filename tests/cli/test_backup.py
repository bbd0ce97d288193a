"""Backups with the commands of a user: under load, put back elsewhere, and put back in place."""

import json
import shlex
import shutil
import subprocess
import threading
from pathlib import Path

from tests.processes import OMNIROUTE, RunningGateway, gateway, plain_environment, run_command

CHAT = {"model": "sim/fast", "messages": [{"role": "user", "content": "hello there"}]}
ENOUGH = 15


def chatting(running: RunningGateway, ids: list[str], stop: threading.Event) -> threading.Thread:
    """Ask one question after the other and note the ids of those that were answered."""

    def work() -> None:
        while not stop.is_set():
            answer = running.call("POST", "/v1/chat/completions", CHAT)
            if answer.status == 200:
                ids.append(answer.headers["x-request-id"])

    thread = threading.Thread(target=work)
    thread.start()
    return thread


def known(environment: dict[str, str], ids: list[str]) -> list[bool]:
    found = [run_command("explain", one, environment=environment).returncode for one in ids]
    return [status == 0 for status in found]


def test_a_backup_under_load_is_put_into_another_folder_and_all_of_it_is_there(
    tmp_path: Path,
) -> None:
    ids: list[str] = []
    stop = threading.Event()
    with gateway(tmp_path / "one", GROQ_API_KEY="sk-fake-groq") as running:
        running.command("combos", "add", "duo", "sim/fast", "sim/smart")
        thread = chatting(running, ids, stop)
        try:
            while len(ids) < ENOUGH:
                stop.wait(0.01)
            before = ids[:ENOUGH]
            # An explanation has the gateway store what it has queued of that request.
            running.command("explain", before[-1])
            made = running.command("backup", str(tmp_path / "elsewhere.sqlite"), "--json")
        finally:
            stop.set()
            thread.join()
    other = plain_environment(tmp_path / "two")
    (tmp_path / "two" / "data").mkdir(parents=True)
    shutil.copy(tmp_path / "one/data/keyring.json", tmp_path / "two/data/keyring.json")

    restored = run_command("restore", str(tmp_path / "elsewhere.sqlite"), environment=other)
    combos = run_command("combos", "list", environment=other)
    verified = json.loads(run_command("audit", "verify", "--json", environment=other).stdout)

    assert made.returncode == 0, made.stderr
    assert json.loads(made.stdout)["broken"] == []
    assert (restored.returncode, restored.stderr) == (0, "")
    assert "is in the place of the database" in restored.stdout
    assert "duo" in combos.stdout
    assert known(other, [before[0], before[-1]]) == [True, True]
    assert verified["sound"] is True
    assert verified["verified"]["verified"][1]["chains"]["rows"] >= ENOUGH


def test_a_running_gateway_gets_its_backup_back_when_it_is_started_again(tmp_path: Path) -> None:
    with gateway(tmp_path) as running:
        running.command("combos", "add", "first", "sim/fast")
        made = json.loads(running.command("backup", "--json").stdout)["backup"]
        running.command("combos", "add", "second", "sim/fast")
        over_api = running.call(
            "POST", "/api/db-backups", {"backupId": made["id"]}, key=running.admin_key
        )
        listed = running.command("backups")
        now = running.command("combos", "list")
        file = running.call("GET", f"/api/db-backups/export?id={made['id']}", key=running.admin_key)
        missing = running.call(
            "POST", "/api/db-backups", {"backupId": "../x"}, key=running.admin_key
        )
    with gateway(tmp_path) as again:
        then = again.command("combos", "list")
        log = again.command("audit", "log")

    assert (over_api.status, over_api.json()["pending"]) == (200, True)
    assert made["id"] in listed.stdout
    assert "at the next start" in listed.stdout
    assert "second" in now.stdout
    assert "first" in then.stdout
    assert "second" not in then.stdout
    assert "backup.restored" in log.stdout
    assert file.body == (tmp_path / "data/db_backups" / made["filename"]).read_bytes()
    assert missing.status == 404


def test_words_that_lead_nowhere_change_nothing(tmp_path: Path) -> None:
    environment = plain_environment(tmp_path)
    taken = tmp_path / "taken.sqlite"
    taken.write_text("mine")

    def run(*words: str) -> "subprocess.CompletedProcess[str]":
        return run_command(*words, environment=environment)

    over = run("backup", str(taken))
    nowhere = run("backup", str(tmp_path / "no" / "folder.sqlite"))
    unknown = run("restore", "omniroute-never")
    wrong = run("restore", str(taken))
    none = run("backups")

    assert [one.returncode for one in (over, nowhere, unknown, wrong)] == [1, 1, 1, 1]
    assert "exists: name another file" in over.stderr
    assert "there is no folder" in nowhere.stderr
    assert "`omniroute backups` lists" in unknown.stderr
    assert "is no backup, or a damaged one" in wrong.stderr
    assert taken.read_text() == "mine"
    assert "There is no backup yet." in none.stdout


def test_a_full_disk_leaves_no_half_backup(tmp_path: Path) -> None:
    environment = plain_environment(tmp_path)
    run_command("combos", "add", "first", "sim/fast", environment=environment)
    # No file of it may be larger than 150 KiB, as on a disk that has no more.
    limited = f"ulimit -f 150; exec {shlex.join([*OMNIROUTE, 'backup'])}"

    done = subprocess.run(
        ["bash", "-c", limited],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode != 0
    assert "no backup was made" in done.stderr
    assert [one.name for one in (tmp_path / "data/db_backups").iterdir()] == ["lock"]
