"""The examples of docs/mcp.md: each tool's call is made and its answer compared with the page.

    python -m tests.tools.guide        writes the answers into the page anew

A section of the page has two blocks: the call, written by hand, and the answer, made by this
program. The calls run in the page's order against a new gateway with nothing but the simulator.
Long lists are cut. What differs from run to run (times, memory, ids) is compared by its type.
"""

import json
import re
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omniroute.tools.table import TABLE
from tests import processes
from tests.processes import RunningGateway

PAGE = Path(__file__).parents[2] / "docs" / "mcp.md"
BLOCK = re.compile(r"```json\n(.*?)```", re.DOTALL)
LIST_MAX = 2
"""Entries of a list that the page shows."""
VERSION = "2026-07-28"
PASSING = re.compile(
    r"(At|Ms|S|Utc|Unix|Latency|[uU]ptime|duration|Start|Id|version|lastFailure|resetsAt)$"
    r"|^at$|^(heap|resident|latency|avgLatency|p\d\d|requestId|sessionStart|since)"
)
"""Names of fields whose values are another run's other ones."""

Answer = Mapping[str, Any]


def sections() -> dict[str, str]:
    """Give the text of each tool's section by the tool's name."""
    parts = re.split(r"^## (\w+)$", PAGE.read_text(), flags=re.MULTILINE)
    names = {tool.name for tool in TABLE}
    return {
        name: text for name, text in zip(parts[1::2], parts[2::2], strict=True) if name in names
    }


def told(section: str) -> tuple[Any, Any]:
    """Give a section's call and answer; None for what it lacks."""
    found = [json.loads(block) for block in BLOCK.findall(section)]
    call, answer = [*found, None, None][:2]
    return call, answer


def answers(gateway: RunningGateway) -> dict[str, Answer]:
    """Give what the gateway answers to each call of the page, cut as the page shows it."""
    given: dict[str, Answer] = {}
    request_id = ""
    for name, section in sections().items():
        call, _ = told(section)
        if call is None:
            continue
        arguments = dict(call["arguments"])
        if "requestId" in arguments:
            arguments["requestId"] = request_id
        answer = _called(gateway, name, arguments)
        request_id = answer.get("routing", {}).get("requestId", request_id)
        given[name] = _cut(answer)
    return given


def shape(value: Any, name: str = "") -> Any:
    """Give a value with what differs from run to run as the name of its type."""
    if isinstance(value, dict):
        return {key: shape(one, key) for key, one in value.items()}
    if isinstance(value, list):
        return [shape(one, name) for one in value]
    if PASSING.search(name) and value is not None:
        return "number" if isinstance(value, int | float) else type(value).__name__
    return value


def _called(gateway: RunningGateway, name: str, arguments: Answer) -> Answer:
    meta = {
        "io.modelcontextprotocol/protocolVersion": VERSION,
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    params = {"name": name, "arguments": arguments, "_meta": meta}
    answer = gateway.call(
        "POST",
        "/mcp",
        {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params},
        headers={
            "accept": "application/json, text/event-stream",
            "mcp-protocol-version": VERSION,
            "mcp-method": "tools/call",
            "mcp-name": name,
        },
    )
    *_, text = re.findall(r"^data: (.*)$", answer.body.decode(), re.MULTILINE) or [answer.body]
    result = json.loads(text)["result"]
    if result.get("isError"):
        raise AssertionError(f"{name}: {result['content'][0]['text']}")
    structured: Answer = result["structuredContent"]
    return structured


def _cut(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _cut(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_cut(one) for one in value[:LIST_MAX]]
    return value


def _written(page: str, given: Mapping[str, Answer]) -> str:
    """Give the page with these answers in it."""
    for name, answer in given.items():
        before, heading, rest = page.partition(f"## {name}\n")
        section, *after = re.split(r"(?=^## )", rest, maxsplit=1, flags=re.MULTILINE)
        first = BLOCK.search(section)
        assert first is not None
        block = f"```json\n{json.dumps(answer, indent=2)}\n```"
        intro, tail = section[: first.end()], section[first.end() :]
        old = BLOCK.search(tail)
        if old is None:
            tail = f"\n\n{block}{tail}"
        else:
            tail = tail[: old.start()] + block + tail[old.end() :]
        page = before + heading + intro + tail + "".join(after)
    return page


def main() -> int:
    with tempfile.TemporaryDirectory() as folder, processes.gateway(Path(folder)) as gateway:
        given = answers(gateway)
    page = _written(PAGE.read_text(), given)
    call, _ = told(sections()["omniroute_explain_route"])
    request_id = given["omniroute_explain_route"]["requestId"]
    PAGE.write_text(page.replace(call["arguments"]["requestId"], request_id))
    return 0


if __name__ == "__main__":
    sys.exit(main())
