"""POST /v1/embeddings and Gemini's two methods, through the whole gateway."""

import base64
import json
import struct
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import openai
import pytest
from google import genai
from google.genai import types

from .mounted import Mounted, mounted
from .vendors import KEY, Heard, Told, shop, told

pytestmark = pytest.mark.anyio

VECTORS = [[0.5, -0.25], [1.0, 0.0]]


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Mounted]:
    async with mounted(tmp_path) as opened:
        yield opened


def sdk(here: Mounted) -> openai.AsyncOpenAI:
    base = f"{here.client.base_url}/v1"
    return openai.AsyncOpenAI(base_url=base, api_key="sk-fake", max_retries=0, timeout=10)


def unpacked(text: str) -> tuple[float, ...]:
    data = base64.b64decode(text)
    return struct.unpack(f"<{len(data) // 4}f", data)


def openai_vendor(heard: Heard) -> Told:
    """As OpenAI's API reference describes "Create embeddings", read 2026-11-22; floats only."""
    asked = heard.json()
    data = [
        {"object": "embedding", "index": at, "embedding": one} for at, one in enumerate(VECTORS)
    ]
    usage = {"prompt_tokens": 7, "total_tokens": 7}
    return told(object="list", data=data, model=asked["model"], usage=usage)


async def test_the_openai_sdk_gets_vectors_which_it_asks_for_in_base64(here: Mounted) -> None:
    async with sdk(here) as client:
        packed = await client.embeddings.create(model="sim/embed", input=["one", "two"])
        plain = await client.embeddings.create(
            model="sim/embed", input="one", encoding_format="float", dimensions=8
        )

    assert [len(one.embedding) for one in packed.data] == [256, 256]
    assert len(plain.data[0].embedding) == 8
    assert plain.usage.prompt_tokens > 0


@pytest.mark.parametrize("given", ["one", ["one", "two"], [1, 2, 3], [[1, 2], [3]]])
async def test_an_input_is_a_text_texts_tokens_or_lists_of_tokens(
    here: Mounted, given: object
) -> None:
    answer = await here.client.post("/v1/embeddings", json={"model": "sim/embed", "input": given})

    assert answer.status_code == 200, answer.text
    assert answer.headers["x-omniroute-provider"] == "sim"
    assert float(answer.headers["x-omniroute-cost-usd"]) > 0


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"model": "sim/embed"}, "input"),
        ({"model": "sim/embed", "input": ""}, "input"),
        ({"model": "sim/embed", "input": []}, "input"),
        ({"model": "sim/embed", "input": [1.5]}, "input"),
        ({"model": "sim/embed", "input": {"a": 1}}, "input"),
        ({"input": "one"}, "model"),
        ({"model": "", "input": "one"}, "model"),
    ],
)
async def test_a_body_that_asks_for_nothing_is_a_400_that_names_the_field(
    here: Mounted, body: dict[str, object], field: str
) -> None:
    answer = await here.client.post("/v1/embeddings", json=body)

    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == field


async def test_a_chat_model_gives_no_vectors_and_the_refusal_says_so(here: Mounted) -> None:
    answer = await here.client.post("/v1/embeddings", json={"model": "sim/fast", "input": "one"})

    assert answer.status_code == 400
    assert "does not do embedding" in answer.json()["error"]["message"]


async def test_a_provider_that_gives_floats_answers_a_client_that_asked_for_base64(
    tmp_path: Path,
) -> None:
    async with shop(tmp_path, "openai", openai_vendor) as here, sdk(here.here) as client:
        packed = await client.embeddings.create(
            model="openai/text-embedding-3-small", input=["one", "two"]
        )
        raw = await here.ask(
            "embeddings",
            model="text-embedding-3-small",
            input=["one", "two"],
            encoding_format="base64",
        )

    assert packed.data[0].embedding == VECTORS[0]
    assert unpacked(raw.json()["data"][1]["embedding"]) == (1.0, 0.0)
    assert here.last.path == "/v1/embeddings"
    assert here.last.json()["model"] == "text-embedding-3-small"
    assert here.last.headers["authorization"] == f"Bearer {KEY}"
    # Seven tokens at $0.02 a million.
    assert raw.headers["x-omniroute-cost-usd"] == "0.000000140"


