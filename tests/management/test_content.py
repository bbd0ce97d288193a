"""Prompts and answers in the call log: of keys that wish it, for administrators, and no longer."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from omniroute.server.compose import Composed
from omniroute.server.store.database import Statement
from omniroute.server.store.vault import sealed_with
from omniroute.server.wording import KEPT_BYTES_MAX
from tests.services import postgres, postgres_url
from tests.v1.whole import client, opened

__all__ = ["postgres", "postgres_url"]

pytestmark = pytest.mark.anyio

SAID = "what-was-said-5f1c"
LOGS = "/api/usage/call-logs"
HELLO = [{"role": "user", "content": f"hello {SAID}"}]
MODEL = "sim/fast@latency=0"
TOOL = {"name": "omniroute_route_request", "arguments": {"model": MODEL, "messages": HELLO}}
TASK = {"skill": "smart-routing", "messages": HELLO, "metadata": {"model": MODEL}}
DOORS: dict[str, tuple[str, dict[str, Any]]] = {
    "chat": ("/v1/chat/completions", {"model": MODEL, "messages": HELLO}),
    "chat streamed": ("/v1/chat/completions", {"model": MODEL, "messages": HELLO, "stream": True}),
    "messages": ("/v1/messages", {"model": MODEL, "max_tokens": 50, "messages": HELLO}),
    "messages streamed": (
        "/v1/messages",
        {"model": MODEL, "max_tokens": 50, "messages": HELLO, "stream": True},
    ),
    "responses": ("/v1/responses", {"model": MODEL, "input": f"hello {SAID}"}),
    "completions": ("/v1/completions", {"model": MODEL, "prompt": f"hello {SAID}"}),
    "gemini": (
        f"/v1beta/models/{MODEL}:generateContent",
        {"contents": [{"role": "user", "parts": [{"text": f"hello {SAID}"}]}]},
    ),
    "mcp": ("/mcp", {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": TOOL}),
    "a2a": ("/a2a", {"jsonrpc": "2.0", "id": 1, "method": "message/send", "params": TASK}),
}
MCP = {"accept": "application/json, text/event-stream", "mcp-protocol-version": "2025-11-25"}


class Logged:
    """A gateway, an administrator's client, and keys of every kind."""

    def __init__(self, gateway: Composed, api: httpx2.AsyncClient) -> None:
        self.gateway = gateway
        self.api = api

    async def key(self, **wish: Any) -> tuple[str, dict[str, str]]:
        """Make a key and give its id, and the header that it is presented in."""
        made = await self.api.post("/api/keys", json={"name": "one", "scopes": ["full"], **wish})
        assert made.status_code == 201, made.text
        told = made.json()
        return told["key"]["key_id"], {"authorization": f"Bearer {told['secret']}"}

    async def ask(self, sent: dict[str, str], door: str = "chat", **more: Any) -> str:
        """Ask at a door and give the id of the request."""
        path, body = DOORS[door]
        answer = await self.api.post(path, json={**body, **more}, headers={**MCP, **sent})
        assert answer.status_code == 200, answer.text
        newest = await self.api.get(f"{LOGS}?limit=1")
        return str(newest.json()[0]["id"])

    async def shown(self, request_id: str, **sent: str) -> dict[str, Any]:
        """Give the detail of a request, as whoever these headers are of."""
        answer = await self.api.get(f"{LOGS}/{request_id}", headers=sent)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def rows(self) -> list[Any]:
        """Give what is kept of prompts, as it is stored."""
        storage = self.gateway.parts.storage
        await storage.flush()
        sql = "SELECT request_id, secret FROM request_contents ORDER BY at_unix_s"
        return list(await storage.database.read(Statement(sql)))


@asynccontextmanager
async def logged(folder: Path, **variables: str) -> AsyncIterator[Logged]:
    async with (
        # With two workers MCP takes a call by itself.
        opened(folder, OMNIROUTE_WORKERS="2", **variables) as gateway,
        client(gateway, authorization=f"Bearer {gateway.token}") as api,
    ):
        yield Logged(gateway, api)


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Logged]:
    async with logged(tmp_path) as here:
        yield here


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest) -> dict[str, str]:
    """The variables that name the database."""
    if request.param == "sqlite":
        return {}
    return {"OMNIROUTE_DATABASE_URL": str(request.getfixturevalue("postgres_url"))}


@pytest.fixture
async def anywhere(database: dict[str, str], tmp_path: Path) -> AsyncIterator[Logged]:
    """The same on SQLite and on PostgreSQL."""
    async with logged(tmp_path, **database) as here:
        yield here


