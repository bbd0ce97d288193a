"""GET /v1/models and /v1beta/models: one list, read by every vendor's clients."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest

from tests.v1.whole import HOST, client, opened

pytestmark = pytest.mark.anyio

KEYS = {"OPENAI_API_KEY": "sk-fake-openai", "ANTHROPIC_API_KEY": "sk-fake-ant"}
CODEX_REQUIRED = {
    *("slug", "display_name", "supported_reasoning_levels", "shell_type", "visibility"),
    *("supported_in_api", "priority", "support_verbosity", "truncation_policy"),
    *("experimental_supported_tools", "base_instructions"),
}


@pytest.fixture
async def http(tmp_path: Path) -> AsyncIterator[httpx2.AsyncClient]:
    async with opened(tmp_path, **KEYS) as gateway, client(gateway) as made:
        yield made


async def ids(http: httpx2.AsyncClient, query: str = "") -> list[str]:
    answer = await http.get(f"/v1/models{query}")
    assert answer.status_code == 200, answer.text
    return [row["id"] for row in answer.json()["data"]]


def row(found: Any, model_id: str) -> dict[str, Any]:
    chosen: dict[str, Any] = next(one for one in found["data"] if one["id"] == model_id)
    return chosen


async def test_a_row_has_what_openais_and_anthropics_clients_read(http: httpx2.AsyncClient) -> None:
    found = (await http.get("/v1/models")).json()

    model = row(found, "openai/gpt-4o")
    assert (model["object"], model["owned_by"], type(model["created"])) == ("model", "openai", int)
    assert (model["type"], model["display_name"]) == ("model", "openai/gpt-4o")
    assert model["created_at"].endswith("Z")
    assert model["lifecycle"] == "active"
    assert model["capabilities"] == ["chat"]
    assert model["context_length"] == model["max_input_tokens"] == 128_000


async def test_anthropics_clients_are_not_told_our_capabilities_as_theirs(
    http: httpx2.AsyncClient,
) -> None:
    named = {"anthropic-version": "2023-06-01"}

    found = (await http.get("/v1/models", headers=named)).json()
    one = (await http.get("/v1/models/openai/gpt-4o", headers=named)).json()

    assert row(found, "openai/gpt-4o")["capabilities"] is None
    assert one["capabilities"] is None


async def test_prices_are_dollars_per_million_and_unknown_ones_are_null(
    http: httpx2.AsyncClient,
) -> None:
    found = (await http.get("/v1/models")).json()

    assert row(found, "openai/gpt-4o")["pricing"] == {
        "input_usd_per_mtok": 2.5,
        "output_usd_per_mtok": 10.0,
        "cached_input_usd_per_mtok": 1.25,
        "cache_write_usd_per_mtok": None,
    }
    assert row(found, "auto")["pricing"] is None
    assert row(found, "auto")["max_output_tokens"] is None


async def test_openais_sdk_lists_and_retrieves_models(tmp_path: Path) -> None:
    async with opened(tmp_path, **KEYS) as gateway, client(gateway) as http:
        sdk = openai.AsyncOpenAI(api_key="sk-fake", base_url=f"{HOST}/v1", http_client=http)

        listed = [one.id async for one in await sdk.models.list()]
        one = await sdk.models.retrieve("openai/gpt-4o")

    assert {"auto", "claude-auto", "openai/gpt-4o", "anthropic/claude-opus-5-5"} <= set(listed)
    assert (one.id, one.owned_by) == ("openai/gpt-4o", "openai")


async def test_pages_in_both_directions_make_the_whole_list(http: httpx2.AsyncClient) -> None:
    everything = await ids(http)

    first = (await http.get("/v1/models?limit=3")).json()
    second = (await http.get(f"/v1/models?limit=3&after_id={first['last_id']}")).json()
    back = (await http.get(f"/v1/models?limit=2&before_id={second['first_id']}")).json()
    rest = await ids(http, f"?after_id={second['last_id']}&limit=1000")

    shown = [one["id"] for one in (*first["data"], *second["data"])]
    assert shown + rest == everything
    assert (first["has_more"], back["has_more"]) == (True, True)
    assert [one["id"] for one in back["data"]] == everything[1:3]
    last = (await http.get(f"/v1/models?after_id={everything[-2]}")).json()
    assert (last["last_id"], last["has_more"]) == (everything[-1], False)
    begin = (await http.get(f"/v1/models?before_id={everything[1]}&limit=5")).json()
    assert ([one["id"] for one in begin["data"]], begin["has_more"]) == (everything[:1], False)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=x", "limit"),
        ("limit=" + "9" * 5000, "limit"),
        ("after_id=none", "after_id"),
        ("before_id=none", "before_id"),
    ],
)
async def test_a_page_that_cannot_be_is_a_400_that_names_the_field(
    http: httpx2.AsyncClient, query: str, field: str
) -> None:
    answer = await http.get(f"/v1/models?{query}")

    assert (answer.status_code, answer.json()["error"]["param"]) == (400, field)


async def test_claude_code_finds_names_that_begin_with_claude(http: httpx2.AsyncClient) -> None:
    listed = await ids(http, "?limit=1000")

    kept = [one for one in listed if one.startswith(("claude", "anthropic"))]
    assert "claude-auto" in kept
    assert "claude-opus-5-5" in kept
    assert len(listed) == len(set(listed))


async def test_a_claude_name_of_several_providers_is_not_listed_bare(
    http: httpx2.AsyncClient,
) -> None:
    for provider in ("one", "two"):
        made = await http.post(
            "/api/providers",
            json={
                "provider": provider,
                "base_url": "http://127.0.0.1:1/v1",
                "dialect": "openai_chat",
                "models": ["claude-opus-5-5", f"claude-{provider}"],
            },
        )
        assert made.status_code in (200, 201), made.text

    listed = await ids(http)

    assert {"claude-one", "claude-two"} <= set(listed)
    assert "claude-opus-5-5" not in listed


@pytest.mark.parametrize(
    "name",
    ["claude-opus-5-5", "claude-opus-5-5[1m]", "anthropic/claude-opus-5-5[1m]", "gpt-4o", "auto"],
)
async def test_one_model_is_found_by_every_name_that_leads_to_it(
    http: httpx2.AsyncClient, name: str
) -> None:
    answer = await http.get(f"/v1/models/{name}")

    assert answer.status_code == 200
    assert answer.json()["id"] == name.removesuffix("[1m]")


async def test_a_model_that_is_not_there_is_json_in_each_dialect(http: httpx2.AsyncClient) -> None:
    openai_s = await http.get("/v1/models/none")
    gemini_s = await http.get("/v1beta/models/none")

    assert (openai_s.status_code, openai_s.json()["error"]["code"]) == (404, "model_not_found")
    assert (gemini_s.status_code, gemini_s.json()["error"]["status"]) == (404, "NOT_FOUND")


async def test_codex_gets_its_catalogue_when_it_names_its_version(http: httpx2.AsyncClient) -> None:
    answer = await http.get("/v1/models?client_version=0.169.0")

    models = answer.json()["models"]
    slugs = [one["slug"] for one in models]
    assert all(one.keys() >= CODEX_REQUIRED for one in models)
    assert {"auto", "openai/gpt-5.5"} <= set(slugs)
    assert [one["priority"] for one in models] == sorted({one["priority"] for one in models})
    assert {one["visibility"] for one in models} == {"list"}
    assert all(one["base_instructions"] for one in models)
    assert not [one for one in slugs if "embedding" in one]
    by_slug = {one["slug"]: one for one in models}
    efforts = by_slug["openai/gpt-5.5"]["supported_reasoning_levels"]
    assert [one["effort"] for one in efforts] == ["low", "medium", "high"]
    assert by_slug["openai/gpt-4o"]["supported_reasoning_levels"] == []
    assert by_slug["openai/gpt-4o"]["context_window"] == 128_000


async def test_gemini_clients_get_their_list_in_pages(http: httpx2.AsyncClient) -> None:
    everything = (await http.get("/v1beta/models")).json()
    first = (await http.get("/v1beta/models?pageSize=4")).json()
    token = first["nextPageToken"]
    rest = (await http.get(f"/v1beta/models?pageSize=1000&pageToken={token}")).json()

    assert first["models"] + rest["models"] == everything["models"]
    assert "nextPageToken" not in rest
    model = next(one for one in everything["models"] if one["name"] == "models/openai/gpt-4o")
    assert {"generateContent", "streamGenerateContent"} <= set(model["supportedGenerationMethods"])
    assert model["inputTokenLimit"] == 128_000
    auto = next(one for one in everything["models"] if one["name"] == "models/auto")
    assert "inputTokenLimit" not in auto
    one = (await http.get("/v1beta/models/openai/gpt-4o")).json()
    assert one == model


async def test_a_bad_page_of_geminis_list_is_geminis_error(http: httpx2.AsyncClient) -> None:
    answer = await http.get("/v1beta/models?pageToken=x")

    assert (answer.status_code, answer.json()["error"]["status"]) == (400, "INVALID_ARGUMENT")
