"""A gateway that has seen everything, all of it in the worst words: what the pages are tried on.

Whoever may name something named it with HOSTILE: a break-out of text, attributes, scripts,
styles and addresses, a template's braces, letters that turn the line around and letters that
nobody sees, and nothing that ends. A provider answers with it and fails with it.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests import processes
from tests.processes import RunningGateway

BREAKS_OUT = (
    "\"'`><x-hostile data-hostile=1></textarea></title></script></style></svg>-->"
    "<script>window.hostile=1</script><img src=x onerror=window.hostile=1>"
    "<svg onload=window.hostile=1><a href=javascript:window.hostile=1>"
    "{{7*7}}{%raw%}${7*7}{7*7}"
)
"""Printable, so it may be a name."""
ADDRESS = "javascript:window.hostile=1"
TURNS = "\u202e\u2066turned\u200b\ufeff\u0007\u0000\u0085\u2028"
"""What no name may have, but a text may."""
HOSTILE = f"{BREAKS_OUT}{TURNS}"
NAME_CHARS_MAX = 200
LONG = "long<b>" + "n" * 100_000
FAILS, ANSWERS = f"fails {ADDRESS}", f"answers {BREAKS_OUT}"[:250]
"""Two models of the provider, by what they do."""


@dataclass(frozen=True)
class Stage:
    """The gateway and the key that the pages are looked at with."""

    gateway: RunningGateway
    key: str

    @property
    def url(self) -> str:
        return self.gateway.url


class _Provider(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if asked["model"] == FAILS:
            self._answer(
                400, {"error": {"message": HOSTILE + LONG, "type": HOSTILE, "code": HOSTILE}}
            )
            return
        message = {"role": "assistant", "content": HOSTILE + LONG}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        usage = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
        told = {"id": HOSTILE, "object": "chat.completion", "created": 1, "model": HOSTILE}
        if asked.get("stream"):
            choice = {"index": 0, "delta": message, "finish_reason": "stop"}
            self._stream({**told, "choices": [choice]})
            return
        self._answer(200, {**told, "choices": [choice], "usage": usage})

    def log_message(self, *_words: object) -> None:
        """Say nothing."""

    def _stream(self, chunk: object) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        self.wfile.write(f"data: {json.dumps(chunk)}\n\ndata: [DONE]\n\n".encode())

    def _answer(self, status: int, body: object) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@contextmanager
def hostile(home: Path) -> Iterator[Stage]:
    """Run a gateway whose names, prompts, answers and errors are all hostile."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Provider)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        with processes.gateway(home) as gateway:
            _name_things(gateway, f"http://127.0.0.1:{server.server_port}/v1")
            _use_them(gateway)
            yield Stage(gateway, gateway.admin_key)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _name_things(gateway: RunningGateway, provider_url: str) -> None:
    account = {
        "provider": "hostile",
        "name": "hostile",
        "base_url": provider_url,
        "dialect": "openai_chat",
        "key": "sk-fake-0123456789",
        "models": [FAILS, ANSWERS, BREAKS_OUT[:250]],
    }
    _put(gateway, "/api/providers", account)
    for name in (BREAKS_OUT[:NAME_CHARS_MAX], ADDRESS, "n" * NAME_CHARS_MAX):
        key = {"name": name, "scopes": ["agent"]}
        made = _put(gateway, "/api/keys", key)
        terms = {"cap_usd_nanos": 1_000_000_000, "period": "day"}
        budget = {"key_id": made["key"]["key_id"], "session": name, "terms": terms}
        _put(gateway, "/api/budgets", budget)
    combo = {
        "name": "hostile",
        "description": BREAKS_OUT[:NAME_CHARS_MAX],
        "models": [{"target": f"hostile/{FAILS}"}, {"target": f"hostile/{ANSWERS}"}],
    }
    _put(gateway, "/api/combos", combo)
    alias = {"alias": BREAKS_OUT[:NAME_CHARS_MAX], "model": "sim/fast"}
    _put(gateway, "/api/models/alias", alias, method="PUT")


def _use_them(gateway: RunningGateway) -> None:
    headers = {"x-request-id": "id", "x-session-id": ADDRESS, "user-agent": BREAKS_OUT[:200]}
    for model in ("hostile", f"hostile/{FAILS}", f"hostile/{ANSWERS}", BREAKS_OUT[:200], LONG):
        prompt = [{"role": "user", "content": HOSTILE}]
        body = {"model": model, "messages": prompt, "user": HOSTILE}
        gateway.call("POST", "/v1/chat/completions", body, key=gateway.admin_key, headers=headers)
    part = {"kind": "text", "text": HOSTILE}
    message = {"kind": "message", "messageId": "m-1", "role": "user", "parts": [part]}
    _put(gateway, "/a2a", _rpc("message/send", {"message": message}))
    said = [{"role": "user", "content": HOSTILE}]
    asked = {"omniroute_route_request": {"model": f"hostile/{ANSWERS}", "messages": said}}
    for tool, arguments in (*asked.items(), ("omniroute_test_combo", {"comboId": HOSTILE[:200]})):
        _call_tool(gateway, tool, arguments)


def _call_tool(gateway: RunningGateway, tool: str, arguments: object) -> None:
    version = "2026-07-28"
    meta = {
        "io.modelcontextprotocol/protocolVersion": version,
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    headers = {
        "accept": "application/json, text/event-stream",
        "mcp-protocol-version": version,
        "mcp-method": "tools/call",
        "mcp-name": tool,
    }
    params = {"name": tool, "arguments": arguments, "_meta": meta}
    asked = _rpc("tools/call", params)
    answer = gateway.call("POST", "/mcp", asked, key=gateway.admin_key, headers=headers)
    assert answer.status == 200, answer.body[:2000]


def _rpc(method: str, params: object) -> object:
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}


def _put(
    gateway: RunningGateway, path: str, body: object, *, method: str = "POST"
) -> dict[str, dict[str, str]]:
    answer = gateway.call(method, path, body, key=gateway.admin_key)
    assert answer.status in (200, 201), answer.body[:2000]
    given: dict[str, dict[str, str]] = answer.json()
    return given