async def test_of_a_key_that_wishes_it_the_words_of_every_door_are_kept(here: Logged) -> None:
    _, sent = await here.key(log_content=True)

    for door in DOORS:
        shown = await here.shown(await here.ask(sent, door))

        assert SAID in json.dumps(shown["requestBody"]), door
        # The simulator says again what it was asked.
        assert SAID in json.dumps(shown["responseBody"]), door
        assert (shown["hasRequestBody"], shown["hasResponseBody"]) == (True, True), door


async def test_a_streamed_answer_is_kept_as_the_whole_one_that_it_adds_up_to(
    here: Logged,
) -> None:
    _, sent = await here.key(log_content=True)

    found = [
        (await here.shown(await here.ask(sent, door)))["responseBody"]["choices"][0]
        for door in ("chat", "chat streamed")
    ]

    told = [(one["message"]["content"], one["finish_reason"]) for one in found]
    assert told[0] == told[1]
    assert SAID in told[1][0]


@pytest.mark.parametrize("wish", [{}, {"keep_content": False}], ids=["usual", "no-log"])
async def test_of_other_keys_nothing_is_kept(here: Logged, wish: dict[str, Any]) -> None:
    _, sent = await here.key(**wish)

    for door in ("chat", "chat streamed", "mcp", "a2a"):
        shown = await here.shown(await here.ask(sent, door))

        assert (shown["requestBody"], shown["responseBody"]) == (None, None)
        assert (shown["hasRequestBody"], shown["hasResponseBody"]) == (False, False)
    assert await here.rows() == []


async def test_only_an_administrator_is_shown_the_words(here: Logged) -> None:
    _, sent = await here.key(log_content=True, scopes=["full", "read:usage"])
    request_id = await here.ask(sent)

    own = await here.shown(request_id, **sent)

    assert (own["request"]["id"], own["requestBody"], own["hasRequestBody"]) == (
        *(request_id, None),
        False,
    )
    assert (await here.shown(request_id))["hasRequestBody"]


async def test_a_key_cannot_keep_nothing_and_its_prompts(here: Logged) -> None:
    both = {"name": "both", "keep_content": False, "log_content": True}
    key_id, _ = await here.key(log_content=True)

    made = await here.api.post("/api/keys", json=both)
    changed = await here.api.patch(f"/api/keys/{key_id}", json={"keep_content": False})
    quiet = await here.api.patch(
        f"/api/keys/{key_id}", json={"keep_content": False, "log_content": False}
    )

    assert (made.status_code, changed.status_code, quiet.status_code) == (400, 400, 200)
    assert made.json()["error"]["param"] == "log_content"


@pytest.mark.parametrize("ending", ["wished no more", "revoked"])
async def test_what_was_kept_of_a_key_goes_with_its_wish(anywhere: Logged, ending: str) -> None:
    key_id, sent = await anywhere.key(log_content=True)
    _, others = await anywhere.key(log_content=True)
    mine, theirs = await anywhere.ask(sent), await anywhere.ask(others)
    before = [row["request_id"] for row in await anywhere.rows()]

    if ending == "revoked":
        await anywhere.api.delete(f"/api/keys/{key_id}")
    else:
        await anywhere.api.patch(f"/api/keys/{key_id}", json={"log_content": False})

    assert before == [mine, theirs]
    assert [row["request_id"] for row in await anywhere.rows()] == [theirs]
    assert not (await anywhere.shown(mine))["hasRequestBody"]
    assert (await anywhere.shown(theirs))["hasRequestBody"]


async def test_what_was_under_way_when_the_wish_ended_is_not_kept(here: Logged) -> None:
    key_id, sent = await here.key(log_content=True)
    caller = here.gateway.parts.storage.keys.caller_of(key_id)
    assert caller is not None

    await here.ask(sent)
    contents = here.gateway.parts.storage.contents
    waiting = await _of_one(here, sent)
    await here.api.patch(f"/api/keys/{key_id}", json={"log_content": False})
    contents.keep(waiting)

    assert await here.rows() == []


async def _of_one(here: Logged, sent: dict[str, str]) -> Any:
    """Give what the engine hands over at the end of one request."""
    contents, taken = here.gateway.parts.storage.contents, []
    engine = here.gateway.parts.gateway.route

    class Taking:
        def keep(self, exchanged: Any) -> None:
            taken.append(exchanged)

    object.__setattr__(engine, "contents", Taking())
    await here.ask(sent)
    object.__setattr__(engine, "contents", contents)
    (one,) = taken
    return one


