"""Keys that are documents: what they are exchanged for, how often, and what goes out with a call.

The one who exchanges is a server on loopback, and so is the provider.
"""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from msgspec import structs

from omniroute.routing.catalog.providers import provider_named
from omniroute.routing.errors import BadRequest, UpstreamFailure
from omniroute.routing.model import Account, Dialect
from omniroute.routing.quotas import TokenStanding
from omniroute.routing.upstream.egress import Permit
from omniroute.routing.upstream.upstream import HttpUpstream
from omniroute.server.accounts import AccountEntry, make_account
from omniroute.server.tokens import Forms, TokenExchange
from tests.fakes import FakeClock

from .authority import authority_in
from .proxies import proxying
from .servers import Exchange, Server, ask, call_to, serving, upstream, whole

pytestmark = pytest.mark.anyio

PRIVATE = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PEM = PRIVATE.private_bytes(
    serialization.Encoding.PEM,
    serialization.PrivateFormat.PKCS8,
    serialization.NoEncryption(),
).decode()
SERVICE_ACCOUNT = json.dumps(
    {
        "type": "service_account",
        "project_id": "acme-1",
        "private_key_id": "kid-1",
        "private_key": PEM,
        "client_email": "gateway@acme-1.iam.gserviceaccount.com",
        "token_uri": "https://evil.example/token",
    },
    indent=2,
)
APPLICATION = json.dumps(
    {"tenant_id": "tenant-1", "client_id": "client-1", "client_secret": "fake secret/1"}
)
MESSAGE = (
    b'{"id":"m","type":"message","role":"assistant","model":"c","content":[{"type":"text",'
    b'"text":"hello"}],"stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":1}}'
)

HERE = Permit(private=True)
"""As tests have it: servers on loopback, without TLS."""


def vertex(provider: str, key: str = SERVICE_ACCOUNT) -> Account:
    return make_account(AccountEntry(provider, key=key))


class Exchanges:
    """Answers forms with tokens, one after the other, and keeps the forms."""

    def __init__(self, *, status: int = 200, expires_s: int = 3600) -> None:
        self.forms: list[Mapping[str, str]] = []
        self.urls: list[str] = []
        self.status = status
        self.expires_s = expires_s
        self.open = asyncio.Event()
        self.open.set()

    async def post(
        self, url: str, form: Mapping[str, str], proxy: str | None = None
    ) -> tuple[int, bytes]:
        self.urls.append(url)
        self.forms.append(form)
        await self.open.wait()
        told = {"access_token": f"ya29.{len(self.forms)}", "expires_in": self.expires_s}
        return self.status, json.dumps(told).encode()


def test_a_service_account_names_its_project_itself() -> None:
    account = vertex("vertex")

    assert account.base_url == (
        "https://aiplatform.googleapis.com/v1/projects/acme-1/locations/global/publishers/google"
    )
    assert "\n " not in (account.credential or "")


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("{not json", "begins like a JSON document"),
        ('{"client_email": "a"}', "without private_key"),
        ('{"client_email": "a", "private_key": ""}', "without private_key"),
    ],
)
def test_a_document_that_is_none_is_refused_when_it_is_entered(key: str, words: str) -> None:
    with pytest.raises(BadRequest, match=words) as refusal:
        vertex("vertex", key)

    assert refusal.value.field == "key"


async def test_a_token_is_asked_for_with_the_accounts_own_signature() -> None:
    google = Exchanges()
    exchange = TokenExchange(FakeClock(), post=google.post)

    token = await exchange.token(vertex("vertex"))

    assert token == "ya29.1"
    assert google.urls == ["https://oauth2.googleapis.com/token"]
    assert google.forms[0]["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
    head, claims, signature = google.forms[0]["assertion"].split(".")
    told = json.loads(unpadded(claims))
    assert json.loads(unpadded(head)) == {"alg": "RS256", "typ": "JWT", "kid": "kid-1"}
    assert told["iss"] == "gateway@acme-1.iam.gserviceaccount.com"
    assert told["aud"] == "https://oauth2.googleapis.com/token"
    assert told["exp"] - told["iat"] == 3600
    PRIVATE.public_key().verify(
        unpadded(signature), f"{head}.{claims}".encode(), padding.PKCS1v15(), hashes.SHA256()
    )


async def test_an_application_of_entra_asks_for_itself() -> None:
    entra = Exchanges()
    account = make_account(
        AccountEntry("azure", base_url="https://acme.openai.azure.com", key=APPLICATION)
    )

    await TokenExchange(FakeClock(), post=entra.post).token(account)

    assert entra.urls == ["https://login.microsoftonline.com/tenant-1/oauth2/v2.0/token"]
    assert entra.forms[0] == {
        "grant_type": "client_credentials",
        "client_id": "client-1",
        "client_secret": "fake secret/1",
        "scope": "https://ai.azure.com/.default",
    }


async def test_a_token_is_kept_and_renewed_before_it_ends() -> None:
    clock, google = FakeClock(), Exchanges(expires_s=3600)
    exchange, account = TokenExchange(clock, post=google.post), vertex("vertex")

    first = [await exchange.token(account) for _ in range(3)]
    clock.advance(3600 - 301)
    kept = await exchange.token(account)
    clock.advance(2)
    renewed = await exchange.token(account)

    assert {*first, kept} == {"ya29.1"}
    assert renewed == "ya29.2"


async def test_many_callers_wait_for_one_exchange() -> None:
    google = Exchanges()
    exchange, account = TokenExchange(FakeClock(), post=google.post), vertex("vertex")
    google.open.clear()

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(exchange.token(account)) for _ in range(20)]
        await asyncio.sleep(0)
        google.open.set()

    assert {task.result() for task in tasks} == {"ya29.1"}
    assert len(google.forms) == 1


