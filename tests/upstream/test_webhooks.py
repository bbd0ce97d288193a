"""Webhooks: whom they reach, on sockets of this machine, and what of the answer is taken."""

import asyncio
from pathlib import Path

import pytest

from omniroute.routing.errors import UpstreamFailure
from omniroute.server.webhooks import ANSWER_BYTES_MAX, Webhooks

from .authority import authority_in
from .servers import Exchange, serving, whole

pytestmark = pytest.mark.anyio

HEADERS = (("content-type", "application/json"), ("x-own", "1"))


async def accept(exchange: Exchange) -> None:
    await exchange.send(whole(b"ok"))


async def to_loopback(host: str, port: int) -> list[str]:
    return ["127.0.0.1"]


async def test_a_receiver_gets_path_query_headers_and_body() -> None:
    hooks = Webhooks(private=True)
    async with serving(accept) as server:
        status = await hooks.post(f"http://127.0.0.1:{server.port}/a/?b=1", HEADERS, b'{"a":1}')
        hooks.close()

    [request] = server.requests
    assert status == 200
    assert request.head.startswith(b"POST /a/?b=1 HTTP/1.1\r\n")
    assert request.header(b"x-own") == b"1"
    assert request.body == b'{"a":1}'


async def test_a_receiver_s_certificate_must_be_for_its_name(tmp_path: Path) -> None:
    authority = authority_in(tmp_path)
    hooks = Webhooks(private=True, resolve=to_loopback, tls=authority.trusted)
    async with serving(accept, tls=authority.server("client.test")) as server:
        status = await hooks.post(f"https://client.test:{server.port}/hook", HEADERS, b"{}")
        with pytest.raises(UpstreamFailure) as refused:
            await hooks.post(f"https://other.test:{server.port}/hook", HEADERS, b"{}")
        hooks.close()

    assert status == 200
    assert refused.value.kind == "tls"


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "::ffff:127.0.0.1"]
)
async def test_a_name_that_leads_to_a_private_address_is_not_reached(address: str) -> None:
    async def resolve(host: str, port: int) -> list[str]:
        return ["93.184.216.34", address]

    hooks = Webhooks(private=False, resolve=resolve)
    hooks.check("https://client.example/hook")
    with pytest.raises(UpstreamFailure) as refused:
        await hooks.post("https://client.example/hook", HEADERS, b"{}")
    hooks.close()

    assert refused.value.kind == "egress_refused"


async def test_a_name_that_changes_where_it_leads_gains_nothing() -> None:
    answers = iter([["93.184.216.34"], ["127.0.0.1"]])
    asked = 0

    async def resolve(host: str, port: int) -> list[str]:
        nonlocal asked
        asked += 1
        return next(answers)

    hooks = Webhooks(private=False, resolve=resolve)
    # Nothing answers at the first address here: what counts is where the second look leads.
    with pytest.raises((UpstreamFailure, TimeoutError)):
        await asyncio.wait_for(hooks.post("https://client.example/", HEADERS, b"{}"), 0.2)
    with pytest.raises(UpstreamFailure) as refused:
        await hooks.post("https://client.example/", HEADERS, b"{}")
    hooks.close()

    assert asked == 2
    assert refused.value.kind == "egress_refused"


async def test_metadata_services_are_never_reached() -> None:
    hooks = Webhooks(private=True)
    with pytest.raises(ValueError, match="public address"):
        hooks.check("http://169.254.169.254/latest/meta-data")
    with pytest.raises(UpstreamFailure) as refused:
        await hooks.post("http://169.254.169.254/latest/meta-data", HEADERS, b"{}")
    hooks.close()

    assert refused.value.kind == "egress_refused"


async def test_the_gateway_itself_is_no_receiver() -> None:
    hooks = Webhooks(private=True, own_addresses=(("127.0.0.1", 20128),))

    with pytest.raises(ValueError, match="public address"):
        hooks.check("http://127.0.0.1:20128/a2a")


async def test_a_redirect_is_an_answer_like_any_other_and_not_followed() -> None:
    async def redirect(exchange: Exchange) -> None:
        place = b"location: http://169.254.169.254/latest\r\n"
        await exchange.send(whole(b"", status="302 Found", headers=place))

    hooks = Webhooks(private=True)
    async with serving(redirect) as server:
        status = await hooks.post(f"http://127.0.0.1:{server.port}/", HEADERS, b"{}")
        hooks.close()

    assert status == 302
    assert len(server.requests) == 1


async def test_a_long_answer_is_cut_and_not_read() -> None:
    sent = 0

    async def flood(exchange: Exchange) -> None:
        nonlocal sent
        await exchange.send(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n")
        while True:
            await exchange.send(b"x" * ANSWER_BYTES_MAX)
            sent += ANSWER_BYTES_MAX

    hooks = Webhooks(private=True)
    async with serving(flood) as server:
        status = await hooks.post(f"http://127.0.0.1:{server.port}/", HEADERS, b"{}")
        await asyncio.wait_for(server.gone.wait(), 5)
        hooks.close()

    assert status == 200
    assert sent < 100 * ANSWER_BYTES_MAX


async def test_a_line_break_never_becomes_a_header() -> None:
    hooks = Webhooks(private=True)
    async with serving(accept) as server:
        with pytest.raises(UpstreamFailure):
            await hooks.post(f"http://127.0.0.1:{server.port}/", [("a", "b\r\nc: d")], b"{}")
        hooks.close()

    assert server.requests == []
