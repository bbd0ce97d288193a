"""Gemini's embeddings, as its clients ask and as its servers answer.

One text is `{content}`, several are `{requests: [{content}, ...]}`; the model stands in the path.
An answer has `embedding` or `embeddings`, each with its `values`. What a client says of the use
(`taskType`, `title`) goes on to a Gemini provider and is left out for others.

Source: Gemini API reference, models.embedContent and models.batchEmbedContents, read 2026-11-22.
"""

import orjson

from ...errors import BadRequest, UpstreamFailure
from ..fields import Fields, body_fields, present

TASK_TYPE, TITLE = "taskType", "title"
_DIMENSIONS = ("outputDimensionality", "output_dimensionality")
TEXTS_MAX = 2_048


def texts_of(fields: Fields) -> list[str]:
    """Give the texts of a client's body, one for each vector that is wanted.

    Raises:
        BadRequest: there is none, or a part is no text.
    """
    if not fields.has("requests"):
        return [_text(fields)]
    found = [_text(one) for one in fields.items("requests")]
    if not 0 < len(found) <= TEXTS_MAX:
        raise fields.wrong("requests", f"a list of 1 to {TEXTS_MAX} requests")
    return found


def to_openai(body: bytes, *, model: str) -> tuple[dict[str, object], dict[str, object]]:
    """Give the fields of a client's body in OpenAI's shape, and what only Gemini knows of.

    Raises:
        BadRequest: the texts differ in what they are for.
    """
    fields = body_fields(body)
    singles = fields.items("requests") if fields.has("requests") else [fields]
    uses = [(_value(one, *_DIMENSIONS), _hints(one)) for one in singles]
    if any(use != uses[0] for use in uses):
        raise BadRequest(
            "all requests of a batch must have the same outputDimensionality, taskType and title",
            field="requests",
        )
    dimensions, hints = uses[0]
    asked = present(model=model, input=texts_of(fields), dimensions=dimensions)
    return asked, hints


def from_openai(answer: bytes, *, batch: bool) -> bytes:
    """Give an answer of OpenAI's shape as Gemini's.

    Raises:
        UpstreamFailure: it is none.
    """
    try:
        vectors = [{"values": one["embedding"]} for one in orjson.loads(answer)["data"]]
        first = vectors[0]
    except (orjson.JSONDecodeError, KeyError, TypeError, IndexError) as error:
        raise UpstreamFailure("the answer holds no embeddings", kind="malformed") from error
    return orjson.dumps({"embeddings": vectors} if batch else {"embedding": first})


def is_batch(body: bytes) -> bool:
    """Whether a client's body asks for several vectors."""
    return body_fields(body).has("requests")


def _hints(fields: Fields) -> dict[str, object]:
    found = {TASK_TYPE: _value(fields, TASK_TYPE, "task_type"), TITLE: _value(fields, TITLE)}
    return present(**found)


def _value(fields: Fields, *names: str) -> object:
    found = (fields.value(name) for name in names)
    return next((one for one in found if one is not None), None)


def _text(fields: Fields) -> str:
    content = fields.child("content")
    parts = content.items("parts")
    if not parts:
        raise content.wrong("parts", "a list of texts")
    return "".join(part.text("text") for part in parts)
