"""What a key may call: every tool by every set of scopes, asked over both transports.

What has to come out stands here once more, as the documentation has it, and is not read from
the table of the tools.
"""

import http.client
import json
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.processes import RunningGateway
from tests.tools.test_relay import MODERN, relayed

SCOPES = (
    "read:health",
    "read:combos",
    "write:combos",
    "read:quota",
    "write:route",
    "read:usage",
    "write:config",
    "read:models",
)
SUBSETS = tuple(
    tuple(scope for place, scope in enumerate(SCOPES) if mask >> place & 1)
    for mask in range(2 ** len(SCOPES))
)
NEEDED: Mapping[str, str] = {
    "omniroute_get_health": "read:health",
    "omniroute_list_combos": "read:combos",
    "omniroute_get_combo_metrics": "read:combos",
    "omniroute_switch_combo": "write:combos",
    "omniroute_check_quota": "read:quota",
    "omniroute_route_request": "write:route",
    "omniroute_cost_report": "read:usage",
    "omniroute_list_models_catalog": "read:models",
    "omniroute_simulate_route": "write:route",
    "omniroute_set_budget_guard": "write:config",
    "omniroute_set_resilience_profile": "write:config",
    "omniroute_test_combo": "write:route",
    "omniroute_get_provider_metrics": "read:health",
    "omniroute_best_combo_for_task": "read:models",
    "omniroute_explain_route": "read:usage",
    "omniroute_get_session_snapshot": "read:usage",
}
INSUFFICIENT_SCOPE = -32003
OLD = "2025-11-25"
NEW = "2026-07-28"
LIST_ID = 1_000_000
WAIT_S = 30
OK, FORBIDDEN = 200, 403

Message = dict[str, Any]
Calls = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Answer:
    """What came to one message.

    Attributes:
        status: of HTTP; None on stdio.
        challenge: the header WWW-Authenticate.
    """

    message: Message
    status: int | None = None
    challenge: str = ""


def wrong(scopes: tuple[str, ...], answers: Mapping[str, Answer], listed: Answer) -> list[str]:
    """Give what came out otherwise than a key with these scopes should see it."""
    found = []
    shown = [tool["name"] for tool in listed.message["result"]["tools"]]
    if shown != [name for name in answers if NEEDED[name] in scopes]:
        found.append(f"{scopes} is shown {shown}")
    for name, answer in answers.items():
        right = _ran(answer) if NEEDED[name] in scopes else _refused(answer, NEEDED[name])
        if not right:
            found.append(f"{scopes} calls {name}: {answer}")
    return found


def _ran(answer: Answer) -> bool:
    result = answer.message.get("result")
    if result is None or answer.status not in (OK, None):
        return False
    # A tool may say no for reasons of its own, and never for want of a scope.
    fault = result.get("_meta", {}).get("omniroute/error", {})
    return fault.get("code") not in ("insufficient_scope", "internal_error")


def _refused(answer: Answer, scope: str) -> bool:
    error = answer.message.get("error", {})
    told = (
        error.get("code") == INSUFFICIENT_SCOPE
        and error.get("data", {}).get("required_scopes") == [scope]
        and f"lacks scope {scope}" in error.get("message", "")
    )
    if answer.status is None:
        return told
    challenge = f'error="insufficient_scope", scope="{scope}"'
    return told and answer.status == FORBIDDEN and challenge in answer.challenge


def over_http(gateway: RunningGateway, key: str, calls: Calls, version: str) -> Iterator[Answer]:
    """Ask for the list and make the calls, one after the other on one connection."""
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=WAIT_S)
    with closing(connection):
        headers = {
            "Accept": "application/json, text/event-stream",
            "Authorization": f"Bearer {key}",
            "Content-Type": "application/json",
            "MCP-Protocol-Version": version,
        }
        if version == OLD:
            answer, session = _posted(connection, initialize(), headers)
            assert "result" in answer.message, answer
            headers["Mcp-Session-Id"] = session
        for message in messages(calls, version):
            more = {"Mcp-Method": message["method"]}
            if "name" in message["params"]:
                more["Mcp-Name"] = message["params"]["name"]
            yield _posted(connection, message, {**headers, **more})[0]
        if version == OLD:
            connection.request("DELETE", "/mcp", headers=headers)
            connection.getresponse().read()


def _posted(
    connection: http.client.HTTPConnection, message: Message, headers: Mapping[str, str]
) -> tuple[Answer, str]:
    """Send a message and give its answer, with the session it opened."""
    connection.request("POST", "/mcp", json.dumps(message), dict(headers))
    response = connection.getresponse()
    text = response.read().decode()
    if response.headers.get_content_type() == "text/event-stream":
        events = [json.loads(line[5:]) for line in text.splitlines() if line.startswith("data: {")]
        (found,) = [event for event in events if "method" not in event]
    else:
        found = json.loads(text)
    challenge = response.headers.get("WWW-Authenticate", "")
    return Answer(found, response.status, challenge), response.headers.get("Mcp-Session-Id", "")


def over_stdio(
    gateway: RunningGateway, key: str, calls: Calls, version: str, folder: Path
) -> Iterator[Answer]:
    """Ask for the list and make the calls, all at once, as lines to a relay."""
    with relayed(gateway.url, folder, api_key=key) as client:
        if version == OLD:
            client.say(initialize())
            assert "result" in client.hear()
            client.say({"jsonrpc": "2.0", "method": "notifications/initialized"})
        asked = [message["id"] for message in messages(calls, version)]
        for message in messages(calls, version):
            client.say(message)
        heard: dict[int, Message] = {}
        while len(heard) < len(asked):
            message = client.hear()
            if "id" in message:
                heard[message["id"]] = message
        yield from (Answer(heard[number]) for number in asked)


def messages(calls: Calls, version: str) -> list[Message]:
    """Give the question for the list, and the calls."""
    meta = {"_meta": MODERN} if version == NEW else {}
    asks: list[Message] = [{"id": LIST_ID, "method": "tools/list", "params": meta}]
    asks += [
        {
            "id": number,
            "method": "tools/call",
            "params": {"name": name, "arguments": arguments, **meta},
        }
        for number, (name, arguments) in enumerate(calls.items())
    ]
    return [{"jsonrpc": "2.0", **one} for one in asks]


def initialize() -> Message:
    params = {
        "protocolVersion": OLD,
        "capabilities": {},
        "clientInfo": {"name": "matrix", "version": "1"},
    }
    return {"jsonrpc": "2.0", "id": LIST_ID + 1, "method": "initialize", "params": params}
