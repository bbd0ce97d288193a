"""Exchanges documents for short-lived tokens: Google's service accounts, Entra's applications.

A token is fetched when the first call needs it and kept while it is good. Shortly before it ends
one caller fetches the next one, and the others go on with the old one; only without a good one
does everybody wait for that caller. Nothing is fetched for accounts that nobody asks for.

Sources (read 2026-11): Google Cloud, "Using OAuth 2.0 for Server to Server Applications", the
HTTP/REST part; RFC 7523, section 2.1; Microsoft identity platform, "OAuth 2.0 client credentials
flow", the first case; the scope is the one of openai-node's docs/azure.md.
"""

import asyncio
import base64
import hashlib
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar
from urllib.parse import quote, urlencode

import msgspec

from omniroute.routing.catalog.providers import Documents, provider_named
from omniroute.routing.errors import UpstreamFailure
from omniroute.routing.model import Account, Limits
from omniroute.routing.ports import Clock
from omniroute.routing.quotas import TokenStanding
from omniroute.routing.upstream.credentials import is_document
from omniroute.routing.upstream.egress import Egress, Permit, Resolve
from omniroute.routing.upstream.tls import verifying_context
from omniroute.routing.upstream.tunnel import outbound

from .posting import Poster

GOOGLE_URL = "https://oauth2.googleapis.com/token"
GOOGLE_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
ENTRA_URL = "https://login.microsoftonline.com"
ENTRA_SCOPE = "https://ai.azure.com/.default"
JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
ASSERTION_S = 3600
"""How long a signed request for a token is good: the longest that Google takes."""
RENEW_S = 300.0
"""From so long before a token's end on it is renewed."""
SPARE_S = 60.0
"""A token that ends sooner is not sent any more."""
HELD_MAX = 1024
EXCHANGE_S = 10.0
ANSWER_BYTES_MAX = 64 * 1024

_PUBLIC = Permit()
_HEADERS = (
    ("content-type", "application/x-www-form-urlencoded"),
    ("accept", "application/json"),
    ("connection", "close"),
)
_LIMITS = Limits(
    connect_s=EXCHANGE_S,
    first_byte_s=EXCHANGE_S,
    idle_s=EXCHANGE_S,
    total_s=EXCHANGE_S,
    answer_bytes_max=ANSWER_BYTES_MAX,
)

Post = Callable[[str, Mapping[str, str], str | None], Awaitable[tuple[int, bytes]]]
"""Sends a form to a URL, through a proxy if one is named; gives status and body.

Raises UpstreamFailure when that cannot be done.
"""


class ServiceAccount(msgspec.Struct, frozen=True):
    """What is used of a service account's key file."""

    client_email: str
    private_key: str
    private_key_id: str = ""
    project_id: str = ""


class Application(msgspec.Struct, frozen=True):
    """An application of Entra with its secret."""

    tenant_id: str
    client_id: str
    client_secret: str


_Document = TypeVar("_Document", ServiceAccount, Application)


class _Answer(msgspec.Struct):
    access_token: str
    expires_in: float


@dataclass(slots=True)
class _Held:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    token: str = field(default="", repr=False)
    ends_s: float = 0.0


