"""The examples of docs/a2a.md: each is run as it is written and its answer held against the page.

    python -m tests.a2a_door.guide        writes the answers into the page anew

An example is a block of shell, written by hand, and may have its answer in a block below it,
made by this program: one of JSON, or one of text for a stream. They run against a gateway with
nothing but the simulator; those that name `$KEY` against one that asks for keys. Of a list of
skills the first is shown. What differs from run to run (ids, times) is compared by its type.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests import processes
from tests.processes import RunningGateway

PAGE = Path(__file__).parents[2] / "docs" / "a2a.md"
EXAMPLE = re.compile(r"```sh\n(.*?)```\n(?:\n```(json|text)\n(.*?)```\n)?", re.DOTALL)
METHOD = re.compile(r'"method": "([^"]+)"')
EXAMPLE_S_MAX = 60
QUICK, SLOW = "sim/fast", "sim/fast@latency=4"
"""The second takes long enough to be followed or canceled, and not much longer."""
HERE = "http://127.0.0.1:20128"
HELLO = "Say hello"
LATER = {"returnImmediately": True}
HOOK = {"id": "mine", "url": "https://client.example/hook", "token": "a-secret-of-yours"}
HOOKED = {**LATER, "taskPushNotificationConfig": HOOK}
UNCLEAR = "What did I spend since Tuesday?"
PASSING = re.compile(
    r"\b(?:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[a-z]+_[0-9a-f]{16,}"
    r"|\d{4}-\d\d-\d\dT[\d:.]+Z)"
)
"""What is another run's other one."""
OTHERS = ("nextPageToken", "totalSize", "key")
"""Fields of what was there before: tasks, and the key."""
PIECE = ("content", "text")
"""Where a stream has as much of an answer as there was at that moment."""


@dataclass(frozen=True, slots=True)
class Gateways:
    """One that asks for no key, and one that does, with a key of it."""

    open: RunningGateway
    keyed: RunningGateway
    key: str


def examples() -> list[tuple[str, str, str]]:
    """Give (shell, kind of its answer, answer) of each example that has one."""
    found = [match.groups(default="") for match in EXAMPLE.finditer(PAGE.read_text())]
    return [(shell, kind, answer) for shell, kind, answer in found if kind]


def variables(gateway: RunningGateway, shell: str) -> dict[str, str]:
    """Give the ids of tasks that an example names."""
    return {name: made(gateway) for name, made in TASKS.items() if f"${name}" in shell}


@contextmanager
def running(folder: Path) -> Iterator[Gateways]:
    """Run the gateways of the examples until the block ends."""
    with processes.gateway(folder / "open") as first, processes.gateway(folder / "keyed") as other:
        yield Gateways(first, other, other.new_key("--name", "guide"))


def answered(gateways: Gateways, shell: str) -> str:
    """Run an example and give what it printed."""
    keyed = "$KEY" in shell
    gateway = gateways.keyed if keyed else gateways.open
    named = {"KEY": gateways.key} if keyed else variables(gateway, shell)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", shell.replace(HERE, gateway.url)],
        env={**gateway.environment, **named, "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=EXAMPLE_S_MAX,
        check=True,
    )
    return done.stdout.replace(gateway.url, HERE)


def shown(printed: str, kind: str) -> str:
    """Give what an example printed as the page has it: of a stream, each kind of event once."""
    if kind == "json":
        return json.dumps(_cut(json.loads(printed)), indent=2) + "\n"
    found, kinds = list[str](), list[Any]()
    for event in re.findall(r"(?:^id: .*\n)?^data: .*\n", printed, re.MULTILINE):
        one = shape(event, kind)
        if one not in kinds:
            kinds.append(one)
            found.append(event)
        elif found[-1] != "...\n":
            found.append("...\n")
    return "".join(found)


def shape(text: str, kind: str) -> list[Any]:
    """Give an answer without what differs from run to run; of a stream, each kind of event."""
    if kind == "json":
        return [_shape(_cut(json.loads(text)), OTHERS)]
    found: list[Any] = []
    for line in text.splitlines():
        if line.startswith("data:"):
            event = _shape(json.loads(line.removeprefix("data:")), PIECE)
            if event not in found:
                found.append(event)
    return found


def _shape(value: Any, passing: tuple[str, ...] = ()) -> Any:
    if isinstance(value, Mapping):
        return {
            name: "..." if name in passing and isinstance(one, str | int) else _shape(one, passing)
            for name, one in value.items()
        }
    if isinstance(value, list):
        return [_shape(one, passing) for one in value]
    return PASSING.sub("...", value) if isinstance(value, str) else value


def _cut(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: one[:1] if name == "skills" else _cut(one) for name, one in value.items()}
    return [_cut(one) for one in value] if isinstance(value, list) else value


def _sent(
    gateway: RunningGateway, text: str, configuration: Mapping[str, object], **metadata: str
) -> str:
    """Send a message and give its task's id."""
    params = {
        "message": {"messageId": "m1", "role": "ROLE_USER", "parts": [{"text": text}]},
        "metadata": metadata,
        "configuration": configuration,
    }
    body = {"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": params}
    answer = gateway.call("POST", "/a2a", body, headers={"a2a-version": "1.0"})
    task_id: str = answer.json()["result"]["task"]["id"]
    return task_id


def _written(page: str, gateways: Gateways) -> Iterator[str]:
    at = 0
    for match in EXAMPLE.finditer(page):
        if match[2]:
            yield page[at : match.start(3)]
            yield shown(answered(gateways, match[1]), match[2])
            at = match.end(3)
    yield page[at:]


TASKS: Mapping[str, Callable[[RunningGateway], str]] = {
    "TASK": lambda gateway: _sent(gateway, HELLO, {}, model=QUICK),
    "RUNNING": lambda gateway: _sent(gateway, HELLO, LATER, model=SLOW),
    "PUSHED": lambda gateway: _sent(gateway, HELLO, HOOKED, model=SLOW),
    "WAITING": lambda gateway: _sent(gateway, UNCLEAR, {}, skill="cost-analysis"),
}


def main() -> int:
    with tempfile.TemporaryDirectory() as folder, running(Path(folder)) as gateways:
        PAGE.write_text("".join(_written(PAGE.read_text(), gateways)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
