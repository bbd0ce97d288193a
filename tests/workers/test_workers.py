"""Several workers on one port: to a client they are one gateway, and a dead one is not missed."""

import os
import re
import signal
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest

from omniroute.server.cli.exits import CONFIGURATION, UNAVAILABLE
from omniroute.server.runtime_file import read_running
from tests.processes import (
    OMNIROUTE,
    RunningGateway,
    free_port,
    plain_environment,
    run_command,
)

from .clients import (
    CHAT,
    answered_by_worker,
    at_once,
    chat_body,
    clients,
    log_of,
    until,
    workers,
    workers_of,
)

SLOW = "sim/fast@latency=0,pace=0.05"
ENDLESS = "sim/fast@latency=0,pace=20"
HELLO = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
}


def test_connections_are_spread_evenly_and_the_start_is_said_once(tmp_path: Path) -> None:
    with workers(tmp_path) as running, clients(running.port, 8) as eight:
        heard = at_once([one.chat for one in eight])
        until(lambda: sum(answered_by_worker(running)) == 8)
        even = answered_by_worker(running)
        found = read_running(running.data_dir)
        said = log_of(running)

    assert [one.status for one in heard] == [200] * 8
    assert even == [4, 4]
    assert said.count("is running.") == 1
    assert found is not None
    assert found.pid == running.process.pid
    assert read_running(running.data_dir) is None


def test_a_worker_that_is_killed_is_replaced_and_the_others_answer_on(tmp_path: Path) -> None:
    with workers(tmp_path) as running:
        first, second = workers_of(running)

        os.kill(first, signal.SIGKILL)
        answers = [running.call("GET", "/health").status for _ in range(20)]
        until(lambda: len(workers_of(running)) == 2 and first not in workers_of(running))
        until(lambda: len(shares(running)) == 2)
        replaced, said = workers_of(running), log_of(running)
        status = running.command("status")

    assert answers == [200] * 20
    assert second in replaced
    assert re.search(rf"worker_ended worker=0 process_id={first} .* signal=SIGKILL", said)
    assert f"process {running.process.pid}" in status.stdout
    listed = re.search(r"workers +2, processes ([0-9]+), ([0-9]+)\n", status.stdout)
    assert listed is not None
    assert sorted(map(int, listed.groups())) == sorted(replaced)


def shares(running: RunningGateway) -> list[int]:
    """Ask on connections of their own, and give how many requests each worker has answered."""
    with clients(running.port, 8) as eight:
        for one in eight:
            assert one.chat().status == 200
    return answered_by_worker(running)


def test_a_connection_that_waits_while_a_worker_dies_is_answered(tmp_path: Path) -> None:
    with workers(tmp_path) as running:
        first, second = workers_of(running)
        for one in (first, second):
            os.kill(one, signal.SIGSTOP)
        waiting = [socket.create_connection(("127.0.0.1", running.port)) for _ in range(8)]
        for connection in waiting:
            connection.sendall(b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n")

        os.kill(first, signal.SIGKILL)
        os.kill(second, signal.SIGCONT)
        for connection in waiting:
            connection.settimeout(30.0)
        heard = [connection.recv(1000) for connection in waiting]
        for connection in waiting:
            connection.close()

    assert [one.split(b"\r\n")[0] for one in heard] == [b"HTTP/1.1 200 OK"] * 8


def test_a_wish_to_end_drains_all_workers(tmp_path: Path) -> None:
    with workers(tmp_path) as running, clients(running.port, 4) as four:
        begun = [one.begin("POST", CHAT, chat_body(SLOW, stream=True)) for one in four]
        running.process.send_signal(signal.SIGTERM)
        bodies = [one.read() for one in begun]
        status = running.process.wait(30.0)

    assert [one.endswith(b"data: [DONE]\n\n") for one in bodies] == [True] * 4
    assert status == 0
    assert read_running(running.data_dir) is None


def test_a_second_signal_ends_all_at_once(tmp_path: Path) -> None:
    with workers(tmp_path) as running, clients(running.port, 2) as two:
        begun = [one.begin("POST", CHAT, chat_body(ENDLESS, stream=True)) for one in two]
        running.process.send_signal(signal.SIGINT)
        until(lambda: refuses(running.port))
        running.process.send_signal(signal.SIGINT)
        began_s = time.monotonic()
        running.process.wait(30.0)
        took_s = time.monotonic() - began_s

    assert len(begun) == 2
    assert took_s < 10.0
    assert workers_gone(running)


def refuses(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return True
    return False


def workers_gone(running: RunningGateway) -> bool:
    port = f"--port\0{running.port}\0".encode()
    found = []
    for one in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # It ended a moment ago.
            found.append(one.read_bytes())
    return not any(port in one for one in found)


def test_workers_whose_supervisor_is_gone_end_as_well(tmp_path: Path) -> None:
    with workers(tmp_path) as running:
        running.process.kill()
        running.process.wait(10.0)
        until(lambda: workers_gone(running))

    assert workers_gone(running)


def test_a_gateway_whose_workers_die_again_and_again_gives_up(tmp_path: Path) -> None:
    with workers(tmp_path) as running:
        killed: set[int] = set()
        while running.process.poll() is None:
            for one in set(workers_of(running)) - killed:
                os.kill(one, signal.SIGKILL)
                killed.add(one)
            time.sleep(0.01)
        status = running.process.wait(1.0)

    assert status == UNAVAILABLE
    assert "worker_ended_gave_up" in log_of(running)


def test_an_idle_gateway_ends_only_when_all_workers_are_idle(tmp_path: Path) -> None:
    with workers(tmp_path, OMNIROUTE_EXIT_WHEN_IDLE_S="1") as running:
        with clients(running.port, 1) as (one,):
            heard = one.chat("sim/fast@latency=3")
        status = running.process.wait(20.0)

    assert heard.status == 200
    assert status == 0
    assert log_of(running).count("idle_exit") == 1


def test_what_stops_the_start_is_said_once_with_its_status(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("no folder")

    done = run_command("--workers", "3", environment=plain_environment(tmp_path))

    assert done.stderr.count("cannot use the data folder") == 1
    assert (done.returncode, done.stdout) == (CONFIGURATION, "")


def test_the_first_key_is_made_and_said_once(tmp_path: Path) -> None:
    with workers(tmp_path, "--host", "0.0.0.0") as running:
        listed = running.command("keys", "list", "--json")

    assert log_of(running).count("shown this once") == 1
    assert listed.stdout.count('"key_id"') == 1


def test_no_session_is_kept_for_older_mcp_clients(tmp_path: Path) -> None:
    with workers(tmp_path) as running:
        accept = {"accept": "application/json, text/event-stream"}
        heard = running.call("POST", "/mcp", HELLO, headers=accept)

    assert heard.status == 200
    assert "mcp-session-id" not in {name.lower() for name in heard.headers}


@pytest.mark.parametrize("number", ["0", "65", "two", "-1"])
def test_a_number_of_workers_that_cannot_be_is_refused(tmp_path: Path, number: str) -> None:
    done = run_command(f"--workers={number}", environment=plain_environment(tmp_path))

    assert "--workers" in done.stderr
    assert "give a number from 1 to 64" in done.stderr
    assert done.returncode == CONFIGURATION


def test_a_taken_port_starts_no_worker(tmp_path: Path) -> None:
    port = free_port()
    with socket.create_server(("127.0.0.1", port)):
        done = subprocess.run(
            [*OMNIROUTE, "--workers", "2", "--port", str(port)],
            env=plain_environment(tmp_path),
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    assert "Cannot listen on" in done.stderr
    assert done.returncode == UNAVAILABLE
