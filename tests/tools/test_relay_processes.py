"""`omniroute --mcp` with whole processes: its start, its end, and what reaches standard output."""

import json
import os
import signal
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.processes import OMNIROUTE, RunningGateway, free_port, gateway

from .relays import WAIT_S, Relay, alone, gateways_of, pid_of, relay, wait_until_ended

ASK: dict[str, Any] = {
    "model": "auto",
    "messages": [{"role": "user", "content": "say hello"}],
}
SLOW: dict[str, Any] = {**ASK, "model": "sim/fast@latency=60"}
READY_S = 0.6
"""Twice the figure that is asked for: tests share their machine."""


def test_the_relay_is_ready_at_once(shared_gateway: RunningGateway) -> None:
    took: list[float] = []

    for _ in range(3):
        begun = time.perf_counter()
        with relay(shared_gateway.environment) as one:
            one.say("not a message")
            one.hear()
            took.append(time.perf_counter() - begun)

    assert min(took) < READY_S


def test_a_relay_starts_the_gateway_that_is_missing_and_another_when_it_dies(
    tmp_path: Path,
) -> None:
    with alone(tmp_path) as environment, relay(environment) as one:
        one.initialize()
        first = pid_of(tmp_path)
        os.kill(first, signal.SIGKILL)
        wait_until_ended(psutil.Process(first))

        one.call(1, "omniroute_get_health", {})
        heard = one.answer(1)

        assert "result" in heard, heard
        assert pid_of(tmp_path) != first


def test_two_relays_at_once_start_one_gateway(tmp_path: Path) -> None:
    with alone(tmp_path) as environment, relay(environment) as one, relay(environment) as two:
        one.initialize()
        two.initialize()

        assert len(gateways_of(tmp_path)) == 1


def test_a_runtime_file_that_names_a_stranger_does_not_keep_a_gateway_from_starting(
    tmp_path: Path,
) -> None:
    runtime = tmp_path / "data" / "runtime"
    runtime.mkdir(parents=True, mode=0o700)
    claim = {"pid": os.getpid(), "url": f"http://127.0.0.1:{free_port()}", "token": "fake"}
    (runtime / "gateway.json").write_text(json.dumps(claim))

    with alone(tmp_path) as environment, relay(environment) as one:
        one.initialize()

        assert len(gateways_of(tmp_path)) == 1


def test_a_gateway_that_cannot_start_is_told_with_its_words(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.write_text("this is no folder")

    with alone(tmp_path) as environment, relay(environment) as one:
        one.say({"jsonrpc": "2.0", "id": 1, "method": "tools/list"})
        heard = one.hear()

    assert heard["error"]["code"] == -32603
    assert str(data) in heard["error"]["message"]


def test_the_end_of_input_ends_the_relay_and_what_it_runs(
    running_gateway: RunningGateway,
) -> None:
    with relay(running_gateway.environment) as one:
        one.initialize()
        one.call(1, "omniroute_route_request", SLOW)
        wait_until_busy(running_gateway)
        begun = time.perf_counter()
        assert one.process.stdin is not None
        one.process.stdin.close()

        assert one.process.wait(WAIT_S) == 0
        assert time.perf_counter() - begun < 1.0

    assert recorded(running_gateway) == "client_gone"


CLIENTS = 100
AT_ONCE = 10
STARTER = ("sh", "-c", 'exec 3<&0; "$@" <&3 & wait', "sh")
"""It starts a relay, and is not who holds the other end of its input."""
CLIENT = (*STARTER, *OMNIROUTE, "--mcp")
WITHOUT_PIDFD = """
import os, sys
from omniroute.server.cli.main import main
def refused(pid, flags=0):
    raise PermissionError
os.pidfd_open = refused
sys.exit(main(["--mcp"]))
"""
MODERN = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}


def only_started(one: Relay) -> None:
    one.say("not a message")
    one.hear()


def in_a_session(one: Relay) -> None:
    one.initialize()


def calling_in_the_older_era(one: Relay) -> None:
    one.initialize()
    one.call(1, "omniroute_route_request", SLOW)


def calling_in_the_newer_era(one: Relay) -> None:
    one.call(1, "omniroute_route_request", SLOW, MODERN)
    only_started(one)


def not_reading(one: Relay) -> None:
    for _ in range(2000):
        one.say("not a message")
    one.is_heard()


STATES = (
    only_started,
    in_a_session,
    calling_in_the_older_era,
    calling_in_the_newer_era,
    not_reading,
)


