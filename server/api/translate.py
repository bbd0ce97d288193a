"""A request's body from one dialect into another: what a provider of that dialect would get."""

from typing import Any, get_args

import msgspec
import orjson
from msgspec import structs
from starlette.requests import Request

from omniroute.routing.errors import BadRequest
from omniroute.routing.model import Caller, Dialect
from omniroute.routing.wire.dropped import spelled
from omniroute.routing.wire.table import codec

from .rows import Row, body_as

PATH = "/api/translate"
DIALECTS: tuple[Dialect, ...] = get_args(Dialect)
MODEL = "model"
"""What the body is rendered for where its own dialect keeps the model in the path."""


class TranslateWish(msgspec.Struct, frozen=True, rename={"source": "from", "target": "to"}):
    """A chat's body in one dialect, and the dialect to say it in.

    `model` is the model's name in the new body; empty keeps the body's own.
    """

    source: Dialect
    target: Dialect
    body: dict[str, Any]
    model: str = ""


class TranslationJson(msgspec.Struct, frozen=True):
    """The body in the other dialect, and `path`, where it is sent to below a provider's address.

    `dropped` names fields that the other dialect has no word for, as the first one spells them.
    """

    path: str
    body: dict[str, Any]
    dropped: tuple[str, ...]


def rows() -> tuple[Row, ...]:
    """Give the route."""

    async def translate(request: Request, caller: Caller) -> TranslationJson:
        return translation(await body_as(request, TranslateWish))

    summary = "Say a chat's body in another dialect"
    return (Row("POST", PATH, "read:models", summary, translate, body=TranslateWish),)


def translation(wish: TranslateWish) -> TranslationJson:
    """Translate a body.

    Raises:
        BadRequest: it is not valid in its dialect, or asks what the other one cannot say.
    """
    told = wish.body
    asked = told.get("model", wish.model)
    if not isinstance(asked, str):
        raise BadRequest("model is text", field="model")
    model, stream = wish.model or asked or MODEL, told.get("stream") is True
    body = orjson.dumps(told if wish.source == "gemini" else {**told, "model": model})
    chat = structs.replace(codec(wish.source).parse_request(body), stream=stream)
    writer = codec(wish.target)
    rendered = writer.render_request(chat, model=model)
    return TranslationJson(
        path=writer.path(model=model, stream=stream),
        body=orjson.loads(rendered.body),
        dropped=spelled(rendered.dropped, wish.source),
    )
