"""`omniroute proxy`: the proxies that calls to providers go through."""

from argparse import Namespace
from urllib.parse import quote, unquote, urlsplit

from ..api.proxies import PATH, LevelWish, ProxiesJson, ProxyJson, ProxyWish
from ..settings import Settings, Sources
from .client import call, decoded, with_gateway
from .exits import OK, USAGE, Stop
from .output import NOTHING, show, show_json, table
from .providers import variable

LEVELS = {"account": "its own", "provider": "its provider's", "global": "that of all"}


def show_all(arguments: Namespace, settings: Settings, sources: Sources) -> int:
    """Show the proxies, or an account's way."""
    account = arguments.account
    path = PATH if account is None else f"{PATH}?resolve={quote(account, safe='')}"
    with with_gateway(settings, sources) as gateway:
        found = decoded(call(gateway, "GET", path), ProxiesJson)
    if arguments.json:
        show_json(found)
    elif found.resolved is not None:
        whose = "" if found.resolved.level is None else f" ({LEVELS[found.resolved.level]})"
        show(f"{_words(found.resolved.proxy)}{whose}")
    else:
        rows = [("all", _words(found.everybody))] if found.everybody is not None else []
        rows += [(name, _words(one)) for name, one in found.providers.items()]
        show(table(("OF", "PROXY"), rows) if rows else "No proxy is stored: calls go directly.")
    return OK


def put(arguments: Namespace, settings: Settings, sources: Sources) -> int:
    """Set a proxy."""
    wish = LevelWish(
        _wish(arguments, settings),
        "provider" if arguments.provider else "global",
        arguments.provider,
    )
    with with_gateway(settings, sources) as gateway:
        made = decoded(call(gateway, "PUT", PATH, wish), ProxiesJson)
    if arguments.json:
        show_json(made)
    else:
        proxy = made.providers.get(arguments.provider, made.everybody)
        whose = f"Accounts of {arguments.provider}" if arguments.provider else "Accounts"
        show(f"{whose} go through: {_words(proxy)}.")
    return OK


def remove(arguments: Namespace, settings: Settings, sources: Sources) -> int:
    """Remove a proxy."""
    name = quote(arguments.provider, safe="")
    level = f"level=provider&id={name}" if name else "level=global"
    with with_gateway(settings, sources) as gateway:
        call(gateway, "DELETE", f"{PATH}?{level}")
    show(f"Removed the proxy of {arguments.provider or 'all'}.")
    return OK


def _wish(arguments: Namespace, settings: Settings) -> ProxyWish:
    url: str | None = arguments.url
    source: str | None = getattr(arguments, "from")
    if (url is None) == (source is None):
        raise Stop("give the proxy's URL, or name a variable that holds it with --from", USAGE)
    if url is not None and "@" in url:
        raise Stop(
            "a password on the command line stays in the shell's history and shows in the list "
            "of processes: put the proxy's URL into a variable and name it with --from",
            USAGE,
        )
    text = variable(settings, source) if url is None and source is not None else url or ""
    if text == "direct":
        return ProxyWish("direct")
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise Stop("the proxy's URL has no valid host and port", USAGE) from None
    for kind in ("http", "https", "socks5"):
        if parts.scheme == kind:
            user, password = unquote(parts.username or ""), unquote(parts.password or "")
            return ProxyWish(kind, host, port, user, password)
    raise Stop("a proxy's URL begins with http://, https:// or socks5://", USAGE)


def _words(proxy: ProxyJson | None) -> str:
    if proxy is None:
        return NOTHING
    if proxy.type == "direct":
        return "none, directly"
    host = f"[{proxy.host}]" if ":" in proxy.host else proxy.host
    user = f"{proxy.username}{':...' if proxy.hasPassword else ''}@" if proxy.username else ""
    return f"{proxy.type}://{user}{host}" + ("" if proxy.port is None else f":{proxy.port}")
