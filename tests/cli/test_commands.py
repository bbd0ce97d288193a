"""Every command, with a gateway that runs and without one: the same words, the same effect."""

import json
import os
import re
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from omniroute.server.runtime_file import Running, write_running
from tests.processes import free_port, gateway, plain_environment, run_command

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(params=["running", "none"])
def omniroute(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Run]:
    """Give a function that runs a command on a data folder of the test's own."""
    if request.param == "running":
        with gateway(tmp_path) as running:
            yield running.command
    else:
        environment = plain_environment(tmp_path, PORT=str(free_port()))

        def run(*words: str, stdin: str | None = None) -> "subprocess.CompletedProcess[str]":
            return run_command(*words, environment=environment, stdin=stdin)

        yield run


def well(done: "subprocess.CompletedProcess[str]") -> str:
    assert done.returncode == 0, done.stderr
    return done.stdout


def listed(done: "subprocess.CompletedProcess[str]") -> Any:
    return json.loads(well(done))


def test_a_key_is_shown_once_listed_without_its_secret_and_revoked(omniroute: Run) -> None:
    made = omniroute(
        *("keys", "add", "--name", "ci", "--scope", "write:route", "--scope", "read:health"),
        *("--models", "sim/*", "--expires", "90d", "--no-log"),
    )
    keys = omniroute("keys", "list", "--json")
    shown = omniroute("keys", "list")
    key = listed(keys)["keys"][0]
    revoked = omniroute("keys", "revoke", key["key_id"])
    again = omniroute("keys", "remove", key["key_id"])

    secret = well(made).strip()
    assert secret.startswith(f"sk-omni-{key['key_id']}-")
    assert "shown once" in made.stderr
    assert (key["name"], key["models"], key["keep_content"]) == ("ci", ["sim/*"], False)
    assert sorted(key["scopes"]) == ["read:health", "write:route"]
    assert key["expires_unix_s"] > key["created_unix_s"]
    assert secret not in keys.stdout
    assert secret not in shown.stdout
    assert "valid, no log" in shown.stdout
    assert well(revoked) == f"Revoked {key['key_id']}.\n"
    assert "no key has the id" in again.stderr
    assert again.returncode == 1


def test_a_key_without_a_scope_is_an_agents(omniroute: Run) -> None:
    made = listed(omniroute("keys", "add", "--json"))

    assert "write:route" in made["key"]["scopes"]
    assert "write:config" not in made["key"]["scopes"]


def test_a_scope_that_is_none_is_refused_with_those_that_are(omniroute: Run) -> None:
    done = omniroute("keys", "add", "--scope", "write:everything")

    assert "known are read:health" in done.stderr
    assert (done.returncode, done.stdout) == (1, "")


def test_an_account_is_added_listed_masked_and_removed(omniroute: Run) -> None:
    added = omniroute(
        *("providers", "add", "box", "--base-url", "http://127.0.0.1:9/v1"),
        *("--dialect", "openai_chat", "--name", "work", "--model", "small", "--json"),
        stdin="sk-fake-0123456789\n",
    )
    found = listed(omniroute("providers", "list", "--json"))["providers"]
    tested = omniroute("providers", "test", "work")
    removed = omniroute("providers", "remove", "work")
    left = listed(omniroute("providers", "list", "--json"))["providers"]

    account = next(one for one in found if one["provider"] == "box")
    assert json.loads(well(added)) == account
    assert (account["key_masked"], account["source"]) == ("...6789", "database")
    assert (account["name"], account["models"]) == ("work", ["small"])
    assert "sk-fake" not in json.dumps(found)
    assert "NO" in tested.stdout
    assert tested.returncode == 69
    assert well(removed) == "Removed work.\n"
    assert [one["provider"] for one in left if one["provider"] == "box"] == []


def test_an_alias_is_set_listed_and_removed(omniroute: Run) -> None:
    done = well(omniroute("aliases", "set", "claude-haiku-*", "sim/fast"))
    found = listed(omniroute("aliases", "list", "--json"))
    removed = well(omniroute("aliases", "remove", "claude-haiku-*"))

    assert done == "claude-haiku-* stands for sim/fast.\n"
    assert found == {"aliases": [{"name": "claude-haiku-*", "target": "sim/fast"}]}
    assert removed == "Removed claude-haiku-*.\n"


