"""OpenAI's clients at a model whose provider speaks another dialect than theirs."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.wire.answers import golden

from .mounted import Mounted, mounted

pytestmark = pytest.mark.anyio

FAST = "sim/fast@latency=0"


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Mounted]:
    async with mounted(tmp_path) as opened:
        yield opened


def codexs(case: str) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(golden("openai_responses", f"{case}.request"))
    return {**body, "model": FAST}


@pytest.mark.parametrize("case", ["codex", "codex_namespaces"])
async def test_codex_is_answered_and_told_what_was_left_out(here: Mounted, case: str) -> None:
    answer = await here.client.post("/v1/responses", json=codexs(case))

    assert answer.status_code == 200
    assert "response.completed" in answer.text
    dropped = answer.headers["x-omniroute-dropped"].split(", ")
    assert "prompt_cache_key" in dropped
    assert ("tools.web_search" in dropped) is (case == "codex")
    assert "store" not in dropped


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"tools": [{"type": "file_search", "vector_store_ids": ["vs_1"]}]}, "'file_search'"),
        ({"background": True}, "`background`"),
        ({"conversation": "conv_1"}, "`conversation`"),
        ({"prompt": {"id": "pmpt_1"}}, "`prompt`"),
    ],
)
async def test_what_only_openai_can_do_is_refused_by_name(
    here: Mounted, fields: dict[str, Any], said: str
) -> None:
    """DEFECT 6.4 done right: 400 with a code, before any provider is asked."""
    body = {"model": FAST, "input": "hi", **fields}

    answer = await here.client.post("/v1/responses", json=body)

    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (400, "unsupported_feature")
    assert error["type"] == "invalid_request_error"
    assert said in error["message"]
