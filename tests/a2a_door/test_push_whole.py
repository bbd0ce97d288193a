"""Push notifications of whole gateways: over sockets, past a crash, and with nothing leaked."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.processes import RunningGateway, free_port, gateway

WAIT_S_MAX = 40.0
PRIVATE = {"OMNIROUTE_A2A_PRIVATE_WEBHOOKS": "on", "OMNIROUTE_LOG_LEVEL": "debug"}
TOKEN, CREDENTIAL, ANSWER = "CANARY-token", "CANARY-credential", b"CANARY-answer"


class Receiver(ThreadingHTTPServer):
    """Takes notifications on a port of loopback."""

    def __init__(self, port: int, status: int) -> None:
        self.status = status
        self.got: list[tuple[dict[str, str], Any]] = []
        super().__init__(("127.0.0.1", port), _Handler)

    def wait_for(self, number: int) -> None:
        """Wait until so many have come."""
        ends = time.monotonic() + WAIT_S_MAX
        while len(self.got) < number:
            assert time.monotonic() < ends, f"{len(self.got)} of {number} notifications came"
            time.sleep(0.02)


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        named = {name.lower(): value for name, value in self.headers.items()}
        self.server.got.append((named, json.loads(body)))
        self.send_response(self.server.status)
        self.send_header("content-length", str(len(ANSWER)))
        self.end_headers()
        self.wfile.write(ANSWER)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        """Say nothing."""


@contextmanager
def receiving(port: int, status: int = 200) -> Iterator[Receiver]:
    with Receiver(port, status) as receiver:
        thread = threading.Thread(target=receiver.serve_forever)
        thread.start()
        try:
            yield receiver
        finally:
            receiver.shutdown()
            thread.join()


def send(running: RunningGateway, port: int) -> str:
    """Send a message with a subscription and give the id of its task, which has ended."""
    told = {
        "url": f"http://127.0.0.1:{port}/hook",
        "token": TOKEN,
        "authentication": {"scheme": "Bearer", "credentials": CREDENTIAL},
    }
    message = {"messageId": "m-1", "role": "ROLE_USER", "parts": [{"text": "say hello"}]}
    params = {"message": message, "configuration": {"taskPushNotificationConfig": told}}
    body = {"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": params}
    answer = running.call("POST", "/a2a", body, headers={"a2a-version": "1.0"})
    return str(answer.json()["result"]["task"]["id"])


def test_a_receiver_is_told_and_nothing_secret_is_left_behind(tmp_path: Path) -> None:
    with receiving(free_port(), 503) as receiver:
        port = receiver.server_address[1]
        with gateway(tmp_path, **PRIVATE) as running:
            task_id = send(running, port)
            receiver.wait_for(1)
            receiver.status = 200
            receiver.wait_for(2)

    [(first, told), (second, _)] = receiver.got
    assert told["task"]["id"] == task_id
    assert told["task"]["status"]["state"] == "TASK_STATE_COMPLETED"
    assert first["authorization"] == f"Bearer {CREDENTIAL}"
    assert first["webhook-id"] == second["webhook-id"]
    kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert task_id.encode() in kept
    assert b"CANARY" not in kept


def test_what_is_owed_outlives_a_gateway_that_is_killed(tmp_path: Path) -> None:
    port = free_port()
    with gateway(tmp_path, **PRIVATE) as running:
        # Nobody listens there yet.
        task_id = send(running, port)
        running.process.kill()
        running.process.wait()
    with receiving(port) as receiver, gateway(tmp_path, **PRIVATE):
        receiver.wait_for(1)

    [(_, told)] = receiver.got
    assert told["task"]["id"] == task_id