def test_known_providers_are_listed_with_the_variables_of_their_keys(omniroute: Run) -> None:
    shown = well(omniroute("providers", "known"))
    rows = listed(omniroute("providers", "known", "--json"))

    assert "GROQ_API_KEY" in shown
    assert {row["name"] for row in rows} >= {"openai", "azure-openai", "vertex", "bedrock"}


def test_a_key_may_be_a_file_and_a_service_account_knows_its_project(
    omniroute: Run, tmp_path: Path
) -> None:
    file = tmp_path / "key.json"
    secret = "-----BEGIN PRIVATE KEY-----\nfake-private-key\n-----END PRIVATE KEY-----\n"
    document = {"project_id": "acme-1", "client_email": "a@acme-1.example", "private_key": secret}
    file.write_text(json.dumps(document, indent=2))

    added = omniroute("providers", "add", "vertex", "--key-file", str(file), "--json")
    gone = omniroute("providers", "add", "vertex", "--key-file", str(tmp_path / "no.json"))

    assert "/projects/acme-1/locations/global/publishers/google" in listed(added)["base_url"]
    assert "fake-private-key" not in added.stdout + added.stderr
    assert "cannot be read" in gone.stderr


def test_a_proxys_password_comes_from_a_variable_and_is_shown_nowhere(tmp_path: Path) -> None:
    url = "http://someone:sk-fake-hidden@127.0.0.1:9"
    environment = plain_environment(tmp_path, PORT=str(free_port()), TEAM_PROXY=url)
    words = ["providers", "add", "box", "--base-url", "https://api.test/v1", "--no-key"]
    words += ["--dialect", "openai_chat"]

    refused = run_command(*words, "--proxy", url, environment=environment)
    unset = run_command(*words, "--proxy-from", "NO_SUCH", environment=environment)
    wrong = run_command(*words, "--proxy", "socks4://127.0.0.1", environment=environment)
    added = run_command(*words, "--proxy-from", "TEAM_PROXY", "--json", environment=environment)
    shown = run_command("providers", "list", environment=environment)
    tested = run_command("providers", "test", "box", "--json", environment=environment)

    assert "--proxy-from" in refused.stderr
    assert "NO_SUCH is not set" in unset.stderr
    assert "must begin with http://, https:// or socks5://" in wrong.stderr
    assert listed(added)["proxy"] == "http://127.0.0.1:9"
    assert "https://api.test/v1 via http://127.0.0.1:9" in well(shown)
    everything = "".join(one.stdout + one.stderr for one in (refused, added, shown, tested))
    assert "sk-fake" not in everything


def test_the_simulator_answers_a_test(omniroute: Run) -> None:
    found = listed(omniroute("providers", "test", "sim", "--json"))

    assert found["sim"]["ok"] is True


def test_an_account_that_is_not_there_is_not_found(omniroute: Run) -> None:
    done = omniroute("providers", "remove", "nobody")

    assert "no account is named 'nobody'" in done.stderr
    assert done.returncode == 1


def test_a_combo_is_added_shown_used_replaced_and_removed(omniroute: Run) -> None:
    added = omniroute(
        *("combos", "add", "mine", "sim/fast=2", "sim/smart=1", "--strategy", "weighted")
    )
    answer = omniroute("chat", "--model", "mine", "hello", "there")
    replaced = omniroute("combos", "add", "mine", "sim/smart", "--description", "one alone")
    combo = listed(omniroute("combos", "show", "mine", "--json"))
    names = [one["name"] for one in listed(omniroute("combos", "list", "--json"))["combos"]]
    removed = omniroute("combos", "remove", "mine")
    gone = omniroute("combos", "show", "mine")

    assert "'mine'" in well(added)
    assert "hello there" in well(answer)
    assert well(replaced)
    assert combo["models"] == [{"target": "sim/smart", "weight": 0}]
    assert (combo["strategy"], combo["description"]) == ("priority", "one alone")
    assert "mine" in names
    assert well(removed) == "Removed mine.\n"
    assert "no combo is named 'mine'" in gone.stderr
    assert gone.returncode == 1


