"""A gateway of several workers as its clients see it: many connections that stay open."""

import http.client
import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.processes import RunningGateway, gateway

WAIT_S_MAX = 30.0
LOOK_S = 0.02
CHAT = "/v1/chat/completions"
ESTABLISHED, CLOSE_WAIT = "01", "08"


@dataclass(frozen=True)
class Heard:
    """What an answer said."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Client:
    """One connection that stays open, and so stays with one worker."""

    def __init__(self, port: int, key: str | None = None) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=WAIT_S_MAX)
        self._headers = {} if key is None else {"authorization": f"Bearer {key}"}

    def ask(self, method: str, path: str, body: object = None, **headers: str) -> Heard:
        sent = {**self._headers, **headers}
        data = None
        if body is not None:
            data, sent["content-type"] = json.dumps(body), "application/json"
        self._connection.request(method, path, data, sent)
        answer = self._connection.getresponse()
        named = {name.lower(): value for name, value in answer.getheaders()}
        return Heard(answer.status, named, answer.read())

    def begin(self, method: str, path: str, body: object) -> http.client.HTTPResponse:
        """Send a request and give its answer as soon as the head is there."""
        sent = {**self._headers, "content-type": "application/json"}
        self._connection.request(method, path, json.dumps(body), sent)
        return self._connection.getresponse()

    def chat(self, model: str = "sim/fast@latency=0", **more: object) -> Heard:
        return self.ask("POST", CHAT, chat_body(model, **more))

    def close(self) -> None:
        self._connection.close()


def chat_body(model: str, **more: object) -> dict[str, object]:
    return {"model": model, "messages": [{"role": "user", "content": "hello there"}], **more}


@contextmanager
def clients(port: int, count: int, key: str | None = None) -> Iterator[list[Client]]:
    """Give clients that are connected, spread over the workers."""
    made = [Client(port, key) for _ in range(count)]
    try:
        for one in made:
            assert one.ask("GET", "/health").status == 200
        yield made
    finally:
        for one in made:
            one.close()


def at_once(calls: list[Callable[[], Any]]) -> list[Any]:
    """Make calls at the same time, each in a thread."""
    with ThreadPoolExecutor(len(calls)) as pool:
        return [one.result() for one in [pool.submit(call) for call in calls]]


def until(claim: Callable[[], bool], words: str = "it does not come true") -> None:
    """Wait until a claim is true."""
    ends_s = time.monotonic() + WAIT_S_MAX
    while not claim():
        assert time.monotonic() < ends_s, words
        time.sleep(LOOK_S)


def log_of(running: RunningGateway) -> str:
    return (running.home / "gateway.log").read_text(errors="replace")


@contextmanager
def workers(
    home: Path, *words: str, count: int = 2, **environment: str
) -> Iterator[RunningGateway]:
    """Run a gateway of so many workers, all of them ready, and without a connection."""
    with gateway(home, "--workers", str(count), *words, **environment) as running:
        until(lambda: "data folder" in log_of(running), "it does not say that it is ready")
        until(lambda: not held(running.port), "it holds the connection that asked if it is ready")
        yield running


def held(port: int) -> list[str]:
    """Give the states of the connections that processes hold at a port (proc(5), net/tcp)."""
    rows = [one.split() for one in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    found = [state for _, local, _, state, *_ in rows if local.endswith(f":{port:04X}")]
    return [one for one in found if one in (ESTABLISHED, CLOSE_WAIT)]


def children(process_id: int) -> list[int]:
    """Give the processes that a process has started and that are still there (proc(5))."""
    tasks = Path(f"/proc/{process_id}/task/{process_id}/children")
    return [int(one) for one in tasks.read_text().split()]


def workers_of(running: RunningGateway) -> list[int]:
    return children(running.process.pid)


def rows(running: RunningGateway, sql: str) -> list[tuple[Any, ...]]:
    """Read the gateway's database."""
    with closing(sqlite3.connect(running.data_dir / "storage.sqlite")) as database:
        return database.execute(sql).fetchall()


def answered_by_worker(running: RunningGateway) -> list[int]:
    """Give how many requests each run of a worker has on record, the most first."""
    found = rows(running, "SELECT count(*) FROM decisions GROUP BY chain_id ORDER BY 1 DESC")
    return [count for (count,) in found]
