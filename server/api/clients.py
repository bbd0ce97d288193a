"""Coding clients as `omniroute setup` knows them: what belongs into the files of each."""

from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from starlette.requests import Request

from omniroute.routing.errors import BadRequest, NotFound
from omniroute.routing.gateway import Gateway
from omniroute.routing.model import Caller

from ..auth import Authenticator
from ..clients.client import Client, System, Transport
from ..clients.places import Machine
from ..clients.plan import NotPlanned, fragments, has_models, targets, transports
from ..clients.table import CLIENTS, client_named
from ..clients.wishes import Model, Wish, mentions_models
from ..clients_json import ClientFileJson, ClientJson, ClientSetUpJson, ClientsJson
from .pages import Lists
from .queries import Query
from .rows import Row

PATH = "/api/clients"
ONE = f"{PATH}/{{name}}"
PROGRAM = "omniroute"
SHOWN_KEY = "sk-omni-..."
URL_CHARS_MAX = 2_000
HOME = Path("~")
LISTED = Lists("clients", lambda one: (one.name,))


def rows(gateway: Gateway, authenticator: Authenticator, url: str) -> tuple[Row, ...]:
    """Give the routes.

    Args:
        gateway: whose models are listed to clients that want every one.
        authenticator: says whether a key is needed.
        url: where the gateway is reached, where nobody asks for another address.
    """

    async def list_all(request: Request, caller: Caller) -> ClientsJson:
        return ClientsJson(tuple(map(_client, CLIENTS)))

    async def show(request: Request, caller: Caller) -> ClientSetUpJson:
        client = client_named(request.path_params["name"])
        if client is None:
            known = ", ".join(one.name for one in CLIENTS)
            raise NotFound(f"no client is called so; known are {known}")
        asked = request.query_params
        wish = Wish(
            url=_url(asked.get("url", url)),
            command=PROGRAM,
            args=("--mcp",),
            key=SHOWN_KEY if authenticator.needs_key() else None,
            model=client.model,
            transport=_transport(client, asked.get("transport")),
            models=_models(gateway, caller, client),
        )
        system: System = next(
            one for one in ("linux", "macos", "windows") if one == asked.get("system", "linux")
        )
        try:
            found = targets(client, wish, Machine(system, HOME), None)
        except NotPlanned as error:
            raise BadRequest(str(error), field="system") from error
        files = tuple(
            ClientFileJson(one.path.as_posix(), one.form, fragments([one], named=False))
            for one in found
        )
        return ClientSetUpJson(
            _client(client), wish.transport, files, client.then, client.models_by_hand
        )

    query = (
        Query(
            "system", Literal["linux", "macos", "windows"], "where the files are; linux unless said"
        ),
        Query("transport", Literal["stdio", "http"], "how MCP is reached; the client's first"),
        Query("url", str, "the gateway's address, as the client reaches it"),
    )
    return (
        Row("GET", PATH, "read:models", "List the clients that are known", list_all, lists=LISTED),
        Row("GET", ONE, "read:models", "What belongs into a client's files", show, query=query),
    )


def _client(client: Client) -> ClientJson:
    return ClientJson(client.name, client.title, transports(client), has_models(client))


def _transport(client: Client, asked: str | None) -> Transport:
    known = transports(client)
    found = next((one for one in known if one == asked), None)
    if asked is not None and found is None:
        ways = " or ".join(known) or "nothing"
        raise BadRequest(f"{client.title} reaches MCP servers over {ways}", field="transport")
    return found or (known[0] if known else "stdio")


def _models(gateway: Gateway, caller: Caller, client: Client) -> tuple[Model, ...]:
    """Give every model that chats, for clients that have to be told each."""
    if not any(mentions_models(file.edits) for file in client.files):
        return ()
    rows = gateway.view.models(caller, capability="chat")
    facts = ((one.model_id, one.facts) for one in rows)
    return tuple(Model(name, of.context_tokens_max, of.output_tokens_max) for name, of in facts)


def _url(text: str) -> str:
    url = text.rstrip("/")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    plain = host and parts.scheme in ("http", "https") and not parts.query and not parts.fragment
    if not plain or parts.username is not None or len(url) > URL_CHARS_MAX:
        raise BadRequest("url is such as https://gateway.example.com", field="url")
    return url
