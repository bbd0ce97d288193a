"""Rerank: Cohere's shape for clients, and for the providers that follow it more or less.

A document may be a text or an object with a text; providers get texts, and where the client wants
them back (`return_documents`) they are put in here. Providers differ in the name of the list
(`results`, `data`) and of the bound (`top_n`, `top_k`).

Sources: NVIDIA NIM "Retriever text reranking" and DeepInfra, "Reranker models", read 2026-11-22;
the API references of Cohere (v2 "Rerank"), Voyage AI, Jina AI, Together, Fireworks and SiliconFlow
as they are known, not read again.
"""

import math
from collections.abc import Generator, Mapping, Sequence
from urllib.parse import quote

import orjson

from ...conversation import Usage
from ...errors import UpstreamFailure
from ..counting import count
from .openai import read_json, usage_of
from .steps import Asked, Got, Made, Pause, Sent, Steps, body_of

Scored = tuple[int, float]


def ranked(asked: Asked) -> Steps:
    """Ask as Cohere is asked."""
    told = yield from _asked_for(asked, "/rerank", {"top_n": asked.fields.get("top_n")})
    rows = told.get("results", told.get("data"))
    usage = usage_of(told, asked.endpoint)
    return _made(asked, _scored(rows, "relevance_score"), usage, _answer_id(told))


def ranked_by_voyage(asked: Asked) -> Steps:
    """Ask Voyage, where the bound has another name."""
    told = yield from _asked_for(asked, "/rerank", {"top_k": asked.fields.get("top_n")})
    usage = usage_of(told, asked.endpoint)
    return _made(asked, _scored(told.get("data"), "relevance_score"), usage)


def ranked_by_nvidia(asked: Asked) -> Steps:
    """Ask NVIDIA, which gives logits; they are shown between 0 and 1 as all others are."""
    body = {
        "model": asked.model,
        "query": {"text": asked.fields.get("query")},
        "passages": [{"text": text} for text in texts_of(asked)],
    }
    got = yield Sent("/ranking", body_of(body))
    told = read_json(got.body)
    logits = _scored(told.get("rankings"), "logit")
    # The bound keeps the exponent in range; beyond it nothing changes.
    scored = [(at, 1 / (1 + math.exp(-max(logit, -500.0)))) for at, logit in logits]
    return _made(asked, scored, usage_of(told, asked.endpoint))


def ranked_by_deepinfra(asked: Asked) -> Steps:
    """Ask DeepInfra, where the model stands in the path and the scores in a list of numbers."""
    body = {"queries": [asked.fields.get("query")], "documents": texts_of(asked)}
    got = yield Sent(f"/{quote(asked.model)}", body_of(body))
    told = read_json(got.body)
    scores = told.get("scores")
    rows = scores if isinstance(scores, list) else []
    found = [(at, float(one)) for at, one in enumerate(rows) if isinstance(one, int | float)]
    tokens = count(told.get("input_tokens"))
    usage = None if tokens is None else Usage(input_tokens=tokens)
    return _made(asked, found, usage)


def texts_of(asked: Asked) -> list[str]:
    """Give the documents as texts."""
    documents = asked.fields.get("documents")
    return [
        str(one.get("text", "")) if isinstance(one, Mapping) else str(one)
        for one in (documents if isinstance(documents, list) else ())
    ]


def _asked_for(
    asked: Asked, path: str, bound: Mapping[str, object]
) -> Generator[Sent | Pause, Got, dict[str, object]]:
    own = ("documents", "return_documents", "top_n", "model", "query")
    body = {
        "model": asked.model,
        "query": asked.fields.get("query"),
        "documents": texts_of(asked),
        **{name: value for name, value in bound.items() if value is not None},
        **{name: value for name, value in asked.fields.items() if name not in own},
    }
    got = yield Sent(path, body_of(body))
    return read_json(got.body)


def _scored(rows: object, name: str) -> list[Scored]:
    """Give places and scores, the best first as far as the provider says."""
    found: list[Scored] = []
    for row in rows if isinstance(rows, list) else ():
        place, score = (row.get("index"), row.get(name)) if isinstance(row, dict) else (None, None)
        if not isinstance(place, int) or not isinstance(score, int | float):
            raise UpstreamFailure("a result has no index or no score", kind="malformed")
        found.append((place, float(score)))
    return found


def _made(asked: Asked, scored: Sequence[Scored], usage: Usage | None, answer_id: str = "") -> Made:
    texts = texts_of(asked)
    if not scored or any(not 0 <= place < len(texts) for place, _ in scored):
        raise UpstreamFailure("the answer ranks no documents of the request", kind="malformed")
    best = sorted(scored, key=lambda one: -one[1])
    top = asked.fields.get("top_n")
    results: list[dict[str, object]] = []
    for place, score in best[:top] if isinstance(top, int) else best:
        row: dict[str, object] = {"index": place, "relevance_score": score}
        if asked.fields.get("return_documents") is True:
            row["document"] = {"text": texts[place]}
        results.append(row)
    answer: dict[str, object] = {"id": answer_id, "model": asked.model, "results": results}
    if usage is not None and usage.units:
        answer["meta"] = {"billed_units": {"search_units": usage.units}}
    if usage is not None and usage.input_tokens:
        answer["usage"] = {"total_tokens": usage.input_tokens}
    return Made(orjson.dumps(answer), usage=usage)


def _answer_id(told: Mapping[str, object]) -> str:
    found = told.get("id")
    return found if isinstance(found, str) else ""
