"""What leaves for a provider: its credential, what the door allows, and nothing of the client's."""

import dataclasses
import json

import pytest
from msgspec import structs

from omniroute.routing.errors import UpstreamFailure
from omniroute.routing.model import Account, Dialect
from omniroute.routing.upstream.auth import account_headers, secrets_of
from omniroute.routing.upstream.request import Envelope

from .servers import (
    BODY,
    Exchange,
    ask,
    call_to,
    failure_of,
    serving,
    upstream,
    whole,
)

KEY = "sk-fake-upstream-credential"


def account(**fields: object) -> Account:
    made = Account("acc-1", "mock", "openai_chat", "https://api.test/v1", credential=KEY)
    return dataclasses.replace(made, **fields)  # type: ignore[arg-type]


def sent(made: Account, *, path: str = "/x", **headers: str) -> dict[str, str]:
    given = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    head = Envelope(made).head(path, given, body_bytes=0).decode("latin-1")
    lines = head.removesuffix("\r\n\r\n").split("\r\n")[1:]
    pairs = {name: value for name, _, value in (line.partition(": ") for line in lines)}
    assert len(pairs) == len(lines), "a header twice"
    return pairs


async def answer_whole(exchange: Exchange) -> None:
    await exchange.send(whole())


@pytest.mark.parametrize(
    ("dialect", "header", "value"),
    [
        ("openai_chat", "authorization", f"Bearer {KEY}"),
        ("openai_responses", "authorization", f"Bearer {KEY}"),
        ("anthropic", "x-api-key", KEY),
        ("gemini", "x-goog-api-key", KEY),
    ],
)
def test_each_dialect_has_its_own_header_for_the_credential(
    dialect: Dialect, header: str, value: str
) -> None:
    headers = sent(account(dialect=dialect))

    assert headers[header] == value
    assert sum(KEY in one for one in headers.values()) == 1


@pytest.mark.parametrize(
    ("provider", "dialect", "header", "value"),
    [
        ("pioneer", "openai_chat", "x-api-key", KEY),
        ("wafer", "anthropic", "authorization", f"Bearer {KEY}"),
        # Asked in another dialect than its own, it is asked as that dialect's vendor would be.
        ("wafer", "openai_chat", "authorization", f"Bearer {KEY}"),
        ("pioneer", "anthropic", "x-api-key", KEY),
        ("pioneer", "openai_responses", "authorization", f"Bearer {KEY}"),
    ],
)
def test_a_providers_row_may_name_another_way_for_the_credential(
    provider: str, dialect: Dialect, header: str, value: str
) -> None:
    headers = sent(account(provider=provider, dialect=dialect))

    assert headers[header] == value
    assert sum(KEY in one for one in headers.values()) == 1


def test_the_headers_of_a_providers_row_are_sent_unless_others_are_given() -> None:
    ours = sent(account(provider="github-models"))
    clients = sent(account(provider="github-models"), x_github_api_version="2030-01-01")

    assert ours["x-github-api-version"] == "2022-11-28"
    assert clients["x-github-api-version"] == "2030-01-01"


def test_every_request_says_where_it_goes_and_that_nothing_may_be_compressed() -> None:
    headers = sent(account(base_url="https://api.test:8443/v1"))

    assert headers["host"] == "api.test:8443"
    assert headers["accept-encoding"] == "identity"
    assert headers["content-type"] == "application/json"
    assert headers["content-length"] == "0"


def test_a_server_without_a_credential_gets_none() -> None:
    assert "authorization" not in sent(account(credential=None))


@pytest.mark.parametrize("name", ["authorization", "Authorization", "api-key", "x-api-key"])
def test_an_accounts_own_credential_header_replaces_the_dialects(name: str) -> None:
    headers = sent(account(headers=((name, "Token sk-fake-own-token"),)))

    assert headers[name.lower()] == "Token sk-fake-own-token"
    assert KEY not in str(headers)


def test_an_accounts_headers_win_over_ours_and_the_calls() -> None:
    made = account(headers=(("User-Agent", "mine"), ("x-title", "mine")))

    headers = sent(made, user_agent="theirs", x_title="theirs", x_other="theirs")

    assert (headers["user-agent"], headers["x-title"]) == ("mine", "mine")
    assert headers["x-other"] == "theirs"