async def test_credentials_in_what_is_kept_are_unreadable(here: Logged) -> None:
    _, sent = await here.key(log_content=True)
    secrets = ("sk-fake-0123456789abcdef", "hunter2-fake", "fake-of-the-header")
    said = f"my key is {secrets[0]}, and Authorization: Bearer {secrets[2]}"
    tools = [
        {"type": "function", "function": {"name": "f", "parameters": {"password": secrets[1]}}}
    ]

    shown = await here.shown(
        await here.ask(sent, messages=[{"role": "user", "content": said}], tools=tools)
    )

    text = json.dumps([shown["requestBody"], shown["responseBody"]])
    assert [one for one in secrets if one in text] == []
    assert shown["requestBody"]["messages"][0]["content"].startswith("my key is [redacted]")


async def test_of_what_is_long_the_beginning_and_the_end_are_kept(here: Logged) -> None:
    _, sent = await here.key(log_content=True)
    words = " ".join(f"word{number}" for number in range(40_000))

    shown = await here.shown(
        await here.ask(sent, messages=[{"role": "user", "content": f"first {words} last"}])
    )

    kept = shown["requestBody"]
    assert isinstance(kept, str)
    assert len(kept.encode()) < KEPT_BYTES_MAX + 100
    assert "first word0 word1" in kept
    assert "word39999 last" in kept
    assert "bytes left out]" in kept


async def test_what_is_kept_is_sealed_and_outlives_a_rotation_of_the_key_ring(
    here: Logged, tmp_path: Path
) -> None:
    _, sent = await here.key(log_content=True)
    request_id = await here.ask(sent)
    storage = here.gateway.parts.storage
    await here.rows()
    files = [one.read_bytes() for one in (tmp_path / "data").rglob("*.sqlite*")]
    first = (await here.api.get("/api/keyring")).json()["keys"][0]["key_id"]

    await storage.rings.add(actor="test")
    await storage.rings.retire(first, actor="test")
    (row,) = await here.rows()

    assert [one for one in files if SAID.encode() in one] == []
    assert sealed_with(bytes(row["secret"])) != first
    assert SAID in json.dumps((await here.shown(request_id))["requestBody"])


async def test_a_guards_replacement_is_what_is_kept(here: Logged) -> None:
    _, sent = await here.key(log_content=True)
    rules = {"everywhere": {"requests": "redact", "answers": "redact"}}
    assert (await here.api.put("/api/settings/guards", json=rules)).status_code == 200
    said = [{"role": "user", "content": "write to maria@shop.example"}]

    for door in ("chat", "chat streamed"):
        shown = await here.shown(await here.ask(sent, door, messages=said))

        text = json.dumps([shown["requestBody"], shown["responseBody"]])
        assert "maria@shop.example" not in text
        assert text.count("[EMAIL_REDACTED]") >= 2


async def test_the_oldest_go_beyond_a_number_of_bytes(anywhere: Logged) -> None:
    _, sent = await anywhere.key(log_content=True)
    ids = [await anywhere.ask(sent) for _ in range(3)]
    rows = await anywhere.rows()
    storage = anywhere.gateway.parts.storage
    storage.retention.content_bytes_max = len(rows[1]["secret"]) + len(rows[2]["secret"])

    await storage.retention.poll(now_s=storage.clock.now() + 1e6, now_unix_s=storage.clock.unix())

    assert [row["request_id"] for row in await anywhere.rows()] == ids[1:]
    assert not (await anywhere.shown(ids[0]))["hasRequestBody"]


async def test_what_was_kept_goes_with_its_request(anywhere: Logged) -> None:
    _, sent = await anywhere.key(log_content=True)
    await anywhere.ask(sent)
    storage = anywhere.gateway.parts.storage
    assert len(await anywhere.rows()) == 1

    await storage.retention.prune(storage.clock.unix() + 1)

    assert await anywhere.rows() == []


async def test_a_request_that_failed_has_its_prompt_kept_and_no_answer(here: Logged) -> None:
    _, sent = await here.key(log_content=True)
    body = {"model": "sim/fast@latency=0,fault=server_error", "messages": HELLO}

    answer = await here.api.post("/v1/chat/completions", json=body, headers=sent)
    shown = await here.shown(answer.headers["x-request-id"])

    assert answer.status_code >= 500
    assert shown["requestBody"]["messages"] == HELLO
    assert (shown["responseBody"], shown["hasResponseBody"]) == (None, False)
