"""Cohere's embeddings, version 2.

The use of the vectors (`input_type`) has to be said; where the client does not, they are taken to
be kept for search. Source: Cohere API reference v2, "Embed", read 2026-11-22.
"""

from ...conversation import Usage
from ..counting import count
from . import embedding
from .gemini_embeddings import TASK_TYPE
from .openai import read_json
from .steps import Asked, Sent, Steps, body_of

INPUT_TYPE = "search_document"
_USES = {
    "RETRIEVAL_QUERY": "search_query",
    "QUESTION_ANSWERING": "search_query",
    "CLASSIFICATION": "classification",
    "CLUSTERING": "clustering",
}
"""Gemini's words for the use, as Cohere says them."""


def embedded(asked: Asked) -> Steps:
    """Give a vector for each text."""
    fields, used = asked.fields, asked.hints.get(TASK_TYPE)
    body: dict[str, object] = {
        "model": asked.model,
        "texts": embedding.texts_of(asked),
        "input_type": fields.get("input_type") or _USES.get(str(used), INPUT_TYPE),
        "embedding_types": ["float"],
    }
    if fields.get("dimensions") is not None:
        body["output_dimension"] = fields["dimensions"]
    got = yield Sent("/embed", body_of(body))
    told = read_json(got.body)
    found = told.get("embeddings")
    vectors = embedding.vectors_in(found.get("float") if isinstance(found, dict) else found)
    return embedding.made(asked, vectors, _usage(told.get("meta")))


def _usage(meta: object) -> Usage | None:
    billed = meta.get("billed_units") if isinstance(meta, dict) else None
    tokens = count(billed.get("input_tokens")) if isinstance(billed, dict) else None
    return None if tokens is None else Usage(input_tokens=tokens)