async def test_gemini_as_a_provider_is_asked_in_its_own_batch(tmp_path: Path) -> None:
    def gemini(heard: Heard) -> Told:
        return told(embeddings=[{"values": one} for one in VECTORS])

    async with shop(tmp_path, "gemini", gemini) as here:
        answer = await here.ask(
            "embeddings", model="gemini/gemini-embedding-001", input=["a", "b"], dimensions=2
        )

    assert [one["embedding"] for one in answer.json()["data"]] == VECTORS
    assert here.last.path == "/v1beta/models/gemini-embedding-001:batchEmbedContents"
    assert here.last.headers["x-goog-api-key"] == KEY
    first = here.last.json()["requests"][0]
    assert first["content"] == {"parts": [{"text": "a"}]}
    assert first["outputDimensionality"] == 2


async def test_cohere_is_asked_in_its_second_version_and_told_what_for(tmp_path: Path) -> None:
    def cohere(heard: Heard) -> Told:
        billed = {"billed_units": {"input_tokens": 4}}
        return told(id="e", embeddings={"float": VECTORS}, texts=["a", "b"], meta=billed)

    async with shop(tmp_path, "cohere", cohere, base="/proxy/compatibility/v1") as here:
        answer = await here.ask("embeddings", model="cohere/embed-v4.0", input=["a", "b"])

    assert [one["embedding"] for one in answer.json()["data"]] == VECTORS
    assert answer.json()["usage"]["prompt_tokens"] == 4
    assert here.last.path == "/proxy/v2/embed"
    asked = here.last.json()
    assert (asked["texts"], asked["input_type"]) == (["a", "b"], "search_document")
    assert answer.headers["x-omniroute-cost-usd"] == "0.000000480"


async def test_a_field_that_a_provider_refuses_is_left_out_and_named(tmp_path: Path) -> None:
    async with shop(tmp_path, "together", openai_vendor) as here:
        answer = await here.ask(
            "embeddings",
            model="together/BAAI/bge-large-en-v1.5",
            input=["a", "b"],
            dimensions=8,
            encoding_format="base64",
        )

    assert here.last.json() == {"model": "BAAI/bge-large-en-v1.5", "input": ["a", "b"]}
    assert unpacked(answer.json()["data"][0]["embedding"]) == (0.5, -0.25)
    assert "dimensions" in answer.headers["x-omniroute-dropped"]


async def test_a_deployment_of_azures_is_named_in_its_path(tmp_path: Path) -> None:
    """Source: Azure OpenAI REST API reference, "Embeddings" (deployments by name)."""
    base = "/openai/deployments/{model}?api-version=2024-10-21"

    async with shop(tmp_path, "azure-openai", openai_vendor, base=base) as here:
        answer = await here.ask("embeddings", model="azure/my-embedding", input=["a", "b"])

    assert answer.status_code == 200, answer.text
    assert here.last.path == ("/openai/deployments/my-embedding/embeddings?api-version=2024-10-21")
    assert here.last.headers["api-key"] == KEY


async def test_keys_of_iam_sign_and_are_never_sent(tmp_path: Path) -> None:
    key = "AKIA" + "A" * 16 + ":" + "s" * 40

    async with shop(tmp_path, "bedrock", openai_vendor, key=key) as here:
        answer = await here.ask("embeddings", model="bedrock/amazon.titan-embed", input="a")

    # No host of AWS's is asked, so nothing is signed, and nothing is sent without a signature.
    assert answer.status_code >= 400
    assert here.heard == []


PARTS: dict[str, Any] = {"content": {"parts": [{"text": "one"}]}}


async def test_a_gemini_client_gets_one_vector_or_a_batch(here: Mounted) -> None:
    path = "/v1beta/models/sim/embed"

    one = await here.client.post(f"{path}:embedContent", json={**PARTS, "outputDimensionality": 4})
    batch = await here.client.post(
        f"{path}:batchEmbedContents",
        json={"requests": [{"model": "models/x", **PARTS}, {"model": "models/x", **PARTS}]},
    )

    assert len(one.json()["embedding"]["values"]) == 4
    assert [len(each["values"]) for each in batch.json()["embeddings"]] == [256, 256]


async def test_googles_sdk_gets_its_vectors(here: Mounted) -> None:
    """Without a word on the version the SDK asks for /v1/models, and no longer for /v1beta."""
    options = types.HttpOptions(base_url=str(here.client.base_url), timeout=10_000)
    client = genai.Client(api_key="sk-fake", http_options=options)

    chat = await client.aio.models.generate_content(model="sim/fast@latency=0", contents="hello")
    answer = await client.aio.models.embed_content(
        model="sim/embed",
        contents=["one", "two"],
        config=types.EmbedContentConfig(output_dimensionality=8, task_type="CLUSTERING"),
    )
    await client.aio.aclose()

    assert chat.text == "[simulated by sim/fast] You said: hello"
    assert answer.embeddings is not None
    assert [len(one.values or ()) for one in answer.embeddings] == [8, 8]


async def test_a_gemini_client_of_another_provider_learns_what_was_left_out(
    tmp_path: Path,
) -> None:
    def one(heard: Heard) -> Told:
        row = {"object": "embedding", "index": 0, "embedding": VECTORS[0]}
        return told(object="list", data=[row], model="text-embedding-3-small")

    path = "/v1beta/models/openai/text-embedding-3-small:embedContent"
    async with shop(tmp_path, "openai", one) as here:
        body = {**PARTS, "taskType": "RETRIEVAL_QUERY"}
        answer = await here.here.client.post(path, json=body)

    assert answer.json() == {"embedding": {"values": VECTORS[0]}}
    assert here.last.json() == {"model": "text-embedding-3-small", "input": ["one"]}
    assert answer.headers["x-omniroute-dropped"] == "taskType"


async def test_a_refusal_reaches_a_gemini_client_in_its_own_words(here: Mounted) -> None:
    answer = await here.client.post("/v1beta/models/sim/embed:embedContent", json={"content": {}})

    assert answer.status_code == 400
    assert answer.json()["error"]["status"] == "INVALID_ARGUMENT"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"<html>", 502),
        (b'{"data": [{"embedding": ["x"]}, {"embedding": []}]}', 502),
        (b'{"error": {"message": "no"}}', 502),
    ],
)
async def test_what_is_no_answer_is_a_failure_and_goes_no_further(
    tmp_path: Path, body: bytes, status: int
) -> None:
    async with shop(tmp_path, "openai", lambda heard: Told(body)) as here:
        answer = await here.ask(
            "embeddings",
            model="text-embedding-3-small",
            input=["a", "b"],
            encoding_format="base64",
        )

    assert answer.status_code == status
    assert answer.json()["error"]


async def test_the_next_candidate_answers_when_one_fails(tmp_path: Path) -> None:
    """Budgets, health and fallback are the same as for chats."""
    answers = iter([Told(b'{"error":{"message":"busy"}}', status=503), None])

    def failing_once(heard: Heard) -> Told:
        return next(answers) or openai_vendor(heard)

    async with shop(tmp_path, "openai", failing_once) as here:
        combo = {
            "name": "vectors",
            "models": [
                {"target": "openai/text-embedding-3-small"},
                {"target": "openai/text-embedding-3-large"},
            ],
        }
        made = await here.here.client.post("/api/combos", json=combo)
        answer = await here.ask("embeddings", model="vectors", input=["a", "b"])

    assert made.status_code < 300, made.text
    assert answer.headers["x-omniroute-attempts"] == "2"
    assert answer.headers["x-omniroute-model"] == "text-embedding-3-large"


async def test_models_that_give_vectors_are_listed(here: Mounted) -> None:
    listed = (await here.client.get("/v1/embeddings")).json()["data"]
    everything = (await here.client.get("/v1/models")).json()["data"]

    assert [one["id"] for one in listed] == ["sim/embed"]
    kinds = {one["id"]: one["capabilities"] for one in everything}
    assert kinds["sim/embed"] == ["embedding"]


async def test_a_request_is_on_record_with_its_kind_and_without_its_text(here: Mounted) -> None:
    answer = await here.client.post(
        "/v1/embeddings", json={"model": "sim/embed", "input": "a secret sentence"}
    )

    request_id = answer.headers["x-request-id"]
    record = await here.client.get(f"/api/explain/{request_id}")
    assert record.status_code == 200, record.text
    assert "sim/embed" in record.text
    assert "secret sentence" not in json.dumps(record.json())


async def test_a_repeated_request_gets_the_first_answer(here: Mounted) -> None:
    body = {"model": "sim/embed", "input": "one"}
    first = await here.client.post("/v1/embeddings", json=body, headers={"idempotency-key": "k1"})
    again = await here.client.post("/v1/embeddings", json=body, headers={"idempotency-key": "k1"})

    assert again.content == first.content
    assert again.headers["idempotent-replayed"] == "true"
