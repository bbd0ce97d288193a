"""Where we may connect: judged by the addresses a name has now, never by its spelling."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omniroute.routing.errors import UpstreamFailure
from omniroute.routing.model import Account
from omniroute.routing.upstream.egress import (
    Egress,
    Origin,
    Permit,
    is_host,
    is_self,
    parse_base_url,
    zone_of,
)
from omniroute.routing.upstream.upstream import may_reach_private

from .servers import Exchange, ask, call_to, failure_of, serving, upstream, whole

PUBLIC_ONLY = Permit()
LOCAL_TOO = Permit(private=True)


async def answer_whole(exchange: Exchange) -> None:
    await exchange.send(whole())


@pytest.mark.anyio
@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.1",
        "127.255.255.254",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0177.0.0.1",
        "017700000001",
        "localhost",
        "LocalHost",
        "[::1]",
        "[0:0:0:0:0:0:0:1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[64:ff9b::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "[2002:a9fe:a9fe::]",
        "10.0.0.1",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.1.1",
        "100.64.0.1",
        "198.18.0.1",
        "[fd12:3456::1]",
        "[fc00::1]",
    ],
)
async def test_no_spelling_of_a_private_address_passes_for_a_public_one(host: str) -> None:
    base = parse_base_url(f"https://{host}/v1")

    with pytest.raises(UpstreamFailure) as caught:
        await Egress().addresses(base.origin, PUBLIC_ONLY)

    assert caught.value.kind == "egress_refused"


@pytest.mark.anyio
@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254",
        "0xa9fea9fe",
        "2852039166",
        "0251.0376.0251.0376",
        "[::ffff:169.254.169.254]",
        "[64:ff9b::a9fe:a9fe]",
        "[2002:a9fe:a9fe::1]",
        "[fe80::1]",
        "[fe80::a9fe:a9fe]",
        "[fd00:ec2::254]",
        "[fd20:ce::254]",
        "192.0.0.192",
        "100.100.100.200",
        "168.63.129.16",
        "0.0.0.0",
        "0",
        "0.1.2.3",
        "[::]",
        "[::127.0.0.1]",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "192.0.2.1",
        "198.51.100.1",
        "203.0.113.1",
        "[ff02::1]",
        "[2001:db8::1]",
        "[2001:0:53aa::1]",
        "[fec0::1]",
        "[100::1]",
        "[4000::1]",
    ],
)
async def test_metadata_and_reserved_addresses_are_never_reached(host: str) -> None:
    base = parse_base_url(f"https://{host}/v1")

    with pytest.raises(UpstreamFailure, match="no account may reach") as caught:
        await Egress().addresses(base.origin, Permit(private=True, plain_public=True))

    assert caught.value.kind == "egress_refused"


@pytest.mark.anyio
@pytest.mark.parametrize(
    "host", ["8.8.8.8", "[2606:4700::1111]", "[::ffff:8.8.8.8]", "[64:ff9b::808:808]"]
)
async def test_public_addresses_may_be_reached(host: str) -> None:
    base = parse_base_url(f"https://{host}/v1")

    addresses = await Egress().addresses(base.origin, PUBLIC_ONLY)

    assert [ipaddress.ip_address(one) for one in addresses] == [
        ipaddress.ip_address(base.origin.host)
    ]


@pytest.mark.anyio
async def test_one_forbidden_address_of_a_name_refuses_them_all() -> None:
    async def mixed(host: str, port: int) -> list[str]:
        return ["8.8.8.8", "169.254.169.254"]

    with pytest.raises(UpstreamFailure, match="metadata"):
        await Egress(resolve=mixed).addresses(Origin("https", "x.test", 443), LOCAL_TOO)


@pytest.mark.anyio
async def test_a_name_that_changes_its_address_is_judged_for_each_new_connection() -> None:
    answers = [["127.0.0.1"], ["169.254.169.254"]]

    async def rebinding(host: str, port: int) -> list[str]:
        return answers.pop(0)

    async def close_after(exchange: Exchange) -> None:
        await exchange.send(whole(headers=b"connection: close\r\n"))

    async with serving(close_after) as server, upstream(resolve=rebinding) as made:
        url = f"http://rebinding.test:{server.port}/v1"
        await ask(made, call_to(url))
        failure = await failure_of(made, call_to(url))

    assert failure.kind == "egress_refused"
    assert len(server.requests) == 1


@pytest.mark.anyio
async def test_the_address_that_was_judged_is_the_one_connected_to() -> None:
    asked: list[str] = []

    async def once(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"]

    async with serving(answer_whole) as server, upstream(resolve=once) as made:
        await ask(made, call_to(f"http://once.test:{server.port}/v1"))

    assert asked == ["once.test"]


@pytest.mark.anyio
async def test_a_name_without_an_address_is_a_failed_connect() -> None:
    async def nothing(host: str, port: int) -> list[str]:
        raise OSError("no such name")

    with pytest.raises(UpstreamFailure) as caught:
        await Egress(resolve=nothing).addresses(Origin("https", "x.test", 443), PUBLIC_ONLY)

    assert caught.value.kind == "connect"


@pytest.mark.anyio
async def test_a_public_server_without_encryption_is_refused_unless_it_is_ones_own() -> None:
    origin = parse_base_url("http://8.8.8.8/v1").origin

    with pytest.raises(UpstreamFailure, match="use https"):
        await Egress().addresses(origin, LOCAL_TOO)
    allowed = await Egress().addresses(origin, Permit(private=True, plain_public=True))

    assert allowed == ("8.8.8.8",)


@pytest.mark.anyio
async def test_this_gateway_is_never_its_own_provider() -> None:
    async with (
        serving(answer_whole) as server,
        upstream(own_addresses=(("0.0.0.0", server.port),)) as made,
    ):
        failure = await failure_of(made, call_to(server.url))

    assert failure.kind == "egress_refused"
    assert "this gateway itself" in str(failure)
    assert server.connections == 0


@pytest.mark.anyio
async def test_a_redirect_is_not_followed() -> None:
    async def script(exchange: Exchange) -> None:
        headers = b"location: http://169.254.169.254/latest/meta-data\r\n"
        await exchange.send(whole(b"", status="307 Temporary Redirect", headers=headers))

    async with serving(script) as server, upstream() as made:
        failure = await failure_of(made, call_to(server.url))

    assert failure.kind == "malformed"
    assert "redirect" in str(failure)
    assert len(server.requests) == 1


@pytest.mark.anyio
async def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")

    async with serving(answer_whole) as server, upstream() as made:
        await ask(made, call_to(server.url))

    assert len(server.requests) == 1


@pytest.mark.anyio
async def test_connections_of_a_trusted_account_do_not_serve_another_one() -> None:
    async def resolve(host: str, port: int) -> list[str]:
        return ["127.0.0.1"]

    def trusted(account: Account) -> bool:
        return account.credential == "sk-fake-trusted"

    async with (
        serving(answer_whole) as server,
        upstream(resolve=resolve, allow_private=trusted) as made,
    ):
        url = f"http://x.test:{server.port}/v1"
        await ask(made, call_to(url, credential="sk-fake-trusted"))
        failure = await failure_of(made, call_to(url, credential="sk-fake-other"))

    assert failure.kind == "egress_refused"
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "url",
    [
        "ftp://x.test/v1",
        "file:///etc/passwd",
        "gopher://x.test:70/",
        "javascript:alert(1)",
        "//x.test/v1",
        "x.test/v1",
        "",
        "http://",
        "http:///v1",
        "https://user:sk-fake-in-the-url@x.test/v1",
        "https://user@x.test/v1",
        "https://x.test@169.254.169.254/v1",
        "https://x.test:0/v1",
        "https://x.test:99999/v1",
        "https://x.test:sk-fake-as-a-port/v1",
        "https://x.test/v1#fragment",
        "https://x.test\\@evil.test/v1",
        "https://x.test/v1\r\nhost: evil.test",
        "https://x.test /v1",
        "https://x.test/\tv1",
        "https://[::1",
        "https://[::1]evil.test/",
        "https://[fe80::1%25eth0]/v1",
        "https://%31%32%37.0.0.1/v1",
        "https://\uff11\uff12\uff17.0.0.1/v1",
        "https://b\u00fccher.test/v1",
        "https://x_.test;y/v1",
    ],
)
def test_a_base_url_that_is_not_plainly_one_is_refused(url: str) -> None:
    with pytest.raises(UpstreamFailure) as caught:
        parse_base_url(url)

    assert caught.value.kind == "egress_refused"
    assert "sk-fake" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "authority", "path"),
    [
        ("https://api.test/v1", "api.test", "/v1"),
        ("https://api.test/v1/", "api.test", "/v1"),
        ("HTTPS://API.test:443", "api.test", ""),
        ("http://api.test.:8080/a/b", "api.test:8080", "/a/b"),
        ("http://[::1]:11434/v1", "[::1]:11434", "/v1"),
        ("https://[::1]/v1", "[::1]", "/v1"),
    ],
)
def test_a_base_url_gives_its_authority_and_path(url: str, authority: str, path: str) -> None:
    base = parse_base_url(url)

    assert (base.origin.authority, base.path) == (authority, path)


@pytest.mark.parametrize(
    ("host", "own", "same"),
    [
        ("127.0.0.1", "127.0.0.1", True),
        ("localhost", "127.0.0.1", True),
        ("localhost.", "0.0.0.0", True),
        ("127.0.0.5", "0.0.0.0", True),
        ("::1", "::", True),
        ("[::1]", "127.0.0.1", True),
        ("::ffff:127.0.0.1", "127.0.0.1", True),
        ("192.168.1.7", "192.168.1.7", True),
        ("gateway.test", "gateway.test", True),
        ("GATEWAY.test", "gateway.test", True),
        ("192.168.1.7", "0.0.0.0", False),
        ("192.168.1.7", "127.0.0.1", False),
        ("other.test", "gateway.test", False),
    ],
)
def test_the_gateway_knows_its_own_listeners(host: str, own: str, *, same: bool) -> None:
    assert is_self(host, 20128, [(own, 20128)]) is same
    assert not is_self(host, 20129, [(own, 20128)])


@given(st.ip_addresses(v=4))
def test_an_address_inside_an_ipv6_one_is_judged_like_itself(address: object) -> None:
    assert isinstance(address, ipaddress.IPv4Address)
    high, low = divmod(int(address), 2**16)

    zones = {
        zone_of(str(address)),
        zone_of(f"::ffff:{address}"),
        zone_of(f"64:ff9b::{address}"),
        zone_of(f"2002:{high:x}:{low:x}::5"),
    }

    assert len(zones) == 1


@given(st.ip_addresses())
def test_only_addresses_that_python_calls_global_are_public(address: object) -> None:
    assert isinstance(address, ipaddress.IPv4Address | ipaddress.IPv6Address)

    # A 6to4 address is judged by the IPv4 address that it leads to.
    led_to = getattr(address, "sixtofour", None) or address
    assert zone_of(str(address)) != "public" or led_to.is_global


def test_accounts_of_the_administrator_may_reach_private_addresses() -> None:
    named = Account("a", "mock", "openai_chat", "http://10.0.0.5/v1")
    built_in = Account("b", "mock", "openai_chat", "https://api.test/v1", source="builtin")

    assert may_reach_private(named)
    assert not may_reach_private(built_in)


@pytest.mark.anyio
@pytest.mark.parametrize(("number", "judged"), [(1, True), (16, True), (17, False), (0, False)])
async def test_a_name_has_one_to_sixteen_addresses(number: int, *, judged: bool) -> None:
    found = [f"8.8.8.{one}" for one in range(number)]

    async def resolve(host: str, port: int) -> list[str]:
        return [*found, *found[:1]]

    asked = Egress(resolve=resolve).addresses(Origin("https", "many.test", 443), PUBLIC_ONLY)
    if judged:
        assert await asked == tuple(found)
    else:
        with pytest.raises(UpstreamFailure, match=f"has {number} addresses"):
            await asked


@pytest.mark.parametrize(
    ("url", "permit"),
    [
        ("https://api.test/v1", PUBLIC_ONLY),
        ("https://8.8.8.8/v1", PUBLIC_ONLY),
        ("https://127.0.0.1/v1", LOCAL_TOO),
        ("https://localhost/v1", LOCAL_TOO),
        ("http://10.0.0.1/v1", LOCAL_TOO),
        ("http://api.test/v1", Permit(plain_public=True)),
    ],
)
def test_what_a_proxy_may_be_asked_for(url: str, permit: Permit) -> None:
    refused: list[str] = []

    try:
        Egress().behind_proxy(parse_base_url(url).origin, permit)
    except UpstreamFailure as failure:
        refused.append(str(failure))

    assert refused == []


@pytest.mark.parametrize(
    ("url", "permit", "words"),
    [
        ("http://api.test/v1", PUBLIC_ONLY, "would be reached through a proxy without"),
        ("http://api.test/v1", LOCAL_TOO, "would be reached through a proxy without"),
        ("https://localhost/v1", PUBLIC_ONLY, "a private address"),
        ("https://a.localhost/v1", PUBLIC_ONLY, "a private address"),
        ("https://127.1/v1", PUBLIC_ONLY, "a private address"),
        ("https://[::1]/v1", PUBLIC_ONLY, "leads to ::1, a private address"),
        ("https://0.0.0.0/v1", LOCAL_TOO, "metadata, link-local or reserved"),
        ("https://[::]/v1", LOCAL_TOO, "metadata, link-local or reserved"),
        ("https://0251.0376.0251.0376/v1", LOCAL_TOO, "leads to 169.254.169.254"),
        ("http://8.8.8.8/v1", LOCAL_TOO, "a public address, without encryption"),
    ],
)
def test_what_a_proxy_may_not_be_asked_for(url: str, permit: Permit, words: str) -> None:
    with pytest.raises(UpstreamFailure, match=words) as caught:
        Egress().behind_proxy(parse_base_url(url).origin, permit)

    assert caught.value.kind == "egress_refused"


@pytest.mark.parametrize(
    "url", ["https://x.test/a b", "https://x.test/a\\b", "https://x.test/a\nb"]
)
def test_one_character_that_no_url_may_hold_is_enough(url: str) -> None:
    with pytest.raises(UpstreamFailure, match="characters that no URL may hold"):
        parse_base_url(url)


@pytest.mark.parametrize(
    ("host", "right"),
    [
        ("api.test", True),
        ("_api.test", True),
        ("8.8.8.8", True),
        ("::1", True),
        ("2606:4700::1111", True),
        ("a" * 253, True),
        ("a" * 254, False),
        ("fe80::1%eth0", False),
        ("1:2", False),
        ("::zz", False),
        ("-api.test", False),
        ("api test", False),
        ("", False),
    ],
)
def test_a_host_is_a_name_or_an_address(host: str, *, right: bool) -> None:
    assert is_host(host) is right


@pytest.mark.parametrize(
    ("url", "port", "authority"),
    [
        ("http://api.test/v1", 80, "api.test"),
        ("http://api.test:80/v1", 80, "api.test"),
        ("https://api.test/v1", 443, "api.test"),
        ("https://api.test:80/v1", 80, "api.test:80"),
        ("http://api.test:443/v1", 443, "api.test:443"),
    ],
)
def test_a_port_is_named_where_it_is_not_the_usual_one(url: str, port: int, authority: str) -> None:
    origin = parse_base_url(url).origin

    assert (origin.port, origin.authority) == (port, authority)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("abcdefghijklmnopqrst://x.test", "begins with 'abcdefghijklmnop';"),
        (f"https://-{'a' * 80}/v1", f"host and port: '-{'a' * 63}'"),
    ],
)
def test_of_what_is_wrong_only_the_beginning_is_repeated(url: str, shown: str) -> None:
    with pytest.raises(UpstreamFailure) as caught:
        parse_base_url(url)

    assert shown in str(caught.value)


def test_each_of_several_listeners_is_the_gateway_itself() -> None:
    own = [("127.0.0.1", 1), ("10.0.0.7", 20128), ("gateway.test", 20128)]

    asked = [("127.0.0.1", 1), ("10.0.0.7", 20128), ("gateway.test", 20128), ("10.0.0.7", 1)]

    assert [is_self(host, port, own) for host, port in asked] == [True, True, True, False]


def test_the_last_bit_of_an_address_within_another_counts() -> None:
    assert zone_of("64:ff9b::a83f:8110") == "never"
    assert zone_of("64:ff9b::a83f:8111") == "public"


@pytest.mark.anyio
async def test_a_name_is_looked_up_by_the_system_where_nobody_else_is_given() -> None:
    found = await Egress().addresses(Origin("http", "localhost", 80), LOCAL_TOO)

    assert found
    assert {*found} <= {"127.0.0.1", "::1"}


@pytest.mark.parametrize("url", ["https://someone@x.test/v1", "https://a:b@x.test/v1"])
def test_a_user_in_a_base_url_is_told_where_to_go(url: str) -> None:
    with pytest.raises(UpstreamFailure, match="holds a user name or password"):
        parse_base_url(url)


@pytest.mark.parametrize("text", ["", "api.test", "1.2.3", "80", "::zz"])
def test_what_is_no_address_is_never_reached(text: str) -> None:
    assert zone_of(text) == "never"
