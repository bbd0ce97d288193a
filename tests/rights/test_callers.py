"""Who calls, from the head of a request, whatever it says of keys and of where it began."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import ip_network

import pytest

from omniroute.routing.access import ADMIN, LOCAL, LOCAL_CLI, OWNER, SCOPES
from omniroute.routing.errors import NotAllowed, NotAuthenticated
from omniroute.routing.model import Caller
from omniroute.server.auth import Authenticator, KnownKeys, is_loopback, presents_key
from omniroute.server.exchange import Head

TOKEN = "token-of-this-machine"
ALL = frozenset((*SCOPES, ADMIN))
MINE = Caller("mine", frozenset({"write:route"}))
YOURS = Caller("yours", frozenset({"read:usage"}))
BEARER = (b"authorization", b"Bearer key-mine")


@dataclass
class Keys:
    """Keys in memory, and how often they were looked at."""

    known: dict[str, Caller] = field(default_factory=lambda: {"key-mine": MINE, "key-yours": YOURS})
    budgets: tuple[str, ...] = ()
    generation: int = 7
    last: bool = True
    password: bool = False
    looked: int = 0

    def check(self, presented: str) -> Caller | None:
        self.looked += 1
        return self.known.get(presented)

    def find(self, key_id: str) -> Caller | None:
        return next((one for one in self.known.values() if one.key_id == key_id), None)

    def authenticator(
        self, *, keyless: bool = False, token: str | None = TOKEN, proxies: Iterable[str] = ()
    ) -> Authenticator:
        known = KnownKeys(
            self.check,
            lambda: bool(self.known),
            lambda: self.budgets,
            lambda: self.generation,
            lambda key_id: self.last,
            self.find,
            lambda: self.password,
        )
        networks = tuple(ip_network(one) for one in proxies)
        return Authenticator(keys=known, keyless=keyless, token=token, trusted_proxies=networks)


def head(
    *headers: tuple[bytes, bytes],
    path: str = "/v1/chat/completions",
    query: bytes = b"",
    peer: str | None = "192.0.2.7",
) -> Head:
    made = Head("POST", path, list(headers), peer=peer)
    made.query = query
    return made


def refusal_of(who: Authenticator, asked: Head) -> str:
    """Give the words of a refusal, none of a key that was let in."""
    try:
        return f"let in: {who.caller_of(asked).key_id}"
    except NotAuthenticated as error:
        return str(error)


@pytest.mark.parametrize(
    "headers",
    [
        [BEARER],
        [(b"authorization", b"bEARER   key-mine ")],
        [(b"x-api-key", b"key-mine")],
        [(b"x-goog-api-key", b" key-mine\t")],
        [(b"api-key", b"key-mine")],
        [(b"authorization", b"Basic a2V5LXlvdXJz"), (b"api-key", b"key-mine")],
        [(b"authorization", b"Bearer "), (b"api-key", b"key-mine")],
        [BEARER, (b"x-api-key", b"key-mine"), (b"api-key", b"")],
        [(b"cookie", b"key-yours"), (b"x-key", b"key-yours"), BEARER],
    ],
)
def test_a_key_is_found_in_each_of_its_places(headers: list[tuple[bytes, bytes]]) -> None:
    assert Keys().authenticator().caller_of(head(*headers)) == MINE


@pytest.mark.parametrize(
    ("headers", "where"),
    [
        ([BEARER, (b"x-api-key", b"key-yours")], "authorization and x-api-key"),
        ([BEARER, (b"authorization", b"Bearer key-yours")], "authorization: send"),
        ([(b"x-goog-api-key", b"key-yours"), (b"api-key", b"key-mine")], "api-key and x-goog"),
        ([(b"x-api-key", TOKEN.encode()), BEARER], "authorization and x-api-key"),
    ],
)
@pytest.mark.parametrize("token", [TOKEN, None])
def test_two_different_keys_are_refused_with_where_they_stand(
    headers: list[tuple[bytes, bytes]], where: str, token: str | None
) -> None:
    keys = Keys()

    told = refusal_of(keys.authenticator(token=token), head(*headers))

    assert "different keys were sent in" in told
    assert where in told
    assert keys.looked == 0


@pytest.mark.parametrize(
    ("path", "query", "told"),
    [
        ("/v1beta/models/sim/fast:generateContent", b"key=key-mine", "let in: mine"),
        ("/v1beta/models", b"alt=sse&key=key%2Dmine&x", "let in: mine"),
        ("//v1beta//models", b"key=key-mine", "let in: mine"),
        ("/v1beta/models", b"key=key-mine&key=key-yours", "?key=: send one"),
        ("/v1beta/models", b"xkey=key-mine", "needs a key"),
        ("/v1beta/models", b"key", "needs a key"),
        ("/v1beta/models", b"", "needs a key"),
        ("/v1/chat/completions", b"key=key-mine", "needs a key"),
        ("/api/keys", b"key=key-mine", "needs a key"),
        ("/x/v1beta/models", b"key=key-mine", "needs a key"),
    ],
)
def test_a_key_in_the_query_is_one_where_geminis_clients_send_it(
    path: str, query: bytes, told: str
) -> None:
    assert told in refusal_of(Keys().authenticator(), head(path=path, query=query))


def test_who_sends_no_key_or_a_strange_one_is_told_what_to_do() -> None:
    who = Keys().authenticator(keyless=True)

    nothing = refusal_of(who, head(peer="127.0.0.1"))
    strange = refusal_of(who, head((b"x-api-key", b"strange"), peer="127.0.0.1"))

    assert "this gateway needs a key" in nothing
    assert "not one of this gateway's" in strange
    assert all("omniroute keys add" in told for told in (nothing, strange))


@pytest.mark.parametrize("bound", [True, False])
def test_the_token_of_this_machine_is_the_command_line_everywhere(bound: bool) -> None:
    who = Keys(budgets=("b1", "b2")).authenticator(keyless=bound)

    caller = who.caller_of(head((b"authorization", b"Bearer " + TOKEN.encode())))

    assert caller == Caller(LOCAL_CLI, ALL, budget_ids=("b1", "b2"))


@pytest.mark.parametrize("sent", [TOKEN[:-1], TOKEN + "x", TOKEN.upper(), "None", "t\u00f6ken"])
def test_nothing_else_is_the_token(sent: str) -> None:
    strange = head((b"x-api-key", sent.encode()))

    assert "not one of this gateway's" in refusal_of(Keys().authenticator(), strange)
    assert "not one of this gateway's" in refusal_of(Keys().authenticator(token=None), strange)


def test_without_a_key_in_the_world_this_machine_is_let_in_whatever_it_presents() -> None:
    who = Keys({}, budgets=("b1",)).authenticator(keyless=True)

    callers = [
        who.caller_of(head(*headers, peer=peer))
        for peer in ("127.0.0.1", "::1", "::ffff:127.0.0.9", None)
        for headers in ((), (BEARER,), (BEARER, (b"x-api-key", b"another")))
    ]

    assert callers == [Caller(LOCAL, ALL, budget_ids=("b1",))] * 12


@pytest.mark.parametrize("peer", ["192.0.2.7", "::ffff:192.0.2.7", "fe80::1", "unix", ""])
def test_without_a_key_in_the_world_no_other_machine_is_let_in(peer: str) -> None:
    assert "needs a key" in refusal_of(Keys({}).authenticator(keyless=True), head(peer=peer))


@pytest.mark.parametrize(
    ("known", "keyless"), [({}, False), ({"key-mine": MINE}, True), ({"key-mine": MINE}, False)]
)
def test_this_machine_needs_a_key_where_one_is_or_keyless_is_off(
    known: dict[str, Caller], keyless: bool
) -> None:
    who = Keys(known).authenticator(keyless=keyless)

    assert who.needs_key() is True
    assert "needs a key" in refusal_of(who, head(peer="127.0.0.1"))
    assert Keys({}).authenticator(keyless=True).needs_key() is False


@pytest.mark.parametrize(
    "name",
    [
        *("forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "via"),
        *("x-forwarded-port", "x-forwarded-server", "x-original-forwarded-for", "x-real-ip"),
        *("cdn-loop", "cf-connecting-ip", "cf-ray", "true-client-ip", "x-client-ip"),
        *("x-cluster-client-ip", "fly-client-ip", "x-envoy-external-address"),
        *("x-azure-clientip", "x-appengine-user-ip", "tailscale-user-login"),
    ],
)
def test_a_request_that_was_forwarded_did_not_begin_here(name: str) -> None:
    who = Keys({}).authenticator(keyless=True)

    for peer in ("127.0.0.1", None):
        told = refusal_of(who, head((name.encode(), b"127.0.0.1"), peer=peer))
        assert "needs a key" in told


@pytest.mark.parametrize(
    ("peer", "hops", "local"),
    [
        ("10.0.0.1", ["127.0.0.1"], True),
        ("10.0.0.1", ["127.0.0.1, 10.0.0.2"], True),
        ("10.0.0.1", ["127.0.0.1", "10.0.0.2"], True),
        ("10.0.0.1", ["198.51.100.9, 127.0.0.1"], True),
        ("10.0.0.1", ["127.0.0.1 , 198.51.100.9"], False),
        ("10.0.0.1", ["127.0.0.1", "198.51.100.9", "10.0.0.2"], False),
        ("10.0.0.1", ["10.0.0.3, 10.0.0.2"], False),
        ("10.0.0.1", ["127.0.0.1,"], False),
        ("10.0.0.1", ["127.0.0.1, unknown"], False),
        ("10.0.0.1", [], False),
        ("10.0.1.1", ["127.0.0.1"], False),
        ("127.0.0.1", ["127.0.0.1"], False),
        ("unix", ["127.0.0.1"], False),
        (None, ["127.0.0.1"], False),
    ],
)
def test_a_trusted_proxy_says_where_a_request_began(
    peer: str | None, hops: list[str], local: bool
) -> None:
    who = Keys({}).authenticator(keyless=True, proxies=["192.0.2.0/31", "10.0.0.0/24"])
    headers = [(b"x-forwarded-for", hop.encode()) for hop in hops]

    told = refusal_of(who, head((b"via", b"127.0.0.1"), *headers, peer=peer))

    assert told.startswith("let in: local" if local else "this gateway needs a key")


@pytest.mark.parametrize(
    ("peer", "hops", "address"),
    [
        ("10.0.0.1", ["198.51.100.9"], "198.51.100.9"),
        ("10.0.0.1", ["127.0.0.1, 198.51.100.9", "10.0.0.2"], "198.51.100.9"),
        ("10.0.0.1", ["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("192.0.2.7", ["198.51.100.9"], "192.0.2.7"),
        ("unix", ["198.51.100.9"], "unix"),
        (None, ["198.51.100.9"], ""),
        (None, [], ""),
    ],
)
def test_where_a_request_began_is_what_a_trusted_proxy_says_or_its_peer(
    peer: str | None, hops: list[str], address: str
) -> None:
    who = Keys().authenticator(proxies=["10.0.0.0/24"])
    others = [(b"via", b"203.0.113.1"), (b"x-real-ip", b"203.0.113.2")]
    headers = [(b"x-forwarded-for", hop.encode()) for hop in hops]

    assert who.address_of(head(*others, *headers, peer=peer)) == address


@pytest.mark.parametrize(
    ("peer", "said", "encrypted"),
    [
        *(("10.0.0.1", b"https", True), ("10.0.0.1", b" HTTPS ", True)),
        *(("10.0.0.1", b"http", False), ("10.0.0.1", b"https, http", False)),
        *(("10.0.0.1", None, False), ("10.0.0.1", b"", False)),
        *(("192.0.2.7", b"https", False), ("unix", b"https", False), (None, b"https", False)),
    ],
)
def test_a_connection_is_encrypted_where_a_trusted_proxy_says_so(
    peer: str | None, said: bytes | None, encrypted: bool
) -> None:
    who = Keys().authenticator(proxies=["10.0.0.0/24"])
    headers = [] if said is None else [(b"x-forwarded-proto", said)]

    assert who.is_https(head(*headers, peer=peer)) is encrypted


def test_a_chain_of_trusted_proxies_alone_began_at_its_first() -> None:
    who = Keys({}).authenticator(keyless=True, proxies=["10.0.0.0/24", "127.0.0.0/8"])
    local = head((b"x-forwarded-for", b"127.0.0.1, 10.0.0.2"), peer="10.0.0.1")
    other = head((b"x-forwarded-for", b"10.0.0.2, 127.0.0.1"), peer="10.0.0.1")

    assert refusal_of(who, local) == "let in: local"
    assert "needs a key" in refusal_of(who, other)


def test_the_same_head_is_judged_once_until_something_of_the_keys_changes() -> None:
    keys, asked = Keys(), head(BEARER)
    who = keys.authenticator()

    first = [who.caller_of(asked), who.caller_of(asked)]
    looked_first = keys.looked
    keys.generation += 1
    second = [who.caller_of(asked), who.caller_of(asked)]
    looked_second = keys.looked
    keys.known.clear()
    keys.generation -= 1

    assert [*first, *second] == [MINE] * 4
    assert (looked_first, looked_second) == (1, 2)
    assert "not one of this gateway's" in refusal_of(who, asked)


def test_a_key_that_may_end_in_between_is_judged_each_time() -> None:
    keys, asked = Keys(last=False), head(BEARER)
    who = keys.authenticator()

    assert [who.caller_of(asked), who.caller_of(asked)] == [MINE, MINE]
    assert keys.looked == 2
    assert asked.caller is None


def test_what_is_known_without_more_is_judged_each_time() -> None:
    asked, known = head(BEARER), {"key-mine": MINE}
    who = Authenticator(keys=KnownKeys(known.get, lambda: True), keyless=True, token=None)

    first = who.caller_of(asked)
    known.clear()

    assert first == MINE
    assert first.budget_ids == ()
    assert "not one of this gateway's" in refusal_of(who, asked)
    assert who.caller_named("mine") is None


def test_a_key_without_the_scope_of_the_route_is_refused_each_time() -> None:
    asked, who = head(BEARER), Keys().authenticator()
    asked.needs = ("read:models", "write:config")

    for _ in range(2):
        with pytest.raises(NotAllowed, match="key mine lacks scope write:config"):
            who.caller_of(asked)

    asked.needs = ("read:models", "write:route")
    assert who.caller_of(asked) == MINE


def test_a_caller_is_found_again_by_the_id_of_its_key() -> None:
    keys = Keys(budgets=("b1",))
    who = keys.authenticator(keyless=True)

    with_keys = [who.caller_named(one) for one in ("mine", "gone", LOCAL, LOCAL_CLI)]
    keys.known.clear()
    without = [who.caller_named(one) for one in ("mine", LOCAL, LOCAL_CLI)]
    keys.budgets = ()

    local, cli = Caller(LOCAL, ALL), Caller(LOCAL_CLI, ALL)
    paying = Caller(LOCAL, ALL, budget_ids=("b1",))
    cli_paying = Caller(LOCAL_CLI, ALL, budget_ids=("b1",))
    assert with_keys == [MINE, None, None, cli_paying]
    assert without == [None, paying, cli_paying]
    assert [who.caller_named(LOCAL), who.caller_named(LOCAL_CLI)] == [local, cli]


def test_whoever_signed_in_is_found_again_while_there_is_a_password() -> None:
    keys = Keys(budgets=("b1",), password=True)
    who = keys.authenticator(keyless=True)

    with_password = who.caller_named(OWNER)
    keys.password = False

    assert with_password == Caller(OWNER, ALL, budget_ids=("b1",))
    assert who.caller_named(OWNER) is None


@pytest.mark.parametrize(
    ("known", "keyless", "password", "needs"),
    [
        ({}, True, False, False),
        ({}, True, True, True),
        ({}, False, False, True),
        ({"key-mine": MINE}, True, False, True),
        ({"key-mine": MINE}, False, True, True),
    ],
)
def test_the_dashboard_needs_a_sign_in_where_there_is_a_key_or_a_password(
    known: dict[str, Caller], keyless: bool, password: bool, needs: bool
) -> None:
    who = Keys(known, password=password).authenticator(keyless=keyless)

    assert who.needs_sign_in() is needs


def test_a_key_that_is_typed_in_is_its_caller_and_no_other_text_is() -> None:
    who = Keys().authenticator(keyless=True)

    told = [who.caller_by_key(text) for text in ("key-mine", "key-yours", "strange", TOKEN)]

    assert told == [MINE, YOURS, None, None]


def test_a_password_that_nobody_has_told_of_is_none() -> None:
    who = Authenticator(keys=KnownKeys(lambda text: None, bool), keyless=True, token=None)

    assert who.needs_sign_in() is False
    assert who.caller_named(OWNER) is None


def test_a_request_that_is_vouched_for_is_the_callers_until_the_keys_change() -> None:
    keys, asked = Keys(), head()
    who = keys.authenticator()

    who.vouch(asked, YOURS, ("read:models", "read:usage"))
    vouched = who.caller_of(asked)
    keys.generation += 1

    assert vouched == YOURS
    assert keys.looked == 0
    assert "needs a key" in refusal_of(who, asked)


def test_nobody_is_vouched_for_beyond_their_scopes() -> None:
    asked, who = head(), Keys().authenticator()

    with pytest.raises(NotAllowed, match="key yours lacks scope write:config"):
        who.vouch(asked, YOURS, ("write:config",))
    refused = refusal_of(who, asked)
    who.vouch(asked, YOURS, ())

    assert "needs a key" in refused
    assert who.caller_of(asked) == YOURS


@pytest.mark.parametrize(
    ("headers", "query", "presents"),
    [
        ([BEARER], b"", True),
        ([(b"x-api-key", b"anything")], b"", True),
        ([], b"key=anything", True),
        ([], b"", False),
        ([(b"authorization", b"Basic YTpi"), (b"cookie", b"key=anything")], b"", False),
        ([(b"x-api-key", b" ")], b"key=", False),
    ],
)
def test_a_request_presents_a_key_or_not(
    headers: list[tuple[bytes, bytes]], query: bytes, presents: bool
) -> None:
    assert presents_key(head(*headers, path="/v1beta/models", query=query)) is presents


def test_a_scope_of_asgi_is_asked_for_like_a_head() -> None:
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/v1/models",
        "headers": [BEARER],
        "client": ("192.0.2.7", 1),
    }

    assert Keys().authenticator().caller(scope) == MINE


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        *(("localhost", True), ("127.0.0.1", True), ("127.255.0.1", True), ("::1", True)),
        *(("::ffff:127.0.0.1", True), ("::ffff:192.0.2.7", False), ("192.0.2.7", False)),
        *(("0.0.0.0", False), ("::", False), ("LOCALHOST", False), ("", False)),
        *(("localhost.example", False), ("127.1", False), ("128.0.0.1", False)),
    ],
)
def test_an_address_is_this_machine_alone_or_not(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback
