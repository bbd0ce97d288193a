"""The command as a user starts it: help, versions, mistakes, and how it ends."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from omniroute.server.cli.commands import COMMANDS
from omniroute.server.store.schema import HEAD
from tests.processes import COMMAND_S_MAX, OMNIROUTE, free_port, plain_environment, run_command

from .test_doctor_facts import make_database

HELP_S_MAX = 0.6
"""Twice the true bound, as the machine may be busy."""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Give the environment of a machine on which nothing was ever set up."""
    return plain_environment(tmp_path)


def test_the_version_is_said(environment: dict[str, str]) -> None:
    done = run_command("--version", environment=environment)

    assert done.stdout.startswith("omniroute 0.")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("path", ["", *(row.path for row in COMMANDS)])
def test_help_is_the_pinned_one(environment: dict[str, str], path: str) -> None:
    name = f"omniroute{'-' if path else ''}{path.replace(' ', '-')}.txt"
    pinned = Path(__file__).parent / "help" / name

    done = run_command(*path.split(), "--help", environment=environment)

    assert done.stdout == pinned.read_text(encoding="utf-8")
    assert done.returncode == 0


def test_help_answers_at_once(environment: dict[str, str]) -> None:
    times = []
    for _ in range(5):
        began_s = time.monotonic()
        run_command("--help", environment=environment)
        times.append(time.monotonic() - began_s)

    assert min(times) <= HELP_S_MAX


def test_help_imports_nothing_heavy(environment: dict[str, str]) -> None:
    done = subprocess.run(
        [OMNIROUTE[0], "-X", "importtime", *OMNIROUTE[1:], "--help"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=COMMAND_S_MAX,
        check=True,
    )

    names = {line.rpartition("|")[2].strip().split(".")[0] for line in done.stderr.splitlines()}
    assert names & {"asyncio", "msgspec", "starlette", "httpx", "sqlite3", "ssl", "anyio"} == set()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("frobnicate",), "invalid choice: 'frobnicate'"),
        (("keys",), "the following arguments are required: command"),
        (("keys", "frobnicate"), "invalid choice: 'frobnicate'"),
        (("keys", "add", "--naem", "x"), "unrecognized arguments: --naem x"),
        (("combos", "add", "one"), "required: model"),
        (("simulator", "--port", "x"), "'x' is no port"),
        (("explain",), "give a request's id, or --last"),
        (("explain", "req_1", "--last"), "give a request's id, or --last"),
        (("keys", "add", "--expires", "soon"), "--expires 'soon' is no time"),
        (("providers", "add", "groq", "--key", "sk-fake"), "stays in the shell's history"),
        (("providers", "add", "groq", "--header", "x"), "--header is NAME=VALUE"),
        (("chat",), "no prompt was given"),
    ],
)
def test_a_wrong_command_line_ends_with_status_2(
    environment: dict[str, str], words: tuple[str, ...], said: str
) -> None:
    done = run_command(*words, environment=environment, stdin="sk-fake\n" if "add" in words else "")

    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert (done.returncode, done.stdout) == (2, "")


def test_nothing_is_made_by_a_command_line_that_is_wrong(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    run_command("keys", "add", "--expires", "soon", environment=environment)
    run_command("serve", "--port", "x", environment=environment)

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"PORT": "eighty"}, "PORT in the environment is 'eighty': give a number"),
        ({"API_PORT": "20131"}, "API_PORT in the environment: one listener serves everything"),
        ({"CORS_ORIGIN": "*"}, "every web page"),
    ],
)
def test_a_wrong_setting_ends_with_status_78_and_starts_nothing(
    tmp_path: Path, environment: dict[str, str], variables: dict[str, str], words: str
) -> None:
    done = run_command("serve", environment={**environment, **variables})

    assert done.stderr.startswith("omniroute: ")
    assert words in done.stderr
    assert (done.returncode, done.stdout) == (78, "")
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_flag_says_that_it_was_a_flag(environment: dict[str, str]) -> None:
    done = run_command("--port", "x", "serve", environment={**environment, "PORT": "1"})

    assert done.stderr == (
        "omniroute: --port is 'x': give a number from 0 to 65535, such as 20128\n"
    )


def test_a_database_of_a_newer_version_ends_with_status_78(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    make_database(folder, "9999")

    done = run_command("keys", "list", environment=environment)
    looked = run_command("doctor", environment=environment)

    assert "has schema 9999" in done.stderr
    assert HEAD in done.stderr
    assert done.returncode == 78
    assert "has schema 9999" in looked.stdout
    assert looked.returncode == 1


def test_a_data_folder_that_is_a_file_ends_with_status_78(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    (tmp_path / "data").write_text("no folder")

    done = run_command("keys", "list", environment=environment)

    assert "cannot use the data folder" in done.stderr
    assert (done.returncode, done.stdout) == (78, "")


def test_doctor_on_a_fresh_machine_makes_nothing_and_finds_no_error(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    done = run_command("doctor", "--port", str(free_port()), environment=environment)

    assert done.returncode == 0, done.stdout
    assert "answers come from the simulator" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_reader_that_has_seen_enough_ends_the_command_quietly(
    environment: dict[str, str],
) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as closed:
        done = subprocess.run(
            [*OMNIROUTE, "system-info", "--out", "-"],
            env=environment,
            stdout=closed,
            stderr=subprocess.PIPE,
            timeout=COMMAND_S_MAX,
            check=False,
        )

    assert (done.returncode, done.stderr) == (0, b"")


HEEDING_SIGINT = (
    "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); "
    "os.execv(sys.argv[1], sys.argv[1:])"
)
"""Runs a command that heeds SIGINT although the tests' own shell may have it ignored."""


def test_ctrl_c_ends_a_command_with_status_130(environment: dict[str, str]) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HEEDING_SIGINT, *OMNIROUTE, "chat"],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        # It waits for its prompt once it reads; before, the interpreter itself is starting.
        _await_reading(process)
        process.send_signal(signal.SIGINT)
        status = process.wait(COMMAND_S_MAX)
        said = process.stderr.read()

    assert (status, said) == (130, b"")


def _await_reading(process: "subprocess.Popen[bytes]") -> None:
    """Wait until the process sleeps in a read of its standard input (Linux), or a while."""
    ends_s = time.monotonic() + COMMAND_S_MAX
    while time.monotonic() < ends_s:
        try:
            call = Path(f"/proc/{process.pid}/syscall").read_text().split()
        except OSError:
            time.sleep(1.0)
            return
        # Number 0 is read on x86-64 and 63 on arm64; its first argument is the descriptor.
        if call[0] in ("0", "63") and call[1] == "0x0":
            return
        time.sleep(0.01)