def test_a_combo_is_switched_off_and_on_also_a_starter(omniroute: Run) -> None:
    well(omniroute("combos", "add", "mine", "sim/smart", "--retries", "2"))

    off = omniroute("combos", "switch", "mine", "off")
    asked = omniroute("chat", "--model", "mine", "hello")
    starter = listed(omniroute("combos", "switch", "quality", "off", "--json"))
    removed = omniroute("combos", "remove", "quality")
    states = {one["name"]: one for one in listed(omniroute("combos", "list", "--json"))["combos"]}
    on = omniroute("combos", "switch", "mine", "on")
    kept = listed(omniroute("combos", "show", "mine", "--json"))
    own = omniroute("combos", "add", "quality", "sim/fast")
    wrong = omniroute("combos", "switch", "mine", "maybe")
    nobody = omniroute("combos", "switch", "nobody", "on")

    assert "mine is off" in well(off)
    assert "`omniroute combos switch mine on`" in asked.stderr
    assert (asked.returncode, asked.stdout) == (1, "")
    assert (starter["combo_id"], starter["active"]) == ("starter-quality", False)
    assert "omniroute combos switch quality off" in removed.stderr
    assert (states["mine"]["active"], states["quality"]["active"]) == (False, False)
    assert "mine is on" in well(on)
    assert (kept["active"], kept["retries"]) == (True, 2)
    assert "'quality'" in well(own)
    assert "on or off, not 'maybe'" in wrong.stderr
    assert "no combo is named 'nobody'" in nobody.stderr


def test_a_combo_is_added_with_all_its_settings(omniroute: Run) -> None:
    given = {
        "attempts_max": 2,
        "first_byte_s": 5.0,
        "total_s": 50.0,
        "retries": 1,
        "retry_delay_s": 0.5,
        "concurrency_per_model": 3,
        "queue_s": 7.5,
        "session_s": 0.0,
        "hedge_percentile": 95,
    }
    options = [
        word
        for name, value in given.items()
        for word in (f"--{name.replace('_', '-')}", f"{value:g}")
    ]

    added = omniroute("combos", "add", "mine", "sim/fast", "--inactive", *options)
    shown = listed(omniroute("combos", "show", "mine", "--json"))
    page = omniroute("combos", "show", "mine")
    wrong = omniroute("combos", "add", "mine", "sim/fast", "--queue-s", "soon")
    far = omniroute("combos", "add", "mine", "sim/fast", "--retries", "11")

    assert well(added)
    assert {name: shown[name] for name in given} == given
    assert not shown["active"]
    assert "concurrency_per_model" in well(page)
    assert "--queue-s is a number of seconds" in wrong.stderr
    assert "retries is 0 to 10" in far.stderr


def test_a_strategy_that_is_none_is_refused_with_those_that_are(omniroute: Run) -> None:
    done = omniroute("combos", "add", "x", "sim/fast", "--strategy", "magic")

    assert "priority" in done.stderr
    assert (done.returncode, done.stdout) == (1, "")


def test_a_resilience_profile_is_shown_set_and_kept(omniroute: Run) -> None:
    before = listed(omniroute("resilience", "show", "--json"))["profile"]
    changed = omniroute("resilience", "set", "aggressive")
    shown = omniroute("resilience", "show")
    after = listed(omniroute("resilience", "show", "--json"))["profile"]
    wrong = omniroute("resilience", "set", "reckless")

    assert (before, after) == ("balanced", "aggressive")
    assert well(changed) == "The resilience profile is aggressive.\n"
    row = next(line for line in well(shown).splitlines() if line.startswith("aggressive"))
    assert re.split(r"\s{2,}", row) == [
        *("aggressive", "in force", "3", "15.0 s", "2.0 s", "1.0 s", "3 times"),
        *("180", "100 ms", "16"),
    ]
    assert "there are conservative, balanced, aggressive" in wrong.stderr
    assert wrong.returncode == 1


def test_what_is_added_to_chats_is_set_shown_and_taken_back(omniroute: Run) -> None:
    before = omniroute("shaping", "show")
    put = omniroute("shaping", "system-prompt", "Be", "brief.")
    bounded = omniroute("shaping", "thinking", "custom", "--tokens", "8000")
    shown = listed(omniroute("shaping", "show", "--json"))
    off = omniroute("shaping", "system-prompt", "--off")
    wrong = omniroute("shaping", "thinking", "deep")
    neither = omniroute("shaping", "system-prompt")

    assert well(before) == "System prompt: none\nThinking: as much as each chat asks for\n"
    assert well(put) == "Chats get this system prompt first.\n"
    assert well(bounded) == "Thinking: at most 8000 tokens, where a chat asks for it\n"
    assert shown == {
        "system_prompt": "Be brief.",
        "thinking": {"mode": "custom", "customBudget": 8000},
    }
    assert well(off) == "Chats get no system prompt from the gateway.\n"
    assert "there are passthrough, auto, custom, adaptive" in wrong.stderr
    assert "--off" in neither.stderr


