"""Gemini's embeddings as a provider: all texts in one batch.

Its compatible endpoint takes the same requests, but knows no task types, so its own is used.
Source: Gemini API reference, models.batchEmbedContents, read 2026-11-22.
"""

from . import embedding
from .openai import read_json
from .steps import Asked, Sent, Steps, body_of


def embedded(asked: Asked) -> Steps:
    """Give a vector for each text."""
    name, use = f"models/{asked.model}", dict(asked.hints)
    if asked.fields.get("dimensions") is not None:
        use["outputDimensionality"] = asked.fields["dimensions"]
    requests = [
        {"model": name, "content": {"parts": [{"text": text}]}, **use}
        for text in embedding.texts_of(asked)
    ]
    got = yield Sent(f"/{name}:batchEmbedContents", body_of({"requests": requests}))
    vectors = embedding.vectors_in(read_json(got.body).get("embeddings"), "values")
    return embedding.made(asked, vectors, None)