async def test_while_one_renews_the_others_go_on_with_a_token_that_is_good() -> None:
    clock, google = FakeClock(), Exchanges(expires_s=3600)
    exchange, account = TokenExchange(clock, post=google.post), vertex("vertex")
    await exchange.token(account)
    clock.advance(3600 - 200)
    google.open.clear()

    renewing = asyncio.create_task(exchange.token(account))
    await asyncio.sleep(0)
    meanwhile = await exchange.token(account)
    google.open.set()

    assert meanwhile == "ya29.1"
    assert await renewing == "ya29.2"


async def test_another_document_under_the_same_account_gets_another_token() -> None:
    google = Exchanges()
    exchange, account = TokenExchange(FakeClock(), post=google.post), vertex("vertex")
    other = json.loads(SERVICE_ACCOUNT) | {"client_email": "other@acme-1.example"}

    one = await exchange.token(account)
    two = await exchange.token(replace(account, credential=json.dumps(other)))

    assert one != two


@pytest.mark.parametrize(("status", "kind"), [(400, "auth"), (401, "auth"), (503, "server_error")])
async def test_a_refused_document_is_a_failure_that_does_not_repeat_it(
    status: int, kind: str
) -> None:
    google = Exchanges(status=status)

    with pytest.raises(UpstreamFailure) as failure:
        await TokenExchange(FakeClock(), post=google.post).token(vertex("vertex"))

    assert failure.value.kind == kind
    assert "PRIVATE" not in str(failure.value)


async def test_a_key_that_signs_nothing_is_an_auth_failure() -> None:
    broken = json.dumps({**json.loads(SERVICE_ACCOUNT), "private_key": "no key"})

    with pytest.raises(UpstreamFailure, match="cannot be read") as failure:
        await TokenExchange(FakeClock(), post=Exchanges().post).token(vertex("vertex", broken))

    assert failure.value.kind == "auth"


async def test_a_form_is_sent_over_http_and_a_server_that_is_gone_is_a_failed_connect() -> None:
    async def answer(exchange: Exchange) -> None:
        await exchange.send(whole(b"{}", status="403 Forbidden"))

    forms = Forms(HERE)
    async with serving(answer) as server:
        told = await forms.post(f"http://127.0.0.1:{server.port}/token", {"a": "1 /"})
        sent = parse_qs(server.requests[0].body.decode())
    with pytest.raises(UpstreamFailure) as failure:
        await forms.post(f"http://127.0.0.1:{server.port}/token", {})

    assert told == (403, b"{}")
    assert sent == {"a": ["1 /"]}
    assert failure.value.kind == "connect"


async def test_a_form_goes_to_public_servers_over_tls_and_no_further_than_the_first() -> None:
    async def redirect(exchange: Exchange) -> None:
        place = b"location: http://169.254.169.254/token\r\n"
        await exchange.send(whole(b"", status="307 Temporary Redirect", headers=place))

    async def to_loopback(host: str, port: int) -> list[str]:
        return ["127.0.0.1"]

    async with serving(redirect) as server:
        moved, _ = await Forms(HERE).post(f"http://127.0.0.1:{server.port}/token", {})
        with pytest.raises(UpstreamFailure) as refused:
            await Forms(resolve=to_loopback).post(f"https://oauth.test:{server.port}/token", {})

        assert moved == 307
        assert refused.value.kind == "egress_refused"
        assert len(server.requests) == 1


async def test_a_form_goes_the_way_of_its_account(tmp_path: Path) -> None:
    async def answer(exchange: Exchange) -> None:
        await exchange.send(whole(b'{"access_token":"ya29.proxied","expires_in":3600}'))

    authority = authority_in(tmp_path)
    forms = Forms(tls=authority.trusted)
    context = authority.server("oauth.test")
    async with serving(answer, tls=context) as server, proxying("http") as proxy:
        exchange = TokenExchange(
            FakeClock(), post=forms.post, google_url=f"https://oauth.test:{server.port}/token"
        )
        token = await exchange.token(replace(vertex("vertex"), proxy=proxy.url))

    assert token == "ya29.proxied"
    assert proxy.targets == [("oauth.test", server.port)]


