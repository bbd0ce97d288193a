"""Advisories of what gateways in Python are made of: web servers, Starlette, MCP and A2A SDKs.

Read 2026-11-23.
"""

import json
import re
import threading
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.advisories.attacked import INITIALIZE, MCP, METADATA, SIMULATED, Attacked
from tests.processes import RunningGateway

pytestmark = pytest.mark.xdist_group("advisories")
ROOT = Path(__file__).parent.parent.parent
ANSWER = re.compile(rb"HTTP/1\.1 [1-5][0-9]{2} ")
START = b"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\n"
CHUNKED = START + b"transfer-encoding: chunked\r\n\r\n"
SMUGGLED = b"GET /api/keys HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n"


@pytest.mark.parametrize("host", [b"127.0.0.1/v1", b"127.0.0.1?", b"127.0.0.1#x", b"a b", b""])
def test_bad_hosts_are_refused_before_any_url_is_made_of_them(
    target: Attacked, host: bytes
) -> None:
    """https://github.com/Kludex/starlette/security/advisories/GHSA-86qp-5c8j-p5mr (48710)."""
    status = target.status(b"GET /health HTTP/1.1\r\nhost: %b\r\n\r\n" % host)

    assert status in (400, 421)
    assert tuple(map(int, version("starlette").split(".")[:3])) >= (1, 0, 1)


def test_a_range_of_many_parts_costs_nothing(target: Attacked) -> None:
    """https://github.com/Kludex/starlette/security/advisories/GHSA-7f5h-v6xp-fcq8 (62727)."""
    ranges = "bytes=" + ",".join(f"{at}-{at}" for at in range(2000))

    answers = [target.ask("GET", path, None, None, range=ranges) for path in ("/", "/health")]

    assert {answer.status for answer in answers} == {200}
    assert tuple(map(int, version("starlette").split(".")[:3])) >= (0, 49, 1)
    # What files there are, are an administrator's.
    assert target.ask("GET", "/api/db-backups/x", None, "agent", range=ranges).status in (403, 404)


def test_no_form_is_read_into_memory_or_files() -> None:
    """https://github.com/advisories/GHSA-f96h-pmfr-66vw and .../GHSA-2c2j-9gv5-cj73 (Starlette)."""
    assert not names_used("UploadFile", "MultiPartParser", "FormParser")
    assert not names_used(r"request\.form\(\w*")


@pytest.mark.parametrize(
    "body",
    [
        b"5\r\nhelloXX0\r\n\r\n" + SMUGGLED,
        b"5\r\nhello\n0\r\n\r\n" + SMUGGLED,
        b"0x5\r\nhello\r\n0\r\n\r\n",
        b"+5\r\nhello\r\n0\r\n\r\n",
        b"-5\r\nhello\r\n0\r\n\r\n",
        b"5 5\r\nhello\r\n0\r\n\r\n",
        b"FFFFFFFFFFFFFFFFFF\r\nhello",
        b"5;\nx\r\nhello\r\n0\r\n\r\n",
    ],
)
def test_a_chunk_is_what_the_standard_says_and_nothing_else(target: Attacked, body: bytes) -> None:
    """https://github.com/advisories/GHSA-vqfr-h8mv-ghfj (h11, CVE-2025-43859)."""
    got = target.raw(CHUNKED + body)

    assert got.split(b" ", 2)[1] in (b"400", b"401")
    assert len(ANSWER.findall(got)) == 1
    assert b"connection: close" in got.lower()


@pytest.mark.parametrize(
    "lines",
    [
        b"transfer-encoding: chunked, identity\r\n",
        b"transfer-encoding: identity, chunked, identity\r\n",
        b"transfer-encoding: xchunked\r\n",
        b"transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n",
        b"transfer-encoding: chunked\r\ncontent-length: 4\r\n",
        b"transfer-encoding : chunked\r\n",
        b"transfer-encoding:\x0bchunked\r\n",
    ],
)
def test_an_encoding_that_could_be_read_in_two_ways_is_refused(
    target: Attacked, lines: bytes
) -> None:
    """https://github.com/advisories/GHSA-w3h3-4rj7-4ph4 (gunicorn, CVE-2024-1135)."""
    got = target.raw(START + lines + b"\r\n0\r\n\r\n" + SMUGGLED)

    assert got.startswith((b"HTTP/1.1 4", b"HTTP/1.1 5"))
    assert len(ANSWER.findall(got)) == 1
    assert b"connection: close" in got.lower()


