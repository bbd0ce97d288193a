"""What adapters for embeddings share: inputs as texts, and answers in OpenAI's shape."""

from collections.abc import Sequence

import orjson

from ...conversation import Usage
from ...errors import UpstreamFailure
from .openai import packed_vector
from .steps import Asked, Made


def texts_of(asked: Asked) -> list[str]:
    """Give the inputs as texts.

    Raises:
        UpstreamFailure: kind "bad_request": they are tokens, which only their own tokenizer reads.
    """
    given = asked.fields.get("input")
    items = given if isinstance(given, list) else [given]
    texts = [one for one in items if isinstance(one, str)]
    if len(texts) < len(items):
        raise UpstreamFailure(
            f"{asked.model} reads texts and no tokens of another model; send `input` as text",
            kind="bad_request",
        )
    return texts


def made(
    asked: Asked, vectors: Sequence[object], usage: Usage | None, dropped: tuple[str, ...] = ()
) -> Made:
    """Give the vectors as the client asked for them.

    Raises:
        UpstreamFailure: there are too few or too many, or one is no vector.
    """
    wanted = len(texts_of(asked))
    if len(vectors) != wanted:
        raise UpstreamFailure(
            f"{len(vectors)} embeddings came for {wanted} texts", kind="malformed"
        )
    packs = asked.fields.get("encoding_format") == "base64"
    data = [
        {"object": "embedding", "index": at, "embedding": packed_vector(one) if packs else one}
        for at, one in enumerate(vectors)
    ]
    answer: dict[str, object] = {"object": "list", "data": data, "model": asked.model}
    tokens = 0 if usage is None else usage.input_tokens
    answer["usage"] = {"prompt_tokens": tokens, "total_tokens": tokens}
    return Made(orjson.dumps(answer), usage=usage, dropped=dropped)


def vectors_in(rows: object, name: str | None = None) -> list[object]:
    """Give a provider's vectors, of objects those of that name.

    Raises:
        UpstreamFailure: it is no list of them.
    """
    if not isinstance(rows, list):
        raise UpstreamFailure("the answer holds no list of embeddings", kind="malformed")
    found = [row.get(name) if isinstance(row, dict) and name else row for row in rows]
    if not all(isinstance(one, list) for one in found):
        raise UpstreamFailure("an embedding of the answer is no list", kind="malformed")
    return found
