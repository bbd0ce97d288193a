"""Everything of the gateway that connects to where somebody said, as one function each."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace

from msgspec import structs

from omniroute.routing.errors import RoutingError
from omniroute.routing.model import Account, Call, Capability, Limits
from omniroute.routing.upstream.egress import parse_base_url
from omniroute.routing.upstream.upstream import HttpUpstream
from omniroute.routing.wire.services.probing import probe_of
from omniroute.server.accounts import AccountEntry, make_account
from omniroute.server.tokens import Forms
from omniroute.server.webhooks import Webhooks
from tests.fakes import FakeClock
from tests.upstream.servers import call_to

LIMITS = Limits(connect_s=0.5, first_byte_s=0.5, idle_s=0.5, total_s=0.5)
PROBED: tuple[Capability, ...] = ("embedding", "rerank", "moderation", "speech")

Do = Callable[[str], Awaitable[object]]


@dataclass
class Names:
    """A resolver: addresses stand for themselves, names have what they are given in turn."""

    answers: dict[str, list[list[str]]] = field(default_factory=dict[str, list[list[str]]])
    asked: int = 0

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        self.asked += 1
        if host in self.answers:
            turns = self.answers[host]
            return turns.pop(0) if len(turns) > 1 else turns[0]
        if host == "localhost" or host.endswith(".localhost"):
            return ["127.0.0.1", "::1"]
        # Numbers in all their forms, and nothing that would need a look-up.
        loop = asyncio.get_running_loop()
        return [str(one[4][0]) for one in await loop.getaddrinfo(host, port, flags=4)]


@dataclass(frozen=True)
class Feature:
    """One way out. `private` is whether it may lead to this machine and its networks."""

    name: str
    private: bool
    do: Do


def features(names: Names) -> tuple[Feature, ...]:
    """Give every way out, with a resolver of the test's."""
    clock = FakeClock()
    admins = HttpUpstream(clock, resolve=names.resolve)
    public = HttpUpstream(clock, resolve=names.resolve, allow_private=lambda account: False)
    return (
        *_provider_features("administrator's", admins, private=True),
        *_provider_features("public", public, private=False),
        *_receiver_features(names),
    )


async def refused(feature: Feature, url: str) -> bool:
    """Use a feature, and give whether it said no; whatever else it raises is a fault."""
    try:
        await feature.do(url)
    except (RoutingError, ValueError):
        return True
    return False


def _provider_features(whose: str, upstream: HttpUpstream, *, private: bool) -> list[Feature]:
    async def opened(call: Call) -> None:
        (await upstream.open(structs.replace(call, limits=LIMITS))).close()

    async def chat(url: str) -> None:
        await opened(_call(entered(url), stream=False))

    async def streamed(url: str) -> None:
        await opened(_call(entered(url), stream=True))

    async def count(url: str) -> None:
        call = structs.replace(_call(entered(url), stream=False), limits=LIMITS)
        await upstream.fetch(call, "/messages/count_tokens", b"{}")

    async def proxy(url: str) -> None:
        account = entered("https://api.example.com/v1", proxy=url.removesuffix("/v1"))
        await opened(_call(account, stream=False))

    async def socks(url: str) -> None:
        way = url.removesuffix("/v1").replace("https://", "socks5://", 1)
        await opened(_call(entered("https://api.example.com/v1", proxy=way), stream=False))

    async def behind(url: str) -> None:
        await opened(_call(entered(url, proxy="https://93.184.216.34:3128"), stream=False))

    async def unchecked(url: str) -> None:
        # As a row that an older version stored: nobody has looked at it since.
        parse_base_url(url)
        call = call_to(url)
        await opened(structs.replace(call, account=replace(call.account, source="database")))

    ways: list[tuple[str, Do]] = [
        ("chat", chat),
        ("streamed chat", streamed),
        ("count", count),
        ("proxy", proxy),
        ("SOCKS proxy", socks),
        ("behind a proxy", behind),
        ("stored before", unchecked),
        *((kind, _probe(opened, kind)) for kind in PROBED),
    ]
    return [Feature(f"{whose} {name}", private, do) for name, do in ways]


def _probe(opened: Callable[[Call], Awaitable[None]], kind: Capability) -> Do:
    operation = probe_of(kind, "fast")
    assert operation is not None

    async def probe(url: str) -> None:
        call = _call(entered(url), stream=False)
        await opened(structs.replace(call, operation=operation))

    return probe


def _receiver_features(names: Names) -> list[Feature]:
    strict = Webhooks(private=False, resolve=names.resolve)
    open_hooks = Webhooks(private=True, resolve=names.resolve)
    forms = Forms(resolve=names.resolve)

    async def subscribed(url: str) -> None:
        strict.check(url)
        await strict.post(url, (), b"{}")

    async def stored(url: str) -> None:
        await strict.post(url, (), b"{}")

    async def to_own_networks(url: str) -> None:
        open_hooks.check(url)
        await open_hooks.post(url, (), b"{}")

    async def form(url: str) -> None:
        await forms.post(url, {"a": "1"})

    async def form_by_proxy(url: str) -> None:
        await forms.post("https://oauth2.googleapis.com/token", {}, url.removesuffix("/v1"))

    return [
        Feature("webhook", False, subscribed),
        Feature("webhook stored before", False, stored),
        Feature("webhook to own networks", True, to_own_networks),
        Feature("token", False, form),
        Feature("token by proxy", True, form_by_proxy),
    ]


def entered(url: str, *, proxy: str | None = None) -> Account:
    """Give the account that somebody enters with this base URL."""
    entry = AccountEntry("mine", base_url=url, dialect="openai_chat", key="sk-fake", proxy=proxy)
    return make_account(entry)


def _call(account: Account, *, stream: bool) -> Call:
    return structs.replace(call_to("https://x.test", stream=stream), account=account)
