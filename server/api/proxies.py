"""Outbound proxies at their levels: one of all accounts, and one of each provider.

The route and its fields are the documented ones. A password is taken and never given back.
"""

from typing import Literal
from urllib.parse import quote, unquote, urlsplit

from msgspec import Struct, structs
from starlette.requests import Request

from omniroute.routing.catalog.providers import provider_named
from omniroute.routing.errors import BadRequest, NotFound
from omniroute.routing.gateway import Gateway
from omniroute.routing.model import Caller
from omniroute.routing.upstream.tunnel import DIRECT, outbound

from ..accounts import NAME_PATTERN, checked_proxy
from ..management import fingerprint
from ..store.configs import ConfigStore
from ..store.proxies import ALL
from .editing import Thing
from .providers import find_account
from .queries import Query
from .rows import Row, body_as

PATH = "/api/settings/proxy"
Level = Literal["global", "provider"]
Kind = Literal["http", "https", "socks5", "direct"]


class ProxyJson(Struct, frozen=True):
    """A proxy; of type direct it is none, and keeps that of the next level from counting.

    `password` is never given back: `hasPassword` says whether there is one, and `fingerprint` is
    another one whenever it is; it tells nothing of it.
    """

    type: Kind
    host: str = ""
    port: int | None = None
    username: str = ""
    hasPassword: bool = False  # noqa: N815 - in the manner of the documented names
    fingerprint: str | None = None


class ProxyWish(Struct, frozen=True):
    """A proxy as it is entered."""

    type: Kind
    host: str = ""
    port: int | None = None
    username: str = ""
    password: str = ""


class LevelWish(Struct, frozen=True):
    """The proxy of a level; `id` is the provider's name, and empty for all."""

    proxy: ProxyWish
    level: Level = "global"
    id: str = ""


class WayJson(Struct, frozen=True):
    """Which proxy an account goes through; `level` says whose it is, None for none."""

    level: Literal["account", "provider", "global"] | None
    proxy: ProxyJson | None


class ProxiesJson(Struct, frozen=True, rename={"everybody": "global"}):
    """What is stored: of all accounts, and of single providers by their names.

    `resolved` is the way of the account that was asked for with `resolve`.
    """

    everybody: ProxyJson | None
    providers: dict[str, ProxyJson]
    resolved: WayJson | None = None


def rows(gateway: Gateway, configs: ConfigStore, *, own_urls: tuple[str, ...]) -> tuple[Row, ...]:
    """Give the routes."""

    async def show(request: Request, caller: Caller) -> ProxiesJson:
        wanted = request.query_params.get("resolve")
        resolved = None if wanted is None else _way(gateway, configs, wanted)
        return structs.replace(_proxies(gateway, configs), resolved=resolved)

    async def put(request: Request, caller: Caller) -> ProxiesJson:
        wish = await body_as(request, LevelWish)
        url = checked_proxy(_url(wish.proxy), own_urls)
        if url is None:
            raise BadRequest("a proxy needs a host", field="proxy.host")
        await configs.put_proxy(_place(wish.level, wish.id), url, actor=caller.key_id)
        return _proxies(gateway, configs)

    async def remove(request: Request, caller: Caller) -> None:
        place = _place(
            request.query_params.get("level", "global"), request.query_params.get("id", "")
        )
        if not await configs.remove_proxy(place, actor=caller.key_id):
            raise NotFound(f"no proxy is set for {'all' if place == ALL else place}")

    async def stored(request: Request, caller: Caller) -> ProxiesJson:
        return _proxies(gateway, configs)

    thing = Thing(stored, _edited)
    level = Query("level", Level, "whose proxy: global (of all accounts), or provider")
    name = Query("id", str, "the provider's name, where the level is provider")
    resolve = Query("resolve", str, "an account, to be told which proxy it goes through")
    return (
        Row("GET", PATH, "admin", "Show outbound proxies", show, query=(resolve,), thing=thing),
        Row("PUT", PATH, "admin", "Set an outbound proxy", put, body=LevelWish, thing=thing),
        Row(
            "DELETE",
            PATH,
            "admin",
            "Remove an outbound proxy",
            remove,
            204,
            query=(level, name),
            thing=thing,
        ),
    )


def _edited(shown: ProxiesJson) -> object:
    return shown.everybody, shown.providers


def _place(level: str, name: str) -> str:
    if level == "global" and not name:
        return ALL
    if level != "provider":
        raise BadRequest(
            "level is global (without an id) or provider; an account has its own proxy, and "
            "combos and keys have none: a request goes to its provider by one way",
            field="level",
        )
    row = provider_named(name)
    if row is None and not NAME_PATTERN.fullmatch(name):
        raise BadRequest("id is a provider's name", field="id")
    return name if row is None else row.name


def _url(wish: ProxyWish) -> str:
    if wish.type == "direct":
        return DIRECT
    user = f"{quote(wish.username, safe='')}:{quote(wish.password, safe='')}@"
    host = f"[{wish.host}]" if ":" in wish.host else wish.host
    port = "" if wish.port is None else f":{wish.port}"
    return f"{wish.type}://{user if wish.username or wish.password else ''}{host}{port}"


def _proxies(gateway: Gateway, configs: ConfigStore) -> ProxiesJson:
    seed = gateway.view.configs.current().seed
    shown = {place: _json(url, seed) for place, url in configs.proxies.items()}
    everybody = shown.pop(ALL, None)
    return ProxiesJson(everybody, shown)


def _json(url: str, seed: bytes) -> ProxyJson:
    if url == DIRECT:
        return ProxyJson("direct")
    parts = urlsplit(url)
    scheme: Kind = "http"
    for known in ("https", "socks5"):
        scheme = known if parts.scheme.startswith(known) else scheme
    return ProxyJson(
        scheme,
        parts.hostname or "",
        parts.port,
        unquote(parts.username or ""),
        bool(parts.password),
        fingerprint(parts.password, seed) if parts.password else None,
    )


def _way(gateway: Gateway, configs: ConfigStore, wanted: str) -> WayJson:
    account = find_account(gateway, wanted)
    url = outbound(account)
    shown = None if url is None else _json(url, gateway.view.configs.current().seed)
    if account.proxy:
        return WayJson("account", shown)
    if shown is None:
        return WayJson(None, None)
    return WayJson("global" if configs.place_of_proxy(account) == ALL else "provider", shown)
