"""Ollama's API, by its official Python client over a socket and by hand."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import ollama
import pytest

from omniroute.server.simulator.simulator import Simulator
from tests.processes import RunningGateway
from tests.v1.whole import client, opened

pytestmark = pytest.mark.anyio

MODEL = "sim/fast@latency=0"
SAID = "[simulated by sim/fast] You said: hello there"
HELLO = [{"role": "user", "content": "hello there"}]
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather of a city",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    },
}
DIALECTS = ("openai_chat", "openai_responses", "anthropic", "gemini")
PIXEL = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(40)).decode()


@pytest.fixture
async def http(tmp_path: Path) -> AsyncIterator[httpx2.AsyncClient]:
    async with opened(tmp_path) as gateway, client(gateway) as made:
        yield made


def lines(answer: httpx2.Response) -> list[Any]:
    return [json.loads(line) for line in answer.text.splitlines()]


@pytest.fixture
async def own(shared_gateway: RunningGateway) -> AsyncIterator[ollama.AsyncClient]:
    """Ollama's own client of a gateway in a process of its own."""
    async with ollama.AsyncClient(host=shared_gateway.url) as made:
        yield made


async def test_ollamas_own_client_chats_streamed_and_whole_alike(own: ollama.AsyncClient) -> None:
    whole = await own.chat(model=MODEL, messages=HELLO)
    stream = [part async for part in await own.chat(model=MODEL, messages=HELLO, stream=True)]

    assert whole.message.content == SAID
    assert "".join(part.message.content or "" for part in stream) == SAID
    assert [part.done for part in stream[-2:]] == [False, True]
    last = stream[-1]
    assert (last.done_reason, last.eval_count) == ("stop", whole.eval_count)
    assert last.prompt_eval_count == whole.prompt_eval_count
    for answer in (whole, last):
        assert answer.total_duration is not None
        assert answer.prompt_eval_duration is not None
        assert answer.eval_duration is not None
        assert answer.prompt_eval_duration + answer.eval_duration == pytest.approx(
            answer.total_duration, abs=2
        )
        assert answer.total_duration > 0


async def test_ollamas_own_client_generates_lists_and_shows(own: ollama.AsyncClient) -> None:
    generated = await own.generate(model=MODEL, prompt="hello there", system="Be brief")
    parts = [one async for one in await own.generate(model=MODEL, prompt="hi", stream=True)]
    listed = await own.list()
    shown = await own.show("sim/smart")

    assert (generated.response or "").endswith("You said: hello there")
    assert "".join(one.response or "" for one in parts).endswith("You said: hi")
    assert {"auto", "sim/fast"} <= {one.model for one in listed.models}
    assert "sim/embed" not in {one.model for one in listed.models}
    assert shown.capabilities == ["completion", "tools"]
    assert shown.modelinfo is not None
    assert shown.modelinfo["sim.context_length"] == 200_000


async def test_ollamas_own_client_runs_a_tool_loop(own: ollama.AsyncClient) -> None:
    history: list[Any] = [{"role": "user", "content": "use get_weather for Paris"}]

    first = await own.chat(model=MODEL, messages=history, tools=[WEATHER])
    parts = [
        one
        async for one in await own.chat(model=MODEL, messages=history, tools=[WEATHER], stream=True)
    ]
    calls = first.message.tool_calls
    assert calls is not None
    history += [
        first.message,
        {"role": "tool", "tool_name": calls[0].function.name, "content": "21 degrees"},
    ]
    second = await own.chat(model=MODEL, messages=history, tools=[WEATHER])

    streamed = [call for part in parts for call in part.message.tool_calls or ()]
    assert calls[0].function.name == "get_weather"
    assert isinstance(calls[0].function.arguments["city"], str)
    assert [one.function.arguments for one in streamed] == [calls[0].function.arguments]
    assert second.message.content


@asynccontextmanager
async def behind(simulator: Simulator, dialect: str, folder: Path) -> AsyncIterator[Any]:
    """A client of a gateway whose provider `mine` is the simulator, speaking a dialect."""
    version = "v1beta" if dialect == "gemini" else "v1"
    account = {
        "provider": "mine",
        "base_url": f"{simulator.url}/{version}",
        "dialect": dialect,
        "models": ["fast"],
        "key": "sk-fake",
    }
    async with opened(folder) as gateway, client(gateway) as http:
        made = await http.post("/api/providers", json=account)
        assert made.status_code == 201, made.text
        yield http


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_every_upstream_dialect_answers_ollamas_clients(dialect: str, tmp_path: Path) -> None:
    options = {"num_predict": 60, "temperature": 0, "stop": ["zzz"]}
    body = {"model": "mine/fast", "messages": HELLO, "options": options}

    async with Simulator() as simulator, behind(simulator, dialect, tmp_path) as http:
        streamed = await http.post("/api/chat", json=body)
        whole = (await http.post("/v1/api/chat", json={**body, "stream": False})).json()

    told = lines(streamed)
    assert streamed.headers["content-type"] == "application/x-ndjson"
    text = "".join(one["message"]["content"] for one in told)
    assert text == whole["message"]["content"]
    assert text.endswith("You said: hello there")
    assert told[-1]["eval_count"] == whole["eval_count"] > 0