def test_anthropic_gets_a_version_unless_one_is_given() -> None:
    ours = sent(account(dialect="anthropic"))
    clients = sent(account(dialect="anthropic"), anthropic_version="2030-01-01")
    accounts = sent(
        account(dialect="anthropic", headers=(("anthropic-version", "2024-01-01"),)),
        anthropic_version="2030-01-01",
    )

    assert ours["anthropic-version"] == "2023-06-01"
    assert clients["anthropic-version"] == "2030-01-01"
    assert accounts["anthropic-version"] == "2024-01-01"


@pytest.mark.parametrize(
    "name",
    [
        "authorization",
        "x_api_key",
        "x_goog_api_key",
        "api_key",
        "cookie",
        "proxy_authorization",
        "host",
        "connection",
        "transfer_encoding",
        "te",
        "upgrade",
        "expect",
        "accept_encoding",
        "x_forwarded_for",
        "forwarded",
    ],
)
def test_a_clients_credentials_and_framing_do_not_pass(name: str) -> None:
    headers = sent(account(), **{name: "sk-fake-of-the-client"})

    assert "sk-fake-of-the-client" not in str(headers)


def test_each_call_has_its_own_headers_and_length() -> None:
    made = Envelope(account())
    first, second = (("x-hop", "a"),), (("x-hop", "a,b"),)

    heads = [made.head("/x", one, body_bytes=size) for one, size in ((first, 1), (second, 2)) * 2]

    assert heads[:2] == heads[2:]
    assert b"x-hop: a\r\n" in heads[0]
    assert b"content-length: 1\r\n" in heads[0]
    assert b"x-hop: a,b\r\n" in heads[1]
    assert b"content-length: 2\r\n" in heads[1]


def test_a_call_cannot_say_how_long_its_body_is() -> None:
    head = Envelope(account()).head("/x", (("Content-Length", "7"),), body_bytes=3)

    assert head.count(b"content-length") == 1
    assert b"content-length: 3\r\n" in head


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("x-a", "1\r\nx-b: 2"),
        ("x-a", "1\nx-b: 2"),
        ("x-a", "1\x00"),
        ("x-a", "snow \u2603"),
        ("x-a\r\nx-b", "1"),
        ("x a", "1"),
        ("", "1"),
    ],
)
def test_a_header_that_would_break_the_framing_is_refused(name: str, value: str) -> None:
    with pytest.raises(UpstreamFailure) as of_call:
        Envelope(account()).head("/x", ((name, value),), body_bytes=0)
    with pytest.raises(UpstreamFailure) as of_account:
        Envelope(account(headers=((name, value),)))

    assert of_call.value.kind == "bad_request"
    assert of_account.value.kind == "auth"


@pytest.mark.parametrize("credential", ["sk-fake-with-newline\n", "sk-fake\r\nhost: evil", "ключ"])
def test_a_credential_that_cannot_be_sent_is_named_but_not_shown(credential: str) -> None:
    with pytest.raises(UpstreamFailure) as caught:
        Envelope(account(credential=credential))

    assert caught.value.kind == "auth"
    assert "acc-1" in str(caught.value)
    assert "sk-fake" not in str(caught.value)


def test_an_account_cannot_write_the_framing_itself() -> None:
    with pytest.raises(UpstreamFailure, match="transfer-encoding"):
        account_headers(account(headers=(("Transfer-Encoding", "chunked"),)))


@pytest.mark.parametrize(
    ("base_url", "path", "line"),
    [
        ("https://api.test/v1", "/chat", b"POST /v1/chat HTTP/1.1"),
        ("https://api.test", "/chat", b"POST /chat HTTP/1.1"),
        ("https://api.test/v1/?api-version=2", "/chat", b"POST /v1/chat?api-version=2 HTTP/1.1"),
        (
            "https://api.test/v1?a=1",
            "/models/x:stream?alt=sse",
            b"POST /v1/models/x:stream?a=1&alt=sse HTTP/1.1",
        ),
    ],
)
def test_the_path_is_the_base_urls_and_the_dialects(base_url: str, path: str, line: bytes) -> None:
    head = Envelope(account(base_url=base_url)).head(path, (), body_bytes=0)

    assert head.split(b"\r\n", 1)[0] == line