class TokenExchange:
    """Fulfils routing.upstream.credentials.Tokens.

    Args:
        clock: tells when a token ends.
        post: replaced in tests.
        google_url, entra_url: where documents are exchanged; never read from a document.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        post: Post | None = None,
        google_url: str = GOOGLE_URL,
        entra_url: str = ENTRA_URL,
    ) -> None:
        self._clock = clock
        self._post = post or Forms().post
        self._google_url = google_url
        self._entra_url = entra_url
        self._held: dict[bytes, _Held] = {}

    async def token(self, account: Account) -> str:
        """Give a token that is good for the next minute at least.

        Raises:
            UpstreamFailure: the document is refused, or who exchanges it cannot be reached.
        """
        held = self._of(account)
        left_s = held.ends_s - self._clock.now()
        if left_s > RENEW_S or (left_s > SPARE_S and held.lock.locked()):
            return held.token
        async with held.lock:
            if held.ends_s - self._clock.now() <= RENEW_S:
                answer = await self._exchanged(account)
                held.token, held.ends_s = answer.access_token, self._clock.now() + answer.expires_in
            return held.token

    def forget(self, account: Account) -> None:
        """Throw the account's token away."""
        self._of(account).ends_s = 0.0

    def standing(self, account: Account) -> TokenStanding | None:
        """Give until when the account's token is good, and whether it is renewed right now.

        None where its credential is no document, or no call has needed a token yet.
        """
        if not is_document(account):
            return None
        held = self._of(account)
        if not held.token and not held.lock.locked():
            return None
        return TokenStanding(held.ends_s, held.lock.locked())

    def _of(self, account: Account) -> _Held:
        # By the document itself: who enters another one under the same id gets another token.
        key = hashlib.sha256((account.credential or "").encode()).digest()
        held = self._held.get(key)
        if held is None:
            if len(self._held) >= HELD_MAX:
                del self._held[next(iter(self._held))]
            held = self._held[key] = _Held()
        return held

    async def _exchanged(self, account: Account) -> _Answer:
        row = provider_named(account.provider)
        kind = None if row is None else row.documents
        if kind is None:
            raise UpstreamFailure(f"nobody exchanges the key of {account.account_id}", kind="auth")
        url, form = self._request(kind, account.credential or "")
        try:
            status, body = await self._post(url, form, outbound(account))
        except UpstreamFailure as failure:
            raise UpstreamFailure(
                f"no token for {account.account_id}: {url} could not be reached ({failure})",
                kind=failure.kind,
            ) from failure
        if status != 200:
            raise UpstreamFailure(
                f"no token for {account.account_id}: {url} answered {status}; check that its key "
                "is still valid",
                kind="auth" if status < 500 else "server_error",
                provider_status=status,
            )
        try:
            return msgspec.json.decode(body, type=_Answer)
        except msgspec.MsgspecError as error:
            raise UpstreamFailure(
                f"no token for {account.account_id}: {url} answered something else than a token",
                kind="malformed",
            ) from error

    def _request(self, kind: Documents, document: str) -> tuple[str, Mapping[str, str]]:
        if kind == "google":
            assertion = signed(
                read_document(document, ServiceAccount), self._google_url, int(self._clock.unix())
            )
            return self._google_url, {"grant_type": JWT_GRANT, "assertion": assertion}
        one = read_document(document, Application)
        return f"{self._entra_url}/{quote(one.tenant_id, safe='')}/oauth2/v2.0/token", {
            "grant_type": "client_credentials",
            "client_id": one.client_id,
            "client_secret": one.client_secret,
            "scope": ENTRA_SCOPE,
        }


def read_document(text: str, kind: type[_Document]) -> _Document:
    """Give a document's fields.

    Raises:
        UpstreamFailure: kind "auth": it is not such a document; says what is missing.
    """
    try:
        return msgspec.json.decode(text, type=kind)
    except msgspec.MsgspecError as error:
        raise UpstreamFailure(f"the key is no {kind.__name__}: {error}", kind="auth") from None


def signed(account: ServiceAccount, audience: str, now_unix_s: int) -> str:
    """Give a signed wish for a token (a JWT with RS256).

    Raises:
        UpstreamFailure: kind "auth": the private key cannot be read.
    """
    from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415 - see vault.py
    from cryptography.hazmat.primitives.asymmetric import padding, rsa  # noqa: PLC0415

    try:
        key = serialization.load_pem_private_key(account.private_key.encode(), None)
    except (ValueError, TypeError) as error:
        raise UpstreamFailure(
            "the service account's private key cannot be read", kind="auth"
        ) from error
    if not isinstance(key, rsa.RSAPrivateKey):
        raise UpstreamFailure("the service account's private key is not RSA", kind="auth")
    head = {"alg": "RS256", "typ": "JWT", "kid": account.private_key_id}
    claims = {
        "iss": account.client_email,
        "scope": GOOGLE_SCOPE,
        "aud": audience,
        "iat": now_unix_s,
        "exp": now_unix_s + ASSERTION_S,
    }
    text = b".".join(_base64(msgspec.json.encode(one)) for one in (head, claims))
    signature = key.sign(text, padding.PKCS1v15(), hashes.SHA256())
    return (text + b"." + _base64(signature)).decode()


class Forms:
    """Sends forms to those who exchange documents, over connections that egress has judged.

    Args:
        permit: public servers over TLS, unless a test has its own here.
        tls: makes what verifies servers, replaced in tests.
        resolve: the resolver, replaced in tests.
    """

    def __init__(
        self,
        permit: Permit = _PUBLIC,
        *,
        tls: Callable[..., ssl.SSLContext] = verifying_context,
        resolve: Resolve | None = None,
    ) -> None:
        self._poster = Poster(Egress(resolve=resolve), permit, tls)

    async def post(
        self, url: str, form: Mapping[str, str], proxy: str | None = None
    ) -> tuple[int, bytes]:
        """Send a form; redirects are not followed.

        Raises:
            UpstreamFailure: it could not be sent, or no answer came in time.
        """
        body = urlencode(form).encode("ascii")
        return await self._poster.answer(url, _HEADERS, body, _LIMITS, proxy)


def _base64(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")