async def test_an_image_and_a_schema_reach_the_model(tmp_path: Path) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    turn = {"role": "user", "content": "look", "images": [PIXEL]}
    body = {"model": "mine/fast", "messages": [turn], "format": schema, "stream": False}

    async with Simulator() as simulator, behind(simulator, "anthropic", tmp_path) as http:
        answer = await http.post("/api/chat", json=body)

    assert answer.status_code == 200, answer.text
    assert isinstance(json.loads(answer.json()["message"]["content"])["n"], int)


async def test_nothing_to_answer_only_loads(http: httpx2.AsyncClient) -> None:
    chat = await http.post("/api/chat", json={"model": MODEL, "messages": []})
    generate = await http.post("/api/generate", json={"model": MODEL})

    for answer in (chat.json(), generate.json()):
        assert (answer["done"], answer["done_reason"]) == (True, "load")


async def test_options_of_a_machine_are_left_out_and_named(http: httpx2.AsyncClient) -> None:
    body = {
        "model": MODEL,
        "messages": HELLO,
        "options": {"num_ctx": 4096, "top_k": 3},
    }

    streamed = await http.post("/api/chat", json=body)
    whole = await http.post("/api/chat", json={**body, "stream": False})

    for answer in (streamed, whole):
        assert answer.headers["x-omniroute-dropped"] == "options.num_ctx, options.top_k"


async def test_ollamas_own_client_gets_vectors(own: ollama.AsyncClient) -> None:
    several = await own.embed(model="sim/embed", input=["hello", "bye"])
    one = await own.embed(model="sim/embed:latest", input="hello")
    older = await own.embeddings(model="sim/embed", prompt="hello")

    assert several.embeddings[0] == one.embeddings[0] == older.embedding
    assert several.embeddings[0] != several.embeddings[1]
    assert several.prompt_eval_count
    assert several.total_duration


@pytest.mark.parametrize(
    ("path", "body", "status", "words"),
    [
        ("/api/chat", {"model": "none-such", "messages": HELLO}, 404, "none-such"),
        ("/api/chat", {"messages": HELLO}, 400, "`model`"),
        ("/api/chat", {"model": MODEL, "messages": [{"role": "x"}]}, 400, "role"),
        (
            "/api/chat",
            {"model": MODEL, "messages": [{"role": "tool", "content": "1"}]},
            400,
            "waits for an answer",
        ),
        (
            "/api/chat",
            {"model": MODEL, "messages": [{"role": "user", "images": ["%%%"]}]},
            400,
            "base64",
        ),
        ("/api/generate", {"model": MODEL, "prompt": "x", "raw": True}, 400, "`raw`"),
        ("/api/generate", {"model": MODEL, "prompt": "x", "context": [1]}, 400, "`context`"),
        ("/api/show", {"model": "none-such"}, 404, "none-such"),
        ("/api/embed", {"model": "none-such", "input": "x"}, 404, "none-such"),
        ("/api/embed", {"model": "sim/embed"}, 400, "`input`"),
        ("/api/embeddings", {"model": "sim/embed", "input": "x"}, 400, "`prompt`"),
    ],
)
async def test_errors_are_written_as_ollama_writes_them(
    http: httpx2.AsyncClient, path: str, body: object, status: int, words: str
) -> None:
    answer = await http.post(path, json=body)

    assert answer.status_code == status
    assert words in answer.json()["error"]


async def test_a_provider_that_fails_late_ends_the_stream_with_an_error_line(
    http: httpx2.AsyncClient,
) -> None:
    answer = await http.post(
        "/api/chat", json={"model": "sim/fast@latency=0,fault=error_later", "messages": HELLO}
    )

    assert answer.status_code == 200
    assert "error" in lines(answer)[-1]
    assert not any(one.get("done") for one in lines(answer))


async def test_a_stream_is_kept_alive_by_lines_that_ollamas_client_reads(tmp_path: Path) -> None:
    model = "sim/fast@latency=0,fault=slow_first_byte,seconds=0.4"
    hold = {"OMNIROUTE_FIRST_BYTE_HOLD_S": "0.05"}
    async with opened(tmp_path, **hold) as gateway, client(gateway) as http:
        answer = await asyncio.wait_for(
            http.post("/api/chat", json={"model": model, "messages": HELLO}), 10
        )

    told = lines(answer)
    assert told[0]["done"] is False
    assert told[0]["message"]["content"] == ""
    assert "".join(one["message"]["content"] for one in told) == SAID
