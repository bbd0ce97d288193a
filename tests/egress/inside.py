"""Tries every way out with everything that must not be reached, in a network that is a sink.

    unshare --user --map-root-user --net python -m tests.egress.inside

Prints as JSON what was tried and where packets went; test_sink.py judges that.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from omniroute.routing.upstream.egress import Permit
from omniroute.routing.upstream.upstream import HttpUpstream
from omniroute.server.tokens import Forms
from omniroute.server.webhooks import Webhooks
from tests.fakes import FakeClock
from tests.upstream.servers import Exchange, call_to, failure_of, serving, whole

from .features import Feature, Names, features, refused
from .sink import Sink
from .spellings import spellings

PUBLIC = "93.184.216.34"
OTHER_PUBLIC = "2606:4700::1111"
FORBIDDEN = {
    "never": ("169.254.169.254", "fd00:ec2::254", "100.100.100.200", "::ffff:169.254.169.254"),
    "private": ("127.0.0.1", "10.0.0.1", "::1", "64:ff9b::7f00:1"),
}
MOVED = ("301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent", "300 Many")


async def tried_spellings(sink: Sink, ways: tuple[Feature, ...]) -> dict[str, Any]:
    """Use each way with each spelling that it may not follow."""
    told: dict[str, Any] = {}
    for way in ways:
        urls = [one.url for one in spellings() if one.zone == "never" or not way.private]
        passed = [url for url in urls if not await refused(way, url)]
        told[way.name] = {"tried": len(urls), "passed": passed, "asked": sorted(sink.asked())}
    return told


async def controlled(sink: Sink, ways: tuple[Feature, ...]) -> dict[str, Any]:
    """Use each way with a public address: then somebody is asked, or the test sees nothing."""
    told: dict[str, Any] = {}
    for way in ways:
        await refused(way, f"https://{PUBLIC}/v1")
        told[way.name] = sorted(sink.asked())
    return told


async def rebound(sink: Sink, names: Names, ways: tuple[Feature, ...]) -> dict[str, Any]:
    """Use names that lead to a public address and to one that is none, at once or in turn."""
    told: dict[str, Any] = {}
    for way in ways:
        zones = ("never",) if way.private else ("never", "private")
        looks = 0
        for zone in zones:
            for number, bad in enumerate(FORBIDDEN[zone]):
                turns = (
                    [[PUBLIC], [bad]],
                    [[PUBLIC, bad]],
                    [[bad, PUBLIC]],
                    [[PUBLIC, OTHER_PUBLIC, bad, PUBLIC]],
                    [[bad]],
                )
                for kind, answers in enumerate(turns):
                    host = f"n{number}-{kind}.{zone}.test"
                    names.answers[host] = [list(one) for one in answers]
                    names.answers["api.example.com"] = [[PUBLIC]]
                    names.answers["oauth2.googleapis.com"] = [[PUBLIC]]
                    before = names.asked
                    for _ in answers:
                        await refused(way, f"https://{host}/v1")
                    looks = max(looks, (names.asked - before) - len(answers))
        told[way.name] = {"asked": sorted(sink.asked()), "more_looks": looks}
    return told


async def redirected(sink: Sink) -> dict[str, Any]:
    """Have a server that may be reached send everybody on to where nobody may go."""
    told: dict[str, Any] = {"answers": 0}
    targets = [one.url for one in spellings() if one.url.isprintable() and one.url.isascii()][::40]
    async with moving() as (place, port):
        upstream, hooks = HttpUpstream(FakeClock()), Webhooks(private=True)
        forms = Forms(Permit(private=True))
        url = f"http://127.0.0.1:{port}"
        for number, target in enumerate(targets):
            place[:] = [MOVED[number % len(MOVED)], target]
            await failure_of(upstream, call_to(f"{url}/v1"))
            await hooks.post(f"{url}/hook", (), b"{}")
            await forms.post(f"{url}/token", {})
            told["answers"] += 3
        upstream.close()
        hooks.close()
    told["asked"] = sorted(one for one in sink.asked() if one != ("127.0.0.1", port))
    return told


@asynccontextmanager
async def moving() -> AsyncIterator[tuple[list[str], int]]:
    """Run a server that answers with the status and place that it is given."""
    place = ["302 Found", ""]

    async def answer(exchange: Exchange) -> None:
        headers = f"location: {place[1]}\r\nrefresh: 0; url={place[1]}\r\n".encode()
        await exchange.send(whole(b"{}", status=place[0], headers=headers))

    async with serving(answer) as server:
        yield place, server.port


async def main() -> None:
    sink, names = Sink(), Names()
    ways = features(names)
    told = {
        "spellings": await tried_spellings(sink, ways),
        "control": await controlled(sink, ways),
        "rebinding": await rebound(sink, names, ways),
        "redirects": await redirected(sink),
    }
    sink.close()
    json.dump(told, sys.stdout)


if __name__ == "__main__":
    asyncio.run(main())
