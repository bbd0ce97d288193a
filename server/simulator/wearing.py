"""A known provider's addresses, credential and quirks, worn by the simulator.

`/as/groq/openai/v1/chat/completions` answers as Groq's own address would: below `/as/groq` the
path is the one of Groq's row, the key must come as Groq wants it, and what Groq refuses is
refused. Any known provider's name may stand there.
"""

from dataclasses import replace
from urllib.parse import unquote, urlsplit

import orjson

from omniroute.routing.catalog.providers import Frame, Provider, provider_named
from omniroute.routing.errors import BadRequest
from omniroute.routing.model import Account
from omniroute.routing.simulator.voices.hearing import decode
from omniroute.routing.simulator.wearing import refuse_unfit
from omniroute.routing.upstream.auth import scheme_of

from .request import HttpRequest

PREFIX = "/as/"
_BASES = {"gemini": "/v1beta"}


def worn(request: HttpRequest) -> HttpRequest:
    """Give the request as it would come to the simulator itself.

    Raises:
        BadRequest: no such provider, not its path, no credential of its form, or a quirk.
    """
    name, slash, rest = request.path.removeprefix(PREFIX).partition("/")
    row = provider_named(name)
    if row is None:
        raise BadRequest(f"no provider is named {name!r}")
    base = unquote(urlsplit(row.base_url).path)
    path = slash + rest
    if not path.startswith(f"{base}/"):
        raise BadRequest(f"{row.title} is at {PREFIX}{row.name}{base}, not at {request.path}")
    _require_credential(row, request)
    if row.dialect == "openai_chat":
        refuse_unfit(request.body, row.quirks, streams_usage=row.streams_usage)
    for header, _ in row.headers:
        if not request.header(header):
            raise BadRequest(f"{header}: header is required")
    below = path.removeprefix(base)
    if row.frame is not None:
        return _unframed(row.frame, below, request)
    return replace(request, path=_BASES.get(row.dialect, "/v1") + below)


def _unframed(frame: Frame, path: str, request: HttpRequest) -> HttpRequest:
    """Give a message as Anthropic's own address gets it; only its dialect comes in frames."""
    asked = decode(request.body)
    for form, stream in ((frame.whole, False), (frame.streamed, True)):
        before, _, after = form.partition("{model}")
        model = path.removeprefix(before).removesuffix(after)
        if before + model + after == path and bool(asked.get("stream")) == stream:
            break
    else:
        raise BadRequest(f"{path} is none of {frame.whole} and {frame.streamed}")
    if "model" in asked or any(asked.get(name) != value for name, value in frame.fields):
        raise BadRequest("`model` stands in the path, and other fields in the body")
    rest = {name: value for name, value in asked.items() if name not in dict(frame.fields)}
    body = orjson.dumps({"model": model, **rest})
    return replace(request, path="/v1/messages", body=body)


def _require_credential(row: Provider, request: HttpRequest) -> None:
    scheme = scheme_of(Account("worn", row.name, row.dialect, row.base_url))
    value = request.header(scheme.header)
    if not row.local and (not value.startswith(scheme.prefix) or value == scheme.prefix):
        raise BadRequest(f"{row.title} wants its key as `{scheme.header}: {scheme.prefix}KEY`")
