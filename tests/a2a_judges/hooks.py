"""A receiver of push notifications, and what it got."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOLD_S_MAX = 20.0


@dataclass(frozen=True)
class Notification:
    """One POST."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Hooks:
    """What arrived, at whatever path."""

    url: str = ""
    got: list[Notification] = field(default_factory=list[Notification])
    changed: threading.Condition = field(default_factory=threading.Condition)

    def take(self, notification: Notification) -> None:
        with self.changed:
            self.got.append(notification)
            self.changed.notify_all()

    def of(self, task_id: str, paths: set[str]) -> dict[str, Notification]:
        """Give what tells of the canceled task by its path, as soon as these have arrived."""
        found: dict[str, Notification] = {}

        def arrived() -> bool:
            told = [one for one in self.got if task_id.encode() in one.body]
            found.update({one.path: one for one in told if b"ancel" in one.body})
            return paths <= found.keys()

        self.wait(arrived)
        return found

    def wait(self, arrived: Callable[[], bool]) -> None:
        """Wait until something has arrived, TOLD_S_MAX at most."""
        with self.changed:
            self.changed.wait_for(arrived, TOLD_S_MAX)


@contextmanager
def receiving() -> Iterator[Hooks]:
    """Receive notifications on a port of loopback until the block ends."""
    hooks = Hooks()

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            named = {name.lower(): value for name, value in self.headers.items()}
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()
            hooks.take(Notification(self.path, named, body))

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Receiver) as server:
        hooks.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield hooks
        finally:
            server.shutdown()
            thread.join()