def test_of_a_hundred_relays_each_ends_within_a_second_of_its_client(
    running_gateway: RunningGateway,
) -> None:
    took_s: list[float] = []

    for _ in range(CLIENTS // AT_ONCE):
        with ExitStack() as stack:
            states = [STATES[number % len(STATES)] for number in range(AT_ONCE)]
            clients = [
                stack.enter_context(
                    relay(running_gateway.environment, *CLIENT, listens=state is not not_reading)
                )
                for state in states
            ]
            for one, state in zip(clients, states, strict=True):
                state(one)
            relays = [child_of(one) for one in clients]
            began_s = time.monotonic()
            for one in clients:
                one.process.kill()
            for process in relays:
                wait_until_ended(process)
                took_s.append(time.monotonic() - began_s)

    assert len(took_s) == CLIENTS
    assert max(took_s) < 1.0


def test_where_the_kernel_does_not_tell_of_a_clients_end_it_is_looked_for(
    shared_gateway: RunningGateway,
) -> None:
    client = (*STARTER, sys.executable, "-c", WITHOUT_PIDFD)
    with relay(shared_gateway.environment, *client) as one:
        in_a_session(one)
        started = child_of(one)
        began_s = time.monotonic()
        one.process.kill()
        wait_until_ended(started)

        assert time.monotonic() - began_s < 1.0


def child_of(client: Relay) -> psutil.Process:
    (child,) = psutil.Process(client.process.pid).children()
    return child


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_the_relay_and_what_it_runs(
    running_gateway: RunningGateway, number: int
) -> None:
    with relay(running_gateway.environment) as one:
        one.initialize()
        one.call(1, "omniroute_route_request", SLOW)
        wait_until_busy(running_gateway)
        began_s = time.monotonic()
        one.process.send_signal(number)

        assert one.process.wait(WAIT_S) == 0
        assert time.monotonic() - began_s < 1.0

    assert recorded(running_gateway) == "client_gone"


def test_a_gateway_does_not_wait_for_clients_that_only_listen(tmp_path: Path) -> None:
    with gateway(tmp_path) as running, relay(running.environment) as one:
        one.initialize()
        wait_until_listening(one)
        began_s = time.monotonic()
        running.process.terminate()

        assert running.process.wait(WAIT_S) == 0
        assert time.monotonic() - began_s < 5.0


def test_a_gateway_that_ends_takes_its_leave_of_who_listens_in_the_newer_era(
    tmp_path: Path,
) -> None:
    with gateway(tmp_path) as running, relay(running.environment) as one:
        follows = {"notifications": {"toolsListChanged": True}, "_meta": MODERN}
        one.say({"jsonrpc": "2.0", "id": 1, "method": "subscriptions/listen", "params": follows})
        assert one.hear()["method"] == "notifications/subscriptions/acknowledged"
        began_s = time.monotonic()
        running.process.terminate()

        assert "result" in one.answer(1)
        assert running.process.wait(WAIT_S) == 0
        assert time.monotonic() - began_s < 5.0


def test_a_client_that_only_listens_keeps_no_gateway_running_and_finds_the_next(
    tmp_path: Path,
) -> None:
    with alone(tmp_path) as environment, relay(environment) as one:
        with gateway(tmp_path, "--exit-when-idle", "1") as running:
            one.initialize()
            wait_until_listening(one)
            assert running.process.wait(WAIT_S) == 0
        one.call(1, "omniroute_get_health", {})

        assert one.answer(1)["result"]["isError"] is False
        wait_until_listening(one)


def test_two_clients_at_once_share_one_gateway(tmp_path: Path) -> None:
    with alone(tmp_path) as environment, relay(environment) as one, relay(environment) as two:
        one.initialize()
        two.call(1, "omniroute_route_request", ASK, MODERN)
        one.call(1, "omniroute_route_request", ASK)
        answers = [one.answer(1), two.answer(1)]
        first, second = (
            answer["result"]["structuredContent"]["routing"]["requestId"] for answer in answers
        )
        one.call(2, "omniroute_explain_route", {"requestId": second})
        two.call(2, "omniroute_explain_route", {"requestId": first}, MODERN)

        told = [one.answer(2), two.answer(2)]
        assert [answer["result"]["structuredContent"]["status"] for answer in told] == [
            "answered"
        ] * 2
        assert len(gateways_of(tmp_path)) == 1


def test_a_cancelled_call_ends_at_the_gateway_and_is_never_answered(
    running_gateway: RunningGateway,
) -> None:
    with relay(running_gateway.environment) as one:
        one.initialize()
        one.call(1, "omniroute_route_request", SLOW)
        wait_until_busy(running_gateway)

        params = {"requestId": 1}
        one.say({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params})
        one.call(2, "omniroute_get_health", {})

        assert one.hear()["id"] == 2
        assert recorded(running_gateway) == "client_gone"


@pytest.mark.skipif(sys.platform != "linux", reason="several workers need Linux")
def test_without_sessions_progress_is_told_and_a_cancelled_call_ends(tmp_path: Path) -> None:
    with gateway(tmp_path, "--workers", "2") as running, relay(running.environment) as one:
        one.initialize()
        params = {"name": "omniroute_route_request", "arguments": {**ASK, "stream": True}}
        params["_meta"] = {"progressToken": "mine"}
        one.say({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})
        told = one.hear()
        answer = one.answer(1)
        one.call(2, "omniroute_route_request", SLOW)
        wait_until_busy(running, connected=1)
        one.say({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 2}})
        one.call(3, "omniroute_get_health", {})

        assert one.hear()["id"] == 3
        assert told["method"] == "notifications/progress"
        assert told["params"]["progressToken"] == "mine"
        assert answer["result"]["isError"] is False
        assert recorded(running) == "client_gone"