@pytest.mark.parametrize(
    ("provider", "dialect", "stream", "path"),
    [
        ("vertex", "gemini", False, "/models/m@1:generateContent"),
        ("vertex", "gemini", True, "/models/m@1:streamGenerateContent?alt=sse"),
        ("vertex-anthropic", "anthropic", False, "/models/m@1:rawPredict"),
        ("vertex-anthropic", "anthropic", True, "/models/m@1:streamRawPredict"),
        ("vertex-partner", "openai_chat", False, "/chat/completions"),
    ],
)
async def test_vertex_is_asked_at_its_publishers_paths_with_the_token(
    provider: str, dialect: Dialect, *, stream: bool, path: str
) -> None:
    google = Exchanges()

    async with asking(provider, google, status="400 Bad Request") as (made, server, account):
        call = call_to(server.url, model="m@1", stream=stream, dialect=dialect)
        with pytest.raises(UpstreamFailure):
            await ask(made, structs.replace(call, account=account))

        (request,) = server.requests
        target = request.head.split(b" ")[1].decode().replace("%40", "@")
        assert target == f"/v1/publishers{path}"
        assert request.header(b"authorization") == b"Bearer ya29.1"
        assert request.header(b"x-goog-api-key") is None
        assert request.header(b"x-api-key") is None
        assert PEM.encode()[:60] not in request.head + request.body


async def test_claude_on_vertex_is_not_named_in_the_body_which_says_its_version() -> None:
    async with asking("vertex-anthropic", Exchanges(), body=MESSAGE) as (made, server, account):
        call = call_to(server.url, model="claude@1", dialect="anthropic")
        await ask(made, structs.replace(call, account=account))

        told = json.loads(server.requests[0].body)
        assert told["anthropic_version"] == "vertex-2023-10-16"
        assert "model" not in told
        assert told["messages"]


async def test_a_token_that_the_provider_refuses_is_thrown_away() -> None:
    google = Exchanges()

    async with asking("vertex-partner", google, status="401 Unauthorized") as (made, server, one):
        call = structs.replace(call_to(server.url), account=one)
        for _ in range(2):
            with pytest.raises(UpstreamFailure):
                await ask(made, call)

        assert [one.header(b"authorization") for one in server.requests] == [
            b"Bearer ya29.1",
            b"Bearer ya29.2",
        ]


@pytest.mark.parametrize(
    ("key", "header", "value"),
    [
        ("AQ.fake-api-key-of-vertex", "x-goog-api-key", "AQ.fake-api-key-of-vertex"),
        ("ya29.fake-access-token", "authorization", "Bearer ya29.fake-access-token"),
    ],
)
async def test_an_api_key_or_an_access_token_is_sent_as_it_is(
    key: str, header: str, value: str
) -> None:
    async def answer(exchange: Exchange) -> None:
        await exchange.send(whole(b"{}", status="400 Bad Request"))

    async with serving(answer) as server, upstream() as made:
        account = make_account(AccountEntry("vertex", base_url=server.url, key=key))
        call = structs.replace(call_to(server.url, dialect="gemini"), account=account)
        with pytest.raises(UpstreamFailure):
            await ask(made, call)

        assert server.requests[0].header(header.encode()) == value.encode()


def test_the_rows_that_take_documents_are_those_of_google_and_azure() -> None:
    names = ("vertex", "vertex-anthropic", "vertex-partner", "azure-openai", "azure-ai", "openai")
    rows = [provider_named(name) for name in names]

    assert [row and row.documents for row in rows] == [*["google"] * 3, *["entra"] * 2, None]


def unpadded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@asynccontextmanager
async def asking(
    provider: str, google: Exchanges, *, body: bytes = b"{}", status: str = "200 OK"
) -> AsyncIterator[tuple[HttpUpstream, Server, Account]]:
    """Give an upstream with tokens, a provider that answers so, and an account there."""

    async def answer(exchange: Exchange) -> None:
        await exchange.send(whole(body, status=status))

    async with serving(answer) as server, upstream() as made:
        made.tokens = TokenExchange(FakeClock(), post=google.post)
        url = f"{server.url}/publishers"
        yield made, server, make_account(AccountEntry(provider, base_url=url, key=SERVICE_ACCOUNT))


async def test_how_a_token_stands_is_known_from_its_first_fetch_on() -> None:
    clock, exchanges = FakeClock(), Exchanges()
    tokens = TokenExchange(clock, post=exchanges.post)
    one, plain = vertex("vertex"), make_account(AccountEntry("openai", key="sk-fake"))

    before = tokens.standing(one)
    exchanges.open.clear()
    fetching = asyncio.create_task(tokens.token(one))
    async with asyncio.timeout(10):
        while not exchanges.forms:
            await asyncio.sleep(0)
    meanwhile = tokens.standing(one)
    exchanges.open.set()
    await fetching
    after = tokens.standing(one)
    tokens.forget(one)
    forgotten = tokens.standing(one)

    assert (before, tokens.standing(plain)) == (None, None)
    assert meanwhile == TokenStanding(0.0, renewing=True)
    assert after == TokenStanding(clock.now() + 3600, renewing=False)
    assert forgotten == TokenStanding(0.0, renewing=False)
