"""A known provider's addresses, credential and quirks, worn by the simulator.

`/as/groq/openai/v1/chat/completions` answers as Groq's own address would: below `/as/groq` the
path is the one of Groq's row, the key must come as Groq wants it, and what Groq refuses is
refused. Any known provider's name may stand there.
"""

from dataclasses import replace
from urllib.parse import unquote, urlsplit

from omniroute.routing.catalog.providers import Provider, provider_named
from omniroute.routing.errors import BadRequest
from omniroute.routing.model import Account
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
    return replace(request, path=_BASES.get(row.dialect, "/v1") + path.removeprefix(base))


def _require_credential(row: Provider, request: HttpRequest) -> None:
    scheme = scheme_of(Account("worn", row.name, row.dialect, row.base_url))
    value = request.header(scheme.header)
    if not row.local and (not value.startswith(scheme.prefix) or value == scheme.prefix):
        raise BadRequest(f"{row.title} wants its key as `{scheme.header}: {scheme.prefix}KEY`")
