"""No answer of the gateway gives a secret back: not by its schema, and not when it is tried."""

import base64
import json
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx2
import pytest

from tests.upstream.servers import Exchange, serving, whole
from tests.v1.whole import client, opened

pytestmark = pytest.mark.anyio

CANARIES = {
    "the key of an account": "sk-fake-canary-account-0123456789",
    "the key of a variable": "sk-fake-canary-variable-0123456789",
    "a header of an account": "fake-canary-header-0123456789",
    "the password of an account's proxy": "fake-canary-proxy-0123456789",
    "the password of a shared proxy": "fake-canary-shared-0123456789",
    "the password of the setting's proxy": "fake-canary-setting-0123456789",
    "the ring": "fake-canary-ring-0123456789-0123456789",
}
SUSPICIOUS = re.compile(
    r"secret|passw|credential|private|pepper|cookie|bearer|authoriz|proxy|header|"
    r"(^|_|[a-z])[kK]ey($|_|[A-Z])|[tT]oken($|_|[A-Z])"
)
HARMLESS = {
    ("NewKeyJson", "secret"): "a new key of the gateway's own, shown this once",
    ("AccountJson", "key_masked"): "the last four characters of a long one",
    ("AccountJson", "key_from"): "the name of the variable that holds it",
    ("AccountJson", "proxy"): "without user name and password",
    ("AccountJson", "headers"): "their names alone",
    ("OverviewJson", "keyNames"): "what keys are called, by their ids",
    ("ProviderQuota", "tokenExpiresAt"): "a time",
}
"""Text in answers whose name sounds as if it were a secret, and what it is."""
IDS = re.compile(r"key_?id|apiKeyName", re.IGNORECASE)
OPEN = ("/health", "/ready", "/openapi.json", "/metrics", "/.well-known/", "/api/")
ENDLESS = ("/api/usage/live",)
"""Answers that go on for as long as somebody listens: requests as the call log has them."""


def answered(document: Mapping[str, Any]) -> set[str]:
    """Give the names of all schemas that answers hold, themselves or within others."""
    parts = {**document["components"]["responses"], **document["components"]["schemas"]}
    found = set[str]()
    waiting = [
        name
        for methods in document["paths"].values()
        for route in methods.values()
        if isinstance(route, dict)
        for name in references(route.get("responses", {}))
    ]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += references(parts[name])
    return found


def references(part: Any) -> list[str]:
    """Give the schemas that a part of the document names."""
    if isinstance(part, dict):
        own = [part["$ref"].rpartition("/")[2]] if isinstance(part.get("$ref"), str) else []
        return own + [name for one in part.values() for name in references(one)]
    return [name for one in part for name in references(one)] if isinstance(part, list) else []


