"""Outbound proxies at each level, through a whole gateway and real proxies."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from omniroute.server.compose import Composed
from tests.upstream.proxies import PASSWORD, USER, Kind, RunningProxy, proxying
from tests.upstream.servers import Exchange, Server, serving, whole
from tests.v1.whole import client, opened

pytestmark = pytest.mark.anyio

PATH = "/api/settings/proxy"
ENTERED = "sk-fake-provider-key"


async def answer(exchange: Exchange) -> None:
    await exchange.send(whole())


@dataclass(frozen=True)
class Here:
    """A gateway with accounts at two providers of one's own, and three proxies."""

    gateway: Composed
    api: httpx2.AsyncClient
    server: Server
    proxies: Mapping[str, RunningProxy]

    async def way(self, model: str) -> str:
        """Ask a model and give the name of the proxy that it was reached by."""
        before = {name: len(one.targets) for name, one in self.proxies.items()}
        body = {"model": model, "messages": [{"role": "user", "content": "hi"}]}
        done = await self.api.post("/v1/chat/completions", json=body)
        assert done.status_code == 200, done.text
        used = [name for name, one in self.proxies.items() if len(one.targets) > before[name]]
        return " ".join(used) or "direct"

    async def put(self, name: str, level: str = "global", provider: str = "") -> Any:
        """Set a proxy by its name here, and give the answer's JSON."""
        proxy: dict[str, Any] = {"type": "direct"}
        if name != "direct":
            one = self.proxies[name]
            proxy = {"type": one.kind, "host": one.host, "port": one.port}
        done = await self.api.put(PATH, json={"level": level, "id": provider, "proxy": proxy})
        assert done.status_code == 200, done.text
        return done.json()

    async def remove(self, query: str) -> int:
        return (await self.api.delete(f"{PATH}?{query}")).status_code

    async def resolved(self, account: str) -> Any:
        found = (await self.api.get(f"{PATH}?resolve={account}")).json()["resolved"]
        return found["level"]


@asynccontextmanager
async def here(folder: Path, **variables: str) -> AsyncIterator[Here]:
    async with AsyncExitStack() as stack:
        names: tuple[tuple[str, Kind], ...] = (
            *(("one", "http"), ("two", "socks5")),
            ("three", "http"),
        )
        proxies = {name: await stack.enter_async_context(proxying(kind)) for name, kind in names}
        server = await stack.enter_async_context(serving(answer))
        set_to = {name: proxies[value].url for name, value in variables.items()}
        gateway = await stack.enter_async_context(opened(folder, **set_to))
        headers = {"authorization": f"Bearer {gateway.token}"}
        api = await stack.enter_async_context(client(gateway, **headers))
        made = Here(gateway, api, server, proxies)
        for name, more in ACCOUNTS.items():
            # `remote` is not local by its name, which the proxies lead to loopback.
            host = "remote.test" if name == "remote" else "127.0.0.1"
            own = {"proxy": proxies["three"].url} if more == "own" else {}
            entry = {
                "provider": name,
                "dialect": "openai_chat",
                "models": ["m"],
                "key": ENTERED,
                "base_url": f"http://{host}:{server.port}/v1",
                **own,
            }
            stored = await api.post("/api/providers", json=entry)
            assert stored.status_code == 201, stored.text
        yield made


ACCOUNTS = {"mine": "", "theirs": "", "special": "own"}


async def test_an_account_s_proxy_comes_before_its_provider_s_before_that_of_all(
    tmp_path: Path,
) -> None:
    async with here(tmp_path) as made:
        none = await made.way("mine/m")
        await made.put("one", "provider", "mine")
        await made.put("two", "provider", "special")

        ways = [await made.way(f"{name}/m") for name in ACCOUNTS]
        whose = [await made.resolved(name) for name in ACCOUNTS]
        listed = (await made.api.get("/api/providers")).json()["providers"]

        assert none == "direct"
        assert ways == ["one", "direct", "three"]
        assert whose == ["provider", None, "account"]
        shared = {one["provider"]: one["proxy_shared"] for one in listed}
        assert [shared[name] for name in ACCOUNTS] == [True, False, False]


async def test_what_is_set_holds_at_once_and_until_it_is_removed(tmp_path: Path) -> None:
    async with here(tmp_path) as made:
        await made.put("one", "provider", "mine")
        first = await made.way("mine/m")
        await made.put("two", "provider", "mine")
        second = await made.way("mine/m")
        removed = await made.remove("level=provider&id=mine")
        third = await made.way("mine/m")
        again = await made.remove("level=provider&id=mine")

    assert [first, second, third] == ["one", "two", "direct"]
    assert (removed, again) == (204, 404)


async def test_a_proxy_outlives_the_process_and_a_rotation_of_the_ring(tmp_path: Path) -> None:
    async with here(tmp_path) as made:
        await made.put("one", "provider", "mine")
        ring = (await made.api.post("/api/keyring")).json()
        old = [one["key_id"] for one in ring["keys"] if one["state"] == "older"]
        await made.api.delete(f"/api/keyring/{old[0]}")
    async with (
        opened(tmp_path) as later,
        client(later, authorization=f"Bearer {later.token}") as api,
    ):
        kept = (await api.get(PATH)).json()

    assert kept["providers"]["mine"]["port"] == made.proxies["one"].port
    assert later.parts.storage.configs.problems == ()