@pytest.mark.parametrize(
    "path",
    [
        "/models/x y",
        "/models/x\r\nhost: evil",
        "/models/../admin",
        "/models/%2e%2E/admin",
        "/models/..",
        "/models/sn\u2603w",
        "models",
        "",
    ],
)
def test_a_models_name_cannot_lead_to_another_path(path: str) -> None:
    with pytest.raises(UpstreamFailure) as caught:
        Envelope(account()).head(path, (), body_bytes=0)

    assert caught.value.kind == "bad_request"


def test_secrets_are_the_credential_and_the_headers_that_carry_one() -> None:
    made = account(
        headers=(
            ("authorization", "Token sk-fake-token-of-mine"),
            ("x-title", "a long title of ours"),
            ("x-api-key", "short"),
        )
    )

    assert secrets_of(made) == (
        "Token sk-fake-token-of-mine",
        "sk-fake-upstream-credential",
        "sk-fake-token-of-mine",
    )
    assert secrets_of(account(credential="ollama")) == ()


@pytest.mark.anyio
async def test_the_same_dialects_body_goes_out_as_it_is_with_the_models_name() -> None:
    body = BODY.replace(b'"messages"', b'"unknown":[1.50, {"a" :null}],"messages"')
    async with serving(answer_whole) as server, upstream() as made:
        await ask(made, call_to(server.url, body=body, model="their/model-1"))

    expected = body.replace(b'"fast"', b'"their/model-1"')
    assert server.requests[0].body == expected
    assert server.requests[0].header(b"content-length") == b"%d" % len(expected)


@pytest.mark.anyio
async def test_a_second_model_in_the_body_cannot_be_read_by_the_provider() -> None:
    body = BODY.replace(b'{"model":"fast"', b'{"model":"expensive","model":"fast"')
    async with serving(answer_whole) as server, upstream() as made:
        await ask(made, call_to(server.url, body=body))

    assert b"expensive" not in server.requests[0].body


@pytest.mark.anyio
async def test_the_calls_own_headers_are_sent() -> None:
    async with serving(answer_whole) as server, upstream() as made:
        await ask(made, call_to(server.url, headers=(("x-omniroute-hop", "abc"),)))

    assert server.requests[0].header(b"x-omniroute-hop") == b"abc"


@pytest.mark.anyio
async def test_a_changed_account_is_used_at_once() -> None:
    async with serving(answer_whole) as server, upstream() as made:
        await ask(made, call_to(server.url))
        await ask(made, call_to(server.url, credential="sk-fake-rotated"))

        assert server.connections == 1
        assert server.requests[1].header(b"authorization") == b"Bearer sk-fake-rotated"


@pytest.mark.anyio
async def test_what_is_no_chat_goes_to_its_endpoint_and_reveals_no_credential() -> None:
    async def script(exchange: Exchange) -> None:
        said = (exchange.header(b"authorization") or b"").decode()
        error = {"error": {"message": f"bad key {said}", "type": "x", "code": None}}
        await exchange.send(whole(json.dumps(error).encode(), status="400 Bad Request"))

    async with serving(script) as server, upstream() as made:
        call = call_to(server.url, body=b'{"model":"fast","input":"hi"}')
        operation = structs.replace(call.operation, kind="embedding", endpoint="embeddings")
        failure = await failure_of(made, structs.replace(call, operation=operation))

    assert server.requests[0].head.startswith(b"POST /v1/embeddings HTTP/1.1\r\n")
    assert KEY.encode() in server.requests[0].head
    assert "bad key" in str(failure)
    assert KEY not in str(failure)
    assert failure.body is not None
    assert KEY.encode() not in failure.body


@pytest.mark.anyio
@pytest.mark.parametrize("status", ["400 Bad Request", "401 Unauthorized", "500 Oops"])
async def test_a_provider_that_repeats_the_credential_does_not_reveal_it(status: str) -> None:
    async def script(exchange: Exchange) -> None:
        said = (exchange.header(b"authorization") or b"").decode()
        error = {"error": {"message": f"bad key {said}", "type": "x", "code": None}}
        await exchange.send(whole(json.dumps(error).encode(), status=status))

    async with serving(script) as server, upstream() as made:
        failure = await failure_of(made, call_to(server.url))

    assert "bad key" in str(failure)
    assert KEY not in str(failure)
    assert KEY.encode() not in (failure.body or b"")
