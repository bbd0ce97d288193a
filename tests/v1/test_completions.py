"""POST /v1/completions, over HTTP, by OpenAI's own SDK and by hand, on all four dialects."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import openai
import pytest

from omniroute.server.simulator.simulator import Simulator
from tests.v1.whole import HOST, client, opened

pytestmark = pytest.mark.anyio

SAID = "[simulated by sim/fast] You said: hello there"
MODEL = "sim/fast@latency=0"
DIALECTS = ("openai_chat", "openai_responses", "anthropic", "gemini")


@pytest.fixture
async def http(tmp_path: Path) -> AsyncIterator[httpx2.AsyncClient]:
    async with opened(tmp_path) as gateway, client(gateway) as made:
        yield made


def sdk_of(http: httpx2.AsyncClient) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(
        api_key="sk-fake", base_url=f"{HOST}/v1", http_client=http, max_retries=0
    )


async def test_defect_4_2_a_completion_is_a_text_completion_and_not_a_chat(
    http: httpx2.AsyncClient,
) -> None:
    answer = await http.post("/v1/completions", json={"model": MODEL, "prompt": "hello there"})

    whole = answer.json()
    assert (answer.status_code, whole["object"]) == (200, "text_completion")
    assert whole["id"].startswith("cmpl-")
    (choice,) = whole["choices"]
    assert choice == {"text": SAID, "index": 0, "logprobs": None, "finish_reason": "stop"}
    assert whole["usage"]["completion_tokens"] > 0
    assert answer.headers["x-omniroute-provider"] == "sim"


async def test_openais_sdk_completes_streamed_and_whole_alike(http: httpx2.AsyncClient) -> None:
    sdk = sdk_of(http)

    whole = await sdk.completions.create(model=MODEL, prompt="hello there")
    stream = await sdk.completions.create(
        model=MODEL, prompt="hello there", stream=True, stream_options={"include_usage": True}
    )
    chunks = [chunk async for chunk in stream]

    text = "".join(choice.text for chunk in chunks for choice in chunk.choices)
    assert text == whole.choices[0].text == SAID
    assert {chunk.object for chunk in chunks} == {"text_completion"}
    assert chunks[-1].choices == []
    assert chunks[-1].usage == whole.usage
    assert [chunk.usage for chunk in chunks[:-1]] == [None] * (len(chunks) - 1)


async def test_prompts_and_choices_are_numbered_and_their_usage_is_added(
    http: httpx2.AsyncClient,
) -> None:
    sdk = sdk_of(http)

    one = await sdk.completions.create(model=MODEL, prompt="hello there")
    four = await sdk.completions.create(
        model=MODEL, prompt=["hello there", "bye"], n=2, echo=True, best_of=2
    )
    stream = await sdk.completions.create(
        model=MODEL, prompt=["hello there", "bye"], n=2, echo=True, stream=True
    )
    texts = dict.fromkeys(range(4), "")
    async for chunk in stream:
        for choice in chunk.choices:
            texts[choice.index] += choice.text

    assert [choice.index for choice in four.choices] == [0, 1, 2, 3]
    assert four.choices[0].text == four.choices[1].text == f"hello there{SAID}"
    assert four.choices[3].text.startswith("bye[simulated")
    assert texts == {choice.index: choice.text for choice in four.choices}
    assert one.usage is not None
    assert four.usage is not None
    assert four.usage.completion_tokens > 2 * one.usage.completion_tokens


async def test_a_suffix_is_told_as_what_follows(http: httpx2.AsyncClient) -> None:
    answer = await http.post(
        "/v1/completions", json={"model": MODEL, "prompt": "def f():", "suffix": "return x"}
    )

    said = answer.json()["choices"][0]["text"]
    assert "<before>def f():</before>" in said
    assert "<after>return x</after>" in said


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_every_upstream_dialect_completes(dialect: str, tmp_path: Path) -> None:
    async with (
        Simulator() as simulator,
        opened(tmp_path) as gateway,
        client(gateway) as http,
    ):
        version = "v1beta" if dialect == "gemini" else "v1"
        made = await http.post(
            "/api/providers",
            json={
                "provider": "mine",
                "base_url": f"{simulator.url}/{version}",
                "dialect": dialect,
                "models": ["fast"],
                "key": "sk-fake",
            },
        )
        assert made.status_code == 201, made.text
        body = {"model": "mine/fast", "prompt": "hello there", "max_tokens": 50, "stop": ["zzz"]}

        whole = (await http.post("/v1/completions", json=body)).json()
        streamed = await http.post("/v1/completions", json={**body, "stream": True})

    assert whole["choices"][0]["text"].endswith("You said: hello there")
    assert whole["choices"][0]["finish_reason"] == "stop"
    assert whole["usage"]["total_tokens"] > 0
    assert streamed.text.endswith("data: [DONE]\n\n")
    assert '"finish_reason":"stop"' in streamed.text


@pytest.mark.parametrize(
    ("body", "status", "param"),
    [
        ({"model": MODEL, "prompt": [1, 2, 3]}, 400, "prompt"),
        ({"model": "none-such", "prompt": "x"}, 404, None),
        ({"prompt": "x"}, 400, "model"),
        ([], 400, None),
    ],
)
async def test_refusals_are_openais_errors(
    http: httpx2.AsyncClient, body: object, status: int, param: str | None
) -> None:
    answer = await http.post("/v1/completions", json=body)

    error = answer.json()["error"]
    assert (answer.status_code, error["param"]) == (status, param)
    assert error["type"] == "invalid_request_error"


async def test_a_provider_that_fails_late_ends_the_stream_with_an_error(
    http: httpx2.AsyncClient,
) -> None:
    sdk = sdk_of(http)

    stream = await sdk.completions.create(
        model="sim/fast@latency=0,fault=error_later", prompt="hello there", stream=True
    )

    with pytest.raises(openai.APIError):
        [chunk async for chunk in stream]


async def test_a_repeated_request_gets_the_first_answer(http: httpx2.AsyncClient) -> None:
    named = {"idempotency-key": "once"}
    body = {"model": MODEL, "prompt": "hello there"}

    first = await http.post("/v1/completions", json=body, headers=named)
    second = await http.post("/v1/completions", json=body, headers=named)

    assert second.content == first.content
    assert second.headers["idempotent-replayed"] == "true"