def test_a_chat_is_answered_and_its_story_told(omniroute: Run) -> None:
    chat = omniroute("chat", "--system", "Be brief.", "Why", "is the sky blue?")
    story = listed(omniroute("explain", "--last", "--json"))
    told = omniroute("explain", story["request"]["request_id"])

    assert "Why is the sky blue?" in well(chat)
    assert "[answered by sim/" in chat.stderr
    assert f"omniroute explain {story['request']['request_id']}" in chat.stderr
    assert story["request"]["status"] == "answered"
    assert story["usage_source"] == "reported"
    assert all(one["reason"] for one in story["candidates"])
    assert "Candidates" in well(told)
    assert "Attempts" in told.stdout


def test_a_prompt_is_read_from_standard_input(omniroute: Run) -> None:
    done = omniroute("chat", stdin="one line\nand another")

    assert "and another" in well(done)


def test_a_model_that_is_not_there_ends_with_the_gateways_own_words(omniroute: Run) -> None:
    done = omniroute("chat", "--model", "nowhere/nothing", "hi")

    assert "nowhere/nothing" in done.stderr
    assert (done.returncode, done.stdout) == (1, "")


def test_a_request_that_is_not_there_is_not_found(omniroute: Run) -> None:
    unknown = omniroute("explain", "req_unknown")
    last = omniroute("explain", "--last")

    assert "no request 'req_unknown'" in unknown.stderr
    assert "there are no requests yet" in last.stderr
    assert (unknown.returncode, last.returncode) == (1, 1)


def test_doctor_and_system_info_tell_what_is_there_without_secrets(
    omniroute: Run, tmp_path: Path
) -> None:
    omniroute("providers", "add", "groq", stdin="sk-fake-0123456789\n")
    report = tmp_path / "report.txt"

    found = omniroute("doctor", "--json")
    wrote = omniroute("system-info", "--out", str(report))

    whats = [one["what"] for one in listed(found)["findings"]]
    assert "groq at https://api.groq.com/openai/v1: key ...6789 from the database" in whats
    assert "port" in {one["name"] for one in listed(found)["settings"]}
    assert f"Wrote {report}" in well(wrote)
    assert "storage.sqlite" in report.read_text()
    assert "sk-fake" not in found.stdout + report.read_text()


def test_status_says_how_a_running_gateway_is(tmp_path: Path) -> None:
    with gateway(tmp_path, GROQ_API_KEY="sk-fake-0123456789") as running:
        shown = running.command("status")
        found = listed(running.command("status", "--json"))
        looked = running.command("doctor")

    assert f"at {running.url}, process {running.process.pid}" in well(shown)
    assert found["running"] is True
    assert found["status"]["simulated_only"] is False
    assert f"a gateway runs at {running.url}" in well(looked)
    assert "key ...6789 from GROQ_API_KEY" in looked.stdout
    assert "sk-fake" not in looked.stdout


def test_status_without_a_gateway_ends_with_69(tmp_path: Path) -> None:
    environment = plain_environment(tmp_path)

    shown = run_command("status", environment=environment)
    found = run_command("status", "--json", environment=environment)

    assert "No gateway runs" in shown.stderr
    assert json.loads(found.stdout)["running"] is False
    assert (shown.returncode, found.returncode) == (69, 69)


def test_what_a_dead_gateway_left_is_passed_over(tmp_path: Path) -> None:
    environment = plain_environment(tmp_path)
    # A process that lives and has nothing to do with us, and a port where nobody listens.
    write_running(
        tmp_path / "data", Running(os.getpid(), f"http://127.0.0.1:{free_port()}", "fake-token")
    )

    keys = run_command("keys", "list", environment=environment)
    looked = run_command("doctor", "--port", str(free_port()), environment=environment)

    assert well(keys).startswith("There are no keys.")
    assert "left its runtime file" in well(looked)


def test_a_gateway_that_lives_and_is_silent_is_waited_for_and_then_named(tmp_path: Path) -> None:
    environment = plain_environment(tmp_path)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        write_running(tmp_path / "data", Running(os.getpid(), url, "fake-token"))

        keys = run_command("keys", "list", environment=environment)

    assert f"the gateway at {url} (process {os.getpid()}) does not answer" in keys.stderr
    assert (keys.returncode, keys.stdout) == (69, "")


