"""The call log and the history of a whole gateway, in the shapes that OmniRoute documents."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from omniroute.server.redacting import redacted
from omniroute.server.store.key_terms import KeyTerms
from tests.v1.whole import client, opened

pytestmark = pytest.mark.anyio

FAST = "sim/fast@latency=0,pace=0"
SECRET_WORDS = "the prompt that nobody keeps"


class Used:
    """A gateway that two keys have used, and its administrator."""

    def __init__(self, caller: httpx2.AsyncClient, token: str, keys: dict[str, str]) -> None:
        self.caller = caller
        self.keys = {"admin": token, **keys}

    async def ask(self, model: str, *, key: str) -> httpx2.Response:
        body = {"model": model, "messages": [{"role": "user", "content": SECRET_WORDS}]}
        return await self.caller.post("/v1/chat/completions", json=body, headers=self._as(key))

    async def get(self, path: str, *, key: str = "admin") -> httpx2.Response:
        return await self.caller.get(path, headers=self._as(key))

    async def log(self, query: str = "", *, key: str = "admin") -> list[Any]:
        answer = await self.get(f"/api/usage/call-logs?{query}", key=key)
        assert answer.status_code == 200, answer.text
        found: list[Any] = answer.json()
        return found

    def _as(self, key: str) -> dict[str, str]:
        return {"authorization": f"Bearer {self.keys[key]}"}


@asynccontextmanager
async def used(folder: Path) -> AsyncIterator[Used]:
    async with opened(folder) as gateway, client(gateway) as caller:
        made: dict[str, str] = {}
        for name in ("anna", "bert"):
            terms = KeyTerms(name=name, scopes=("write:route", "read:usage"))
            made[name] = (await gateway.parts.storage.keys.create(terms, actor="test")).text
        here = Used(caller, gateway.token, made)
        await here.ask(FAST, key="anna")
        await here.ask(FAST, key="bert")
        await here.ask("sim/nothing-of-that-name", key="bert")
        yield here


async def test_a_row_tells_what_was_asked_and_what_it_took(tmp_path: Path) -> None:
    async with used(tmp_path) as here:
        answer = await here.ask(FAST, key="anna")
        newest, *older = await here.log()
        detail = (await here.get(f"/api/usage/call-logs/{newest['id']}")).json()

    assert newest["id"] == answer.headers["x-request-id"]
    assert (newest["status"], newest["outcome"], newest["error"]) == (200, "answered", None)
    assert (newest["provider"], newest["requestedModel"]) == ("sim", FAST)
    assert (newest["apiKeyName"], newest["door"], newest["requestType"]) == ("anna", "v1", "chat")
    assert newest["tokens"]["in"] > 0
    assert newest["tokens"]["out"] > 0
    assert newest["cost"] > 0
    assert (newest["repricedCost"], newest["simulated"], newest["attempts"]) == (None, True, 1)
    assert len(older) == 3
    assert detail["request"] == newest
    assert [one["number"] for one in detail["tried"]] == [1]
    assert (detail["hasRequestBody"], detail["requestBody"]) == (False, None)


async def test_no_prompt_is_in_the_log(tmp_path: Path) -> None:
    async with used(tmp_path) as here:
        rows = await here.get("/api/usage/call-logs")
        details = [await here.get(f"/api/usage/call-logs/{one['id']}") for one in rows.json()]
        lines = await here.get("/api/usage/logs")

    assert len(details) == 3
    assert all(SECRET_WORDS not in one.text for one in (rows, *details, lines))


async def test_the_log_is_filtered(tmp_path: Path) -> None:
    expected = {
        "status=ok": 2,
        "status=error": 1,
        "status=client_gone": 0,
        f"model={FAST}": 2,
        "provider=sim": 2,
        "provider=openai": 0,
        "apiKey=bert": 2,
        "apiKey=nobody": 0,
        "combo=fast": 0,
        "account=simulator": 2,
        "account=nobody": 0,
        "search=NOTHING-OF": 1,
        "search=%25": 0,
        "limit=1": 1,
    }
    async with used(tmp_path) as here:
        found = {query: len(await here.log(query)) for query in expected}

    assert found == expected


async def test_pages_go_back_to_the_beginning(tmp_path: Path) -> None:
    async with used(tmp_path) as here:
        every = [one["id"] for one in await here.log()]
        pages, before = [], ""
        for _ in range(3):
            (row,) = await here.log(f"limit=1&before={before}")
            before = row["id"]
            pages.append(before)
        beyond = await here.log(f"before={before}")
        unknown = await here.log("before=nobody")

    assert pages == every
    assert (beyond, unknown) == ([], [])


async def test_what_cannot_be_read_is_refused(tmp_path: Path) -> None:
    wrong = ("status=fine", "limit=0", "limit=501", "limit=many")
    async with used(tmp_path) as here:
        answers = [await here.get(f"/api/usage/call-logs?{query}") for query in wrong]

    assert [one.status_code for one in answers] == [400] * len(wrong)


async def test_a_key_sees_its_own_requests_alone(tmp_path: Path) -> None:
    async with used(tmp_path) as here:
        own = await here.log(key="anna")
        others = await here.log("apiKey=bert", key="anna")
        bert = (await here.log("apiKey=bert"))[0]["id"]
        anothers = await here.get(f"/api/usage/call-logs/{bert}", key="anna")
        missing = await here.get("/api/usage/call-logs/nobody", key="anna")
        history = (await here.get("/api/usage/history", key="anna")).json()

    assert [one["apiKeyName"] for one in own] == ["anna"]
    assert others == []
    assert anothers.status_code == missing.status_code == 404
    assert anothers.text.replace(bert, "nobody") == missing.text
    assert history["totalRequests"] == 1
    assert [one["requests"] for one in history["byApiKey"].values()] == [1]


async def test_history_adds_up_and_tells_the_last_minutes(tmp_path: Path) -> None:
    async with used(tmp_path) as here:
        history = (await here.get("/api/usage/history")).json()

    assert history["totalRequests"] == 3
    assert history["totalCost"] > 0
    assert history["byProvider"]["sim"]["requests"] == 2
    assert history["byProvider"]["none"]["requests"] == 1
    assert len(history["last10Minutes"]) == 10
    assert sum(one["requests"] for one in history["last10Minutes"]) == 3
    assert sum(one["cost"] for one in history["last10Minutes"]) == pytest.approx(
        history["totalCost"]
    )
    assert (history["pending"], history["activeRequests"]) == ({"byAccount": {}}, [])


async def test_each_request_is_one_line(tmp_path: Path) -> None:
    async with used(tmp_path) as here:
        lines = (await here.get("/api/usage/logs")).json()
        same = (await here.get("/api/usage/request-logs")).json()

    assert lines == same
    assert len(lines) == 3
    assert " | anna | " in lines[2]
    assert f" | {FAST} | sim/" in lines[2]
    assert " | 404 | " in lines[0]
    assert all("\n" not in one for one in lines)


@pytest.mark.parametrize(
    "text",
    [
        "Incorrect API key provided: sk-proj-abcdef0123456789.",
        "invalid key AIzaSyA0123456789abcdefghijk in the URL",
        "authorization: Bearer abc.def-ghi was refused",
        'the header {"x-api-key": "0123456789abcdef"} is not valid',
        "token=abcdef0123456789&x=1",
        "eyJhbGciOiJI.eyJzdWIiOiIx.c2lnbmF0dXJl has expired",
        "AKIAABCDEFGHIJKLMNOP is not allowed",
    ],
)
def test_what_looks_like_a_credential_is_not_shown(text: str) -> None:
    shown = redacted(text)

    assert "[redacted]" in shown
    assert not any(
        one in shown
        for one in ("abcdef", "AIzaSyA", "abc.def", "0123456789", "eyJ", "ABCDEFGH", "c2lnbm")
    )


@pytest.mark.parametrize(
    "text",
    [
        "the model gpt-5-mini does not exist",
        "maximum context length is 8192 tokens, you asked for 9000 tokens",
        "rate limit reached: retry in 20 s",
        "the sky-high price of key-lime pie",
    ],
)
def test_what_is_no_credential_stays_readable(text: str) -> None:
    assert redacted(text) == text