@pytest.mark.parametrize("length", [b"+5", b"0x5", b"5, 5", b"-1", b"5\x0b", b"1e1", b"", b"5 5"])
def test_a_length_is_digits(target: Attacked, length: bytes) -> None:
    """https://github.com/socketry/protocol-http1/security/advisories/GHSA-6jwc-qr2q-7xwj."""
    got = target.raw(START + b"content-length: %b\r\n\r\nhello" % length + SMUGGLED)

    assert got.startswith(b"HTTP/1.1 4")
    assert len(ANSWER.findall(got)) == 1


def test_a_body_of_very_many_chunks_is_read_and_nobody_waits(target: Attacked) -> None:
    """https://nvd.nist.gov/vuln/detail/CVE-2025-69229 (aiohttp)."""
    text = json.dumps(SIMULATED).encode() + b" " * 40_000
    body = b"".join(b"1\r\n%c\r\n" % one for one in text) + b"0\r\n\r\n"
    key = target.keys["agent"].encode()
    head = START + b"transfer-encoding: chunked\r\nauthorization: Bearer %b\r\n\r\n" % key

    assert target.status(head + body) == 200
    assert target.is_well


def test_a_client_that_goes_away_leaves_the_mcp_door_standing(target: Attacked) -> None:
    """https://nvd.nist.gov/vuln/detail/CVE-2025-53365 (MCP SDK)."""
    key = target.keys["agent"].encode()
    body = json.dumps(INITIALIZE).encode()
    head = (
        b"POST /mcp HTTP/1.1\r\nhost: 127.0.0.1\r\naccept: application/json, text/event-stream\r\n"
    )
    head += b"content-type: application/json\r\nauthorization: Bearer %b\r\n" % key

    for cut in (0, 1, len(body) // 2, len(body)):
        target.leave(head + b"content-length: %d\r\n\r\n" % len(body) + body[:cut])

    assert target.ask("POST", "/mcp", INITIALIZE, "agent", **MCP).status == 200


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"[[[[",
        b'{"jsonrpc": "2.0"}',
        b'{"jsonrpc": "1.0", "id": 1, "method": "initialize"}',
        b'{"jsonrpc": "2.0", "id": {}, "method": "initialize", "params": {}}',
        b'{"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": "x"}',
        b'{"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"protocolVersion": 5}}',
        b'{"jsonrpc": "2.0", "id": 1, "method": 5, "params": {"name": []}}',
        b'{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": {}}}',
        b"\xff\xfe\x00",
        b"[" * 100_000,
    ],
)
def test_a_message_that_is_none_breaks_nothing(target: Attacked, body: bytes) -> None:
    """https://nvd.nist.gov/vuln/detail/CVE-2025-53366 (MCP SDK)."""
    named = {**MCP, "content_type": "application/json"}

    answer = target.ask("POST", "/mcp", body, "agent", **named)

    assert 400 <= answer.status < 500 or (answer.status == 200 and b"error" in answer.body)
    assert target.ask("POST", "/mcp", INITIALIZE, "agent", **MCP).status == 200


@pytest.mark.parametrize(
    ("cve", "headers", "status"),
    [
        ("CVE-2025-66416", {"host": "evil.example"}, 421),
        ("CVE-2025-66416", {"host": "evil.example:20128"}, 421),
        ("CVE-2025-66416", {"origin": "http://evil.example"}, 403),
        ("CVE-2026-34742", {"origin": "null"}, 403),
        ("CVE-2026-34742", {"origin": "http://127.0.0.1.evil.example"}, 403),
        ("CVE-2026-34742", {"origin": "file://"}, 403),
        ("CVE-2025-66414", {"host": "localhost.evil.example"}, 421),
    ],
)
def test_a_web_page_cannot_rebind_its_name_to_the_mcp_door(
    keyless: RunningGateway, cve: str, headers: dict[str, str], status: int
) -> None:
    """https://github.com/advisories/GHSA-9h52-p55h-vw2f (MCP SDK).

    Also https://nvd.nist.gov/vuln/detail/CVE-2026-34742 (Go) and CVE-2025-66414 (Node.js).
    """
    for path in ("/mcp", "/api/mcp/stream"):
        named = {**MCP, **headers}
        assert keyless.call("POST", path, INITIALIZE, headers=named).status == status, cve