NOISY = """
import ctypes, logging, os, subprocess, sys, threading, warnings
from omniroute.server.cli.main import main

C = ctypes.CDLL(None)
LEVELS = [logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL]
KINDS = [UserWarning, DeprecationWarning, RuntimeWarning, ResourceWarning, SyntaxWarning]
calls = 0

def noise():
    global calls
    calls += 1
    print('{"jsonrpc": "2.0", "a": "print"}')
    print("a print", file=sys.__stdout__, flush=True)
    sys.stdout.write("a write without an end")
    sys.stdout.buffer.write(b"bytes\\n")
    sys.stdout.flush()
    os.write(1, b"a write to the descriptor\\n")
    C.puts(b"a line of C")
    C.fflush(None)
    for level in LEVELS:
        logging.getLogger("omniroute").log(level, "a line of the log")
    for kind in KINDS:
        warnings.warn("a warning", kind)
    if calls % 1000 == 1:
        # A child takes what it can of our input, and prints as well.
        subprocess.run(["sh", "-c", "cat; echo a child; echo and its errors >&2"])
        threading.Thread(target=lambda: 1 / 0).start()

def noisy(function):
    def noisier(*arguments, **named):
        noise()
        return function(*arguments, **named)
    return noisier

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name.startswith("omniroute.server.cli.relay"):
            print("an import of", name, flush=True)

warnings.simplefilter("always")
logging.basicConfig(level=logging.DEBUG, stream=sys.stdout)
from omniroute.server.cli import relay_stdio
sys.meta_path.insert(0, Finder())
claim = relay_stdio.claim_stdio
def loud():
    channel = claim()
    noise()
    from omniroute.server.cli import relay_http, relay
    relay_http.Exchange.open = noisy(relay_http.Exchange.open)
    relay.Relay.take = noisy(relay.Relay.take)
    return channel
relay_stdio.claim_stdio = loud
sys.exit(main(["--mcp"]))
"""


CALLS = 10_000
UNDER_WAY = 50


def test_nothing_but_protocol_reaches_standard_output_in_ten_thousand_calls(
    shared_gateway: RunningGateway,
) -> None:
    def say(number: int) -> None:
        one.call(number, "omniroute_get_health", {}, MODERN if number % 2 else None)

    heard: list[dict[str, Any]] = []
    with relay(shared_gateway.environment, sys.executable, "-c", NOISY) as one:
        one.initialize()
        for number in range(1, UNDER_WAY + 1):
            say(number)
        for number in range(UNDER_WAY + 1, CALLS + UNDER_WAY + 1):
            heard.append(one.hear())
            if number <= CALLS:
                say(number)

    assert sorted(message["id"] for message in heard) == list(range(1, CALLS + 1))
    assert all(message["jsonrpc"] == "2.0" for message in heard)
    assert all(message["result"]["isError"] is False for message in heard)


def wait_until_listening(one: Relay) -> None:
    """Wait until the relay has the session's stream open: nothing else of it stays connected."""
    ends_s = time.monotonic() + WAIT_S
    process = psutil.Process(one.process.pid)
    while time.monotonic() < ends_s:
        connections = process.net_connections("tcp")
        if [found.status for found in connections] == [psutil.CONN_ESTABLISHED]:
            return
        time.sleep(0.02)
    raise AssertionError("the relay does not listen")


def wait_until_busy(gateway: RunningGateway, *, connected: int = 2) -> None:
    """Wait until the gateway has begun to ask the model: a stream and the call are connected."""
    ends = time.monotonic() + WAIT_S
    while time.monotonic() < ends:
        first = psutil.Process(gateway.process.pid)
        connections = [
            one for process in (first, *first.children()) for one in process.net_connections("tcp")
        ]
        if sum(one.status == psutil.CONN_ESTABLISHED for one in connections) >= connected:
            time.sleep(0.3)
            return
        time.sleep(0.02)
    raise AssertionError("the call never arrived")


def recorded(gateway: RunningGateway) -> str:
    """Give how the newest request ended, once it is on record."""
    ends = time.monotonic() + WAIT_S
    while time.monotonic() < ends:
        told = gateway.command("explain", "--last", "--json")
        if told.returncode == 0:
            status: str = json.loads(told.stdout)["request"]["status"]
            return status
        time.sleep(0.1)
    raise AssertionError(told.stderr)