async def test_that_of_all_leads_out_and_leaves_what_is_local_alone(tmp_path: Path) -> None:
    async with here(tmp_path, OMNIROUTE_PROXY="one") as made:
        accounts = {
            one.provider: one for one in made.gateway.parts.gateway.view.configs.current().accounts
        }
        local = await made.way("mine/m")
        remote = await made.api.post(
            "/api/providers", json={"provider": "groq", "key": "sk-fake-groq"}
        )
        set_by = await made.resolved(remote.json()["account_id"])
        await made.put("two")
        stored = (await made.api.get(f"{PATH}?resolve=groq")).json()
        await made.put("direct", "provider", "groq")
        direct = await made.resolved("groq")

    assert accounts["mine"].local
    assert local == "direct"
    assert set_by == "global"
    assert stored["global"]["type"] == stored["resolved"]["proxy"]["type"] == "socks5"
    assert direct is None


async def test_a_call_over_the_internet_goes_through_that_of_all(tmp_path: Path) -> None:
    async with here(tmp_path) as made:
        await made.put("one")
        entry = {"provider": "groq", "key": "sk-fake-groq"}
        account = (await made.api.post("/api/providers", json=entry)).json()["account_id"]
        tried = (await made.api.post(f"/api/providers/{account}/test?model=m")).json()

    # The proxy leads every name to loopback, where nobody speaks TLS: it was asked all the same.
    assert made.proxies["one"].targets == [("api.groq.com", 443)]
    assert tried["ok"] is False


async def test_an_edit_is_bound_to_what_was_seen(tmp_path: Path) -> None:
    body = {"proxy": {"type": "http", "host": "proxy.example", "port": 3128}}
    async with (
        opened(tmp_path) as gateway,
        client(gateway, authorization=f"Bearer {gateway.token}") as api,
    ):
        await api.put("/api/aliases", json={"name": "quick", "target": "sim/fast"})
        seen = (await api.get(f"{PATH}?resolve=sim")).headers["etag"]
        made = await api.put(PATH, json=body, headers={"if-match": seen})
        late = await api.put(PATH, json=body, headers={"if-match": seen})
        now = (await api.get(PATH)).headers["etag"]
        removed = await api.delete(PATH, headers={"if-match": now})

    assert (made.status_code, late.status_code, removed.status_code) == (200, 412, 204)
    assert made.headers["etag"] == now != seen


async def test_a_password_reaches_the_proxy_and_nobody_else(tmp_path: Path) -> None:
    async with proxying("http", password=True) as proxy, here(tmp_path) as made:
        entered = {
            "type": "http",
            "host": proxy.host,
            "port": proxy.port,
            "username": USER,
            "password": PASSWORD,
        }
        told = await made.api.put(PATH, json={"level": "provider", "id": "mine", "proxy": entered})
        way = await made.way("mine/m")
        answers = [
            told.text,
            (await made.api.get(PATH)).text,
            (await made.api.get(f"{PATH}?resolve=mine")).text,
            (await made.api.get("/api/providers")).text,
            (await made.api.get("/api/audit/log")).text,
        ]
        files = [path.read_bytes() for path in (tmp_path / "data").iterdir() if path.is_file()]

    assert way == "direct"
    assert proxy.targets == [("127.0.0.1", made.server.port)]
    assert json.loads(told.text)["providers"]["mine"]["hasPassword"] is True
    assert [one for one in answers if PASSWORD in one or "sk-fake-proxy" in one] == []
    assert [one for one in files if PASSWORD.encode() in one or b"sk-fake-proxy" in one] == []


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"proxy": {"type": "http"}}, "proxy"),
        ({"proxy": {"type": "ftp", "host": "proxy.test"}}, None),
        ({"proxy": {"type": "http", "host": "proxy.test/path"}}, "proxy"),
        ({"proxy": {"type": "http", "host": "127.0.0.1", "port": 20128}}, "proxy"),
        ({"proxy": {"type": "http", "host": "proxy.test"}, "level": "combo", "id": "x"}, None),
        ({"proxy": {"type": "http", "host": "proxy.test"}, "level": "provider"}, "id"),
        ({"proxy": {"type": "http", "host": "proxy.test"}, "id": "groq"}, "level"),
    ],
)
async def test_what_is_no_proxy_or_no_level_is_refused_with_its_field(
    tmp_path: Path, body: Mapping[str, Any], field: str | None
) -> None:
    async with (
        opened(tmp_path) as gateway,
        client(gateway, authorization=f"Bearer {gateway.token}") as api,
    ):
        refused = await api.put(PATH, json=body)
        kept = (await api.get(PATH)).json()

    assert refused.status_code == 400
    assert refused.json()["error"]["param"] == field or field is None
    assert kept["global"] is None
    assert kept["providers"] == {}