def test_answers_go_to_who_asked_also_when_ids_are_alike(target: Attacked) -> None:
    """https://github.com/advisories/GHSA-345p-7cg4-v4c7 (MCP SDK, CVE-2026-25536)."""
    got: dict[str, set[str]] = {"agent": set(), "narrow": set()}

    def ask(who: str) -> None:
        for _ in range(6):
            begun = target.ask("POST", "/mcp", INITIALIZE, who, **MCP)
            session = {"mcp_session_id": dict(begun.headers)["mcp-session-id"]}
            ready = {"jsonrpc": "2.0", "method": "notifications/initialized"}
            target.ask("POST", "/mcp", ready, who, **MCP, **session)
            listing = {"jsonrpc": "2.0", "id": 2, "method": "tools/list"}
            told = target.ask("POST", "/mcp", listing, who, **MCP, **session)
            got[who].add(str(told.body.count(b'"inputSchema"')))

    threads = [threading.Thread(target=ask, args=(who,)) for who in got for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [len(numbers) for numbers in got.values()] == [1, 1]
    assert got["agent"] != got["narrow"]


def test_another_s_session_is_no_way_in(target: Attacked) -> None:
    """https://modelcontextprotocol.io/docs/tutorials/security/security_best_practices."""
    begun = target.ask("POST", "/mcp", INITIALIZE, "agent", **MCP)
    session = {"mcp_session_id": dict(begun.headers)["mcp-session-id"]}
    listing = {"jsonrpc": "2.0", "id": 2, "method": "tools/list"}

    stranger = target.ask("POST", "/mcp", listing, None, **MCP, **session)
    other = target.ask("POST", "/mcp", listing, "other", **MCP, **session)

    assert stranger.status == 401
    assert other.status in (401, 403, 404)


WEBHOOKS = (
    *(f"{url}/hook" for url in METADATA),
    *("https://169.254.169.254/", "https://127.0.0.1/hook", "https://[::1]/", "https://10.0.0.1/"),
    *("https://192.168.0.1/", "https://localhost/", "http://example.com/", "ftp://example.com/"),
    *("file:///etc/passwd", "gopher://127.0.0.1:6379/_x", "https://0/", "https://127.1/"),
    *("https://example.com\\@169.254.169.254/", "https://u:p@example.com/", "//169.254.169.254/"),
)


@pytest.mark.parametrize("url", WEBHOOKS)
def test_no_notification_goes_where_a_stranger_may_not(target: Attacked, url: str) -> None:
    """https://github.com/a2aproject/a2a-python/issues/786.

    Also https://github.com/a2aproject/a2a-java/pull/1096 (GHSA-q78c-5jjq-57g8),
    https://github.com/a2aproject/a2a-js/issues/584 and vLLM's CVE-2026-24779, whose two parsers
    read a backslash in two ways.
    """
    message = {"messageId": "m", "role": "ROLE_USER", "parts": [{"text": "hello"}]}
    params = {"message": message, "configuration": {"taskPushNotificationConfig": {"url": url}}}
    body = {"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": params}

    answer = target.ask("POST", "/a2a", body, "agent", a2a_version="1.0").json()

    assert "error" in answer
    assert "result" not in answer


@pytest.mark.parametrize(
    "method",
    [
        *("tasks/get", "tasks/cancel", "tasks/resubscribe", "GetTask", "CancelTask"),
        *("SubscribeToTask", "tasks/pushNotificationConfig/list"),
    ],
)
def test_a_task_is_its_owner_s_by_every_method(target: Attacked, method: str) -> None:
    """https://github.com/a2aproject/a2a-python/issues/786: tasks were found by their id alone."""
    newer = method[0].isupper()
    message = {"messageId": "m", "role": "ROLE_USER", "parts": [{"text": "CANARY hello"}]}
    send = {"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": {"message": message}}
    made = target.ask("POST", "/a2a", send, "agent", a2a_version="1.0").json()
    task = made["result"]["task"]["id"]
    version_of = {"a2a_version": "1.0"} if newer else {"a2a_version": "0.3"}

    def asked(one: str, who: str | None) -> bytes:
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {"id": one}}
        return target.ask("POST", "/a2a", body, who, **version_of).body

    others, missing = asked(task, "other"), asked("0" * len(task), "other")
    assert others == missing
    assert b"error" in others
    assert b"CANARY" not in others
    assert b"needs a key" in asked(task, None)


def names_used(*names: str) -> list[str]:
    """Give the modules that we ship and that have one of these words."""
    word = re.compile(rf"\b(?:{'|'.join(names)})\b")
    rooms = ("routing", "tools", "a2a", "server")
    files = [path for room in rooms for path in (ROOT / room).rglob("*.py")]
    assert len(files) > 300
    return [str(path) for path in files if word.search(path.read_text())]
