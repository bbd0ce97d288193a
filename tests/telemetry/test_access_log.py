"""The access log: every request, by route and never by what a client could choose."""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from omniroute.server.log_lines import JsonFormatter
from tests.upstream.servers import ANSWER, STREAM, Exchange, whole
from tests.v1.mounted import mounted
from tests.v1.whole import client, opened

pytestmark = pytest.mark.anyio

CHAT = {"model": "sim/fast@latency=0", "messages": [{"role": "user", "content": "my diary"}]}
ON = {"OMNIROUTE_ACCESS_LOG": "on"}


class Lines(logging.Handler):
    """What is logged, as JSON."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(JsonFormatter())
        self.told: list[dict[str, Any]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.told.append(json.loads(self.format(record)))

    def of(self, event: str) -> list[dict[str, Any]]:
        return [line for line in self.told if line["event"] == event]


@contextmanager
def logged() -> Iterator[Lines]:
    logger, lines = logging.getLogger("omniroute"), Lines()
    before = logger.level
    logger.addHandler(lines)
    logger.setLevel(logging.INFO)
    try:
        yield lines
    finally:
        logger.removeHandler(lines)
        logger.setLevel(before)


async def whole_answer(exchange: Exchange) -> None:
    await exchange.send(whole(ANSWER))


async def streamed(exchange: Exchange) -> None:
    await exchange.send(STREAM)


async def test_a_request_is_logged_with_what_came_of_it_and_what_it_cost(tmp_path: Path) -> None:
    with logged() as lines:
        async with opened(tmp_path, **ON) as gateway, client(gateway) as http:
            answer = await http.post("/v1/chat/completions", json=CHAT)
            gateway.parts.telemetry.drain()

    (asked,), (came,) = lines.of("http_request"), lines.of("request")
    assert (asked["method"], asked["route"], asked["status"]) == (
        "POST",
        "/v1/chat/completions",
        200,
    )
    assert asked["response_bytes"] == len(answer.content)
    assert asked["request_id"] == came["request_id"] == answer.headers["x-request-id"]
    assert (came["provider"], came["model_name"], came["state"]) == (
        "sim",
        "fast@latency=0",
        "answered",
    )
    assert came["input_tokens"] == answer.json()["usage"]["prompt_tokens"]
    assert came["cost_usd_nanos"] == round(float(answer.headers["x-omniroute-cost-usd"]) * 1e9)


async def test_on_connections_of_our_own_hot_doors_log_their_requests_once(tmp_path: Path) -> None:
    with logged() as lines:
        async with mounted(tmp_path, ("openai_chat", whole_answer), **ON) as here:
            answers = [await here.ask("openai_chat") for _ in range(3)]
            refused = await here.ask("openai_chat", "nobody/knows")

    asked = lines.of("http_request")
    assert [line["status"] for line in asked] == [200, 200, 200, 404]
    assert [line["request_id"] for line in asked] == [
        one.headers["x-request-id"] for one in (*answers, refused)
    ]
    assert {line["peer"] for line in asked} == {"127.0.0.1"}


async def test_a_stream_is_logged_at_its_end_with_its_bytes(tmp_path: Path) -> None:
    with logged() as lines:
        async with mounted(tmp_path, ("openai_chat", streamed), **ON) as here:
            answer = await here.ask("openai_chat", stream=True)

    (asked,) = lines.of("http_request")
    assert asked["response_bytes"] == len(answer.content)


async def test_neither_path_nor_query_nor_header_of_a_client_is_logged(tmp_path: Path) -> None:
    secret = "my-diary-0123456789"
    with logged() as lines:
        async with opened(tmp_path, **ON) as gateway, client(gateway) as http:
            await http.get(f"/{secret}", headers={"x-api-key": secret, "x-request-id": secret})
            await http.post(f"/v1/chat/completions?key={secret}", json={"model": secret})
            await http.post(f"/v1/providers/{secret}/chat/completions", json={"model": secret})
            await http.get(f"/v1/models/{secret}")
            await http.get(f"/api/a2a/tasks/{secret}")
            gateway.parts.telemetry.drain()

    assert secret not in json.dumps(lines.told)
    assert [line["route"] for line in lines.of("http_request")] == [
        "-",
        "/v1/chat/completions",
        "/v1/providers/...",
        "/v1/models/{model:path}",
        "/api/a2a/tasks/{id}",
    ]


async def test_without_the_setting_no_request_is_logged(tmp_path: Path) -> None:
    with logged() as lines:
        async with mounted(tmp_path, ("openai_chat", whole_answer)) as here:
            await here.ask("openai_chat")
            await here.client.get("/api/status")

    assert lines.told == []
