"""What was written, tried: as the client will use it, with the same command and the same key."""

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from threading import Timer
from typing import Any

from ..clients.client import KEY_VARIABLE, NO_KEY
from ..clients.wishes import Wish
from .client import HttpClient, call, decoded
from .exits import Stop

CHECK_S_MAX = 45.0
"""How long the whole of MCP may take; a gateway may have to start first."""
_VERSION = "2025-11-25"
_ASKED: tuple[Mapping[str, Any], ...] = (
    {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": _VERSION,
            "capabilities": {},
            "clientInfo": {"name": "omniroute-setup", "version": "1"},
        },
    },
    {"jsonrpc": "2.0", "method": "notifications/initialized"},
    {"jsonrpc": "2.0", "id": 2, "method": "tools/list"},
)


@dataclass(frozen=True, slots=True)
class Check:
    """What was tried and what came of it; `passed` is None where it could not be tried."""

    what: str
    passed: bool | None
    words: str


@dataclass(frozen=True, slots=True)
class _Listed:
    data: tuple[Any, ...]


def check_mcp(wish: Wish, command: tuple[str, ...]) -> Check:
    """Ask for the tools, as a client does that starts a program.

    The command serves MCP on standard input and output here; where HTTP is wished it is told to
    relay to the address that was written.
    """
    environment = {name: value for name, value in os.environ.items() if name != KEY_VARIABLE}
    if wish.key is not None:
        environment[KEY_VARIABLE] = wish.key
    if wish.remote or wish.transport == "http":
        environment["OMNIROUTE_BASE_URL"] = wish.url
    what = "MCP on standard input and output" if wish.transport == "stdio" else f"{wish.url}/mcp"
    answers, complaint = _answers(command, environment)
    tools = answers.get(2, {}).get("result", {}).get("tools")
    if tools is not None:
        return Check(what, True, f"{len(tools)} tools")
    error = next((one["error"]["message"] for one in answers.values() if "error" in one), "")
    return Check(what, False, error or complaint or "it said nothing")


def check_models(wish: Wish) -> Check:
    """Ask for the models with the client's key."""
    what = f"{wish.url}/v1/models"
    try:
        data = call(HttpClient(wish.url, wish.key or NO_KEY), "GET", "/v1/models")
        return Check(what, True, f"{len(decoded(data, _Listed).data)} models")
    except Stop as refused:
        return Check(what, False, str(refused))


def _answers(
    command: tuple[str, ...], environment: Mapping[str, str]
) -> tuple[dict[Any, Any], str]:
    """Give the answers by their ids, and what went to standard error."""
    try:
        process = subprocess.Popen(  # noqa: S603 - our own command, no shell
            command,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
    except OSError as error:
        return {}, f"{command[0]} cannot be started: {error.strerror}"
    timer = Timer(CHECK_S_MAX, process.kill)
    timer.start()
    try:
        found = {answer.get("id"): answer for answer in _exchanged(process)}
        _, complaint = process.communicate()
    finally:
        timer.cancel()
        process.kill()
        process.wait()
    return found, complaint.strip()


def _exchanged(process: "subprocess.Popen[str]") -> Iterator[dict[str, Any]]:
    """Send one message after the other, each when the one before it was answered."""
    assert process.stdin is not None  # noqa: S101 - a pipe was asked for
    assert process.stdout is not None  # noqa: S101 - a pipe was asked for
    for message in _ASKED:
        try:
            process.stdin.write(json.dumps(message) + "\n")
            process.stdin.flush()
        except BrokenPipeError:
            return
        while "id" in message and (line := process.stdout.readline()):
            answer: dict[str, Any] = json.loads(line)
            if "method" in answer:
                continue
            yield answer
            if "error" in answer:
                return
            break