def test_another_server_on_a_dead_gateways_port_never_sees_the_token(tmp_path: Path) -> None:
    environment = plain_environment(tmp_path)
    heard: list[bytes] = []
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        other.settimeout(30)
        url = f"http://127.0.0.1:{other.getsockname()[1]}"
        write_running(tmp_path / "data", Running(os.getpid(), url, "fake-token"))
        answering = threading.Thread(target=answer_once, args=(other, heard))
        answering.start()

        keys = run_command("keys", "list", environment=environment)
        answering.join(30)

    assert well(keys).startswith("There are no keys.")
    assert heard[0].startswith(b"GET /health ")
    assert b"fake-token" not in heard[0]


def answer_once(listener: socket.socket, heard: list[bytes]) -> None:
    """Answer one request as a web server that knows nothing of us."""
    connection, _ = listener.accept()
    with connection:
        heard.append(connection.recv(65536))
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello")


def test_a_key_that_is_needed_does_not_keep_the_owner_out(tmp_path: Path) -> None:
    with gateway(tmp_path) as running:
        running.new_key("--name", "first")

        keys = running.command("keys", "list", "--json")
        answer = running.command("chat", "hello")

    assert [one["name"] for one in listed(keys)["keys"]] == ["first"]
    assert "hello" in well(answer)


def test_a_budget_is_set_shown_changed_and_removed(omniroute: Run) -> None:
    key = listed(omniroute("keys", "add", "--name", "intern", "--json"))["key"]["key_id"]

    made = listed(omniroute("budgets", "set", key, "5", "--period", "month", "--json"))
    changed = omniroute("budgets", "set", key, "$2.50", "--period", "month", "--warn-at", "50%")
    found = listed(omniroute("budgets", "list", "--json"))["budgets"]
    shown = omniroute("budgets", "list")
    removed = omniroute("budgets", "remove", made["budget_id"])
    again = omniroute("budgets", "remove", made["budget_id"])

    assert (made["key_id"], made["terms"]["cap_usd_nanos"]) == (key, 5_000_000_000)
    assert "key " + key + " may spend $2.50 (each month, UTC); $2.50 is left" in well(changed)
    assert [(one["budget_id"], one["terms"]["warn_percent"]) for one in found] == [
        (made["budget_id"], 50)
    ]
    assert "$2.50" in well(shown)
    assert well(removed) == f"Removed {made['budget_id']}.\n"
    assert "no budget has the id" in again.stderr


def test_a_key_can_be_made_with_its_budget_and_takes_it_along(omniroute: Run) -> None:
    made = listed(
        omniroute("keys", "add", "--budget-usd", "5", "--budget-period", "month", "--json")
    )
    wrong = omniroute("keys", "add", "--budget-usd", "5", "--budget-period", "week")
    found = listed(omniroute("budgets", "list", "--json"))["budgets"]
    omniroute("keys", "remove", made["key"]["key_id"])

    assert [(one["key_id"], one["terms"]["period"], one["left_usd_nanos"]) for one in found] == [
        (made["key"]["key_id"], "month", 5_000_000_000)
    ]
    assert "period is one of" in wrong.stderr
    assert len(listed(omniroute("keys", "list", "--json"))["keys"]) == 0
    assert listed(omniroute("budgets", "list", "--json"))["budgets"] == []


def test_a_budget_of_nobody_is_refused(omniroute: Run) -> None:
    done = omniroute("budgets", "set", "nobody", "5")

    assert "no key has the id 'nobody'" in done.stderr
    assert done.returncode == 1


def test_a_round_robin_goes_on_after_a_restart_where_it_was(tmp_path: Path) -> None:
    environment = plain_environment(tmp_path, PORT=str(free_port()))

    def run(*words: str) -> "subprocess.CompletedProcess[str]":
        return run_command(*words, environment=environment)

    well(run("combos", "add", "turns", "sim/fast", "sim/smart", "--strategy", "round-robin"))
    models: list[str] = []
    for _ in range(3):
        # Without a running gateway each command is a process of its own.
        well(run("chat", "--model", "turns", "hello"))
        models.append(listed(run("explain", "--last", "--json"))["attempts"][-1]["candidate"])
    assert models == ["sim/fast", "sim/smart", "sim/fast"]
