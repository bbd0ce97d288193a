"""POST /v1/providers/{provider}/...: any endpoint of /v1, answered by one provider alone.

The model's name is given the provider's, if it does not have it; another provider's is refused.
What follows is the endpoint itself. Some providers' models have slashes in their names: such a
name is one of the provider's when an account of it lists it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from omniroute.routing.catalog.names import spelled
from omniroute.routing.catalog.providers import provider_named
from omniroute.routing.catalog.resolve import models_of
from omniroute.routing.engine import new_request_id
from omniroute.routing.errors import BadRequest, ModelNotFound, NotFound, RoutingError
from omniroute.routing.gateway import Gateway
from omniroute.routing.model import Account, Dialect
from omniroute.routing.wire.fields import body_fields
from omniroute.routing.wire.splice import splice_model
from omniroute.routing.wire.table import codec

from ..auth import Authenticator
from ..exchange import ClientGone, Door, Exchange, Head
from ..paths import meant
from .answers import send_error
from .bodies import read_unpacked
from .model_shapes import row_json
from .responses import Given

PREFIX = "/v1/providers/"
ANTHROPIC = "messages"
"""How the endpoints begin whose clients read Anthropic's errors."""


@dataclass(frozen=True, slots=True)
class ScopedDoor:
    """Answers a POST below /v1/providers/{provider}/.

    Attributes:
        doors: what answers a POST to each path.
    """

    gateway: Gateway
    authenticator: Authenticator
    doors: Mapping[str, Door]
    body_bytes_max: int

    async def __call__(self, exchange: Exchange) -> None:
        """Have the endpoint's door answer, whatever happens."""
        head = exchange.head
        provider, _, rest = meant(head.path).removeprefix(PREFIX).partition("/")
        try:
            self.authenticator.caller_of(head)
            door = self.doors.get(f"/v1/{rest}")
            accounts = _accounts(self.gateway, provider)
            if door is None:
                raise NotFound(f"nothing is answered at {PREFIX}{provider}/{rest}")
            body = await read_unpacked(exchange, self.body_bytes_max)
            given = Given(exchange, _forced(body, accounts))
        except ClientGone:
            return
        except RoutingError as error:
            dialect: Dialect = "anthropic" if rest.startswith(ANTHROPIC) else "openai_chat"
            wait = send_error(exchange, codec(dialect), error, request_id=new_request_id())
            if wait is not None:
                await wait
            return
        given.head = _head(head.without(b"content-encoding"), f"/v1/{rest}")
        await door(given)

    async def models(self, request: Request) -> Response:
        """GET /v1/providers/{provider}/models."""
        caller = self.authenticator.caller(request.scope)
        provider = _accounts(self.gateway, request.path_params["provider"])[0].provider
        rows = self.gateway.view.listing(caller, provider=provider)
        for_anthropic = "anthropic-version" in request.headers
        shown = [row_json(row, for_anthropic=for_anthropic) for row in rows]
        return JSONResponse({"object": "list", "data": shown, "has_more": False})


def _accounts(gateway: Gateway, provider: str) -> list[Account]:
    """Give a provider's accounts in force, by its name or an alias.

    Raises:
        ModelNotFound: there is none.
    """
    known = provider_named(provider)
    name = provider if known is None else known.name
    accounts = [one for one in gateway.view.configs.current().accounts if one.enabled]
    found = [one for one in accounts if one.provider == name]
    if not found:
        there = ", ".join(sorted({one.provider for one in accounts}))
        raise ModelNotFound(f"no account is at a provider named {provider!r}; there are {there}")
    return found


def _forced(body: bytes, accounts: Iterable[Account]) -> bytes:
    """Give a body whose model is the provider's.

    Raises:
        BadRequest: it names no model, or another provider's.
    """
    fields = body_fields(body)
    asked = fields.text("model")
    accounts = list(accounts)
    provider = accounts[0].provider
    name = spelled(asked)
    prefix, slash, rest = name.partition("/")
    known = provider_named(prefix)
    if slash and provider == (prefix if known is None else known.name):
        name = rest
    elif slash and known is not None and not any(name in models_of(one) for one in accounts):
        raise BadRequest(
            f"`model` is one of {known.name}'s, and this path asks {provider}", field="model"
        )
    return splice_model(body, old=asked, new=f"{provider}/{name}")


def _head(head: Head, path: str) -> Head:
    """Give the head as it would have come to the endpoint itself."""
    made = Head(head.method, path, head.headers, peer=head.peer, port=head.port)
    made.query, made.needs = head.query, head.needs
    made.caller, made.generation = head.caller, head.generation
    return made