def texts(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Give each field of answers that may hold text."""
    for name in answered(document):
        schema_of = document["components"]["schemas"].get(name, {})
        for field, schema in schema_of.get("properties", {}).items():
            if '"string"' in str(schema).replace("'", '"'):
                yield name, field


async def test_no_answer_has_a_field_for_a_secret(tmp_path: Path) -> None:
    async with opened(tmp_path) as gateway, client(gateway) as caller:
        document = (await caller.get("/openapi.json")).json()

    fields = set(texts(document))
    doubtful = {one for one in fields if SUSPICIOUS.search(one[1]) and not IDS.search(one[1])}
    assert len(fields) > 100
    assert doubtful == set(HARMLESS)


def forms(secret: str) -> set[bytes]:
    """Give how a secret may be written."""
    raw = secret.encode()
    return {raw, raw[::-1], base64.b64encode(raw)[2:-4], quote(secret, safe="").encode()}


@asynccontextmanager
async def full(folder: Path, url: str) -> AsyncIterator[httpx2.AsyncClient]:
    """Give an administrator's client of a gateway in which every secret is set."""
    setting = CANARIES["the password of the setting's proxy"]
    variables = {
        "GROQ_API_KEY": CANARIES["the key of a variable"],
        "OMNIROUTE_PROXY": f"http://someone:{setting}@10.0.0.9:3128",
        "OMNIROUTE_STORAGE_ENCRYPTION_KEY": CANARIES["the ring"],
    }
    async with (
        opened(folder, **variables) as gateway,
        client(gateway, authorization=f"Bearer {gateway.token}") as caller,
    ):
        account = {
            "provider": "mine",
            "name": "mine",
            "base_url": url,
            "dialect": "openai_chat",
            "key": CANARIES["the key of an account"],
            "headers": {"x-own-key": CANARIES["a header of an account"]},
            "models": ["m"],
        }
        made = await caller.post("/api/providers", json=account)
        assert made.status_code == 201, made.text
        password = CANARIES["the password of an account's proxy"]
        away = {
            "provider": "openai",
            "name": "away",
            "key": CANARIES["the key of an account"],
            "proxy": f"http://someone:{password}@10.0.0.9:3128",
        }
        assert (await caller.post("/api/providers", json=away)).status_code == 201
        shared = {
            "type": "http",
            "host": "10.0.0.9",
            "port": 3128,
            "username": "someone",
            "password": CANARIES["the password of a shared proxy"],
        }
        level = {"level": "provider", "id": "anthropic", "proxy": shared}
        assert (await caller.put("/api/settings/proxy", json=level)).status_code == 200
        yield caller


async def asked(caller: httpx2.AsyncClient) -> dict[str, bytes]:
    """Ask whatever can be asked, rightly and wrongly, and give what came, heads and bodies."""
    chat = {"model": "mine/m", "messages": [{"role": "user", "content": "hi"}]}
    got: dict[str, bytes] = {}

    async def ask(method: str, path: str, body: object = None) -> httpx2.Response:
        answer = await caller.request(method, path, json=body, timeout=60.0)
        got[f"{method} {path}"] = f"{answer.status_code} {answer.headers}".encode() + answer.content
        return answer

    failed = await ask("POST", "/v1/chat/completions", chat)
    await ask("POST", "/api/providers/mine/test?model=m")
    document = (await caller.get("/openapi.json")).json()
    names = {"account": "mine", "request_id": failed.headers["x-request-id"]}
    for path, methods in document["paths"].items():
        filled = re.sub(r"{(\w+)(:path)?}", lambda one: names.get(one[1], "mine"), path)
        if not path.startswith(OPEN) or path.endswith("/stream") or path in ENDLESS:
            continue
        if "get" in methods:
            await ask("GET", filled)
        for method in {"post", "put", "patch"} & {*methods}:
            await ask(method.upper(), filled, {"no such": "field"})
    return got


async def test_no_answer_gives_a_secret_back_to_an_administrator(tmp_path: Path) -> None:
    async def parrot(exchange: Exchange) -> None:
        """Fail, and tell in the error everything that was sent."""
        head = exchange.head.decode("latin-1")
        error = json.dumps({"error": {"message": f"wrong: {head}", "type": "x"}})
        await exchange.send(whole(error.encode(), status="400 Bad Request"))

    async with serving(parrot) as server, full(tmp_path, server.url) as caller:
        got = await asked(caller)

    leaks = {
        (what, where)
        for what, secret in CANARIES.items()
        for where, answer in got.items()
        if any(form in answer for form in forms(secret))
    }
    assert leaks == set()
    assert CANARIES["the key of an account"].encode() in server.requests[0].head
    assert len([one for one in got.values() if one.startswith(b"200")]) > 50


async def test_no_file_of_the_data_folder_holds_a_secret(tmp_path: Path) -> None:
    async with serving(answer_nothing) as server, full(tmp_path, server.url) as caller:
        backup = await caller.get("/api/db-backups/export")
    files = {path: path.read_bytes() for path in (tmp_path / "data").rglob("*") if path.is_file()}
    files[Path("backup")] = backup.content

    leaks = {
        (what, path.name)
        for what, secret in CANARIES.items()
        for path, content in files.items()
        if any(form in content for form in forms(secret))
    }
    assert leaks == set()
    assert backup.content.startswith(b"SQLite format 3")
    assert any(path.name.startswith("storage.sqlite") for path in files)


async def answer_nothing(exchange: Exchange) -> None:
    exchange.hang_up()
