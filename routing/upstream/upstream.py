"""Calls providers over HTTP: from a Call to an Answer, or to the failure it ended in.

`open` returns when the head of an answer says that it is one: status 200 and the content
type of the dialect. Everything else (an error, a redirect, a web page) becomes a failure
with its kind, and its bytes go no further.
"""

import ssl
from collections.abc import Awaitable, Callable
from urllib.parse import quote

from msgspec import Struct

from ..catalog.providers import Frame, provider_named
from ..errors import BadRequest, Inexpressible, UpstreamFailure
from ..model import Account, Call, Dialect
from ..ports import Answer, Clock, Upstream
from ..wire.codec import Codec
from ..wire.dropped import spelled
from ..wire.fitted import fitted, framed
from ..wire.openai_chat.usage import UsageHider, ask_for_usage, without_usage
from ..wire.pieces import PieceReader
from ..wire.proofs import PROVEN, without_foreign_proofs
from ..wire.quirks import NO_QUIRKS, Quirks
from ..wire.splice import splice_model
from ..wire.table import codec
from ..wire.translation import translated
from .answer import HttpAnswer
from .classify import Refusal, classify, without_secrets
from .client import send
from .credentials import NoTokens, Tokens, is_document, with_bearer
from .egress import Egress, Permit, Resolve
from .exchange import Exchange
from .incoming import Incoming
from .pool import Lane, Pool, Way
from .refused import error_body
from .request import MODEL_PLACE, Envelope
from .services import Services
from .sigv4 import AwsKeys, aws_keys, with_signature
from .tls import verifying_context
from .unpacked import readable
from .whole import WholeAnswer

UNAUTHORIZED = 401

ACCOUNTS_MAX = 1024
"""Accounts whose envelopes are kept; accounts come and go, so the oldest go."""

MODEL_IN_PATH: frozenset[Dialect] = frozenset({"gemini"})
"""The dialects whose bodies do not name the model."""

_STREAM = b"text/event-stream"
_STREAMS = {
    _STREAM: True,
    b"text/event-stream; charset=utf-8": True,
    b"application/json": False,
    b"application/json; charset=utf-8": False,
}
"""Whether it is a stream, by the content types as most providers write them."""


def may_reach_private(account: Account) -> bool:
    """Whether an account may reach this machine and its networks.

    Its base URL was then given by the administrator, or found on this machine.
    """
    return account.local or account.source in ("probe", "database", "environment")


class _Ready(Struct, frozen=True):
    """What every call of one account needs, made once.

    Attributes:
        lacks_usage: a forwarded stream would not tell its usage unless it is asked to.
        tells_usage: streams may be asked for usage.
        quirks: None where a body goes out as it is.
        special: None where path, body and head go out as they are.
    """

    account: Account
    envelope: Envelope
    lane: Lane
    codec: Codec
    lacks_usage: bool
    tells_usage: bool
    quirks: Quirks | None
    special: "_Special | None"


class _Special(Struct, frozen=True):
    """What few accounts need beside.

    Attributes:
        frame: of the provider's row, in its own dialect.
        document: the credential has to be exchanged for a token.
        aws: the keys that sign each request.
    """

    frame: Frame | None
    document: bool
    aws: AwsKeys | None


class HttpUpstream:
    """Calls providers over pooled HTTP/1.1 connections; fulfils ports.Upstream.

    Args:
        clock: tells the wall clock's time, which retry hints may be dates of.
        own_addresses: where this gateway listens; no call goes there.
        tls: makes what verifies servers, as verifying_context does from the system's authorities.
        allow_private: which accounts may reach private addresses.
        resolve: the resolver, replaced in tests.

    Attributes:
        tokens: who exchanges credentials that are documents.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        own_addresses: tuple[tuple[str, int], ...] = (),
        tls: Callable[..., ssl.SSLContext] = verifying_context,
        allow_private: Callable[[Account], bool] = may_reach_private,
        resolve: Resolve | None = None,
    ) -> None:
        self.tokens: Tokens = NoTokens()
        self._clock = clock
        self._allow_private = allow_private
        self._pool = Pool(Egress(own_addresses, resolve), tls)
        self._services = Services(self._pool, clock, allow_private, lambda: self.tokens)
        self._ready: dict[str, _Ready] = {}

    @property
    def connections(self) -> int:
        """How many provider connections are open, idle ones included."""
        return self._pool.connections

    async def open(self, call: Call) -> Answer:
        """Send the request and give the answer once its head says that it is one.

        Raises:
            UpstreamFailure: it was refused, could not be sent, or what came is no answer.
        """
        account, operation, limits = call.account, call.operation, call.limits
        if operation.kind != "chat":
            return await self._services.open(call)
        ready = self._ready.get(account.account_id)
        if ready is None or ready.account is not account:
            ready = self._make_ready(account)
        path, body, dropped = _request(call, ready)
        asked = operation.features.stream
        forward = operation.forward and operation.dialect == account.dialect
        hider: UsageHider | None = None
        if asked and forward and ready.lacks_usage:
            more = ask_for_usage(body, wanted=operation.wants_usage)
            if more is not None:
                body, hider = more, UsageHider()
        if ready.special is None:
            head = ready.envelope.head(path, call.headers, body_bytes=len(body))
        else:
            head, body = await self._special(call, ready, path, body)
        connection = await send(ready.lane, head, body, limits)
        incoming: Incoming = connection
        headers = connection.headers
        stream = _STREAMS.get(headers.get(b"content-type", b""))
        if (
            connection.status != 200
            or stream is None
            or b"content-encoding" in headers
            # Bytes are forwarded as they are: who asked for one kind cannot read the other.
            or (forward and stream != asked)
        ):
            stream, incoming = await self._judged(call, ready.envelope, connection, forward=forward)
        secrets, bytes_max = ready.envelope.secrets, limits.answer_bytes_max
        if not stream:
            whole = WholeAnswer(
                incoming, ready.codec, forward=forward, bytes_max=bytes_max, secrets=secrets
            )
            whole.dropped = dropped
            return whole
        reader = PieceReader(
            ready.codec, forward=forward, stream=True, bytes_max=bytes_max, hider=hider
        )
        answer = HttpAnswer(incoming, reader, secrets=secrets)
        answer.dropped = dropped
        return answer

    async def fetch(self, call: Call, path: str, body: bytes) -> bytes:
        """Give the body of what an account answers to a POST that is no chat.

        Raises:
            UpstreamFailure: it was refused, could not be sent, or what came is no JSON.
        """
        account = call.account
        ready = self._ready.get(account.account_id)
        if ready is None or ready.account is not account:
            ready = self._make_ready(account)
        head = ready.envelope.head(path, call.headers, body_bytes=len(body))
        connection = await send(ready.lane, head, body, call.limits)
        _, incoming = await self._judged(call, ready.envelope, connection, forward=False)
        try:
            if (waiting := incoming.whole()) is not None:
                await waiting
            return incoming.take()
        finally:
            incoming.close()

    def close(self) -> None:
        """Cut every connection and open no more."""
        self._pool.close()

    async def _special(
        self, call: Call, ready: _Ready, path: str, body: bytes
    ) -> tuple[bytes, bytes]:
        """Give head and body for an account that needs more than its envelope.

        Raises:
            UpstreamFailure: kind "auth" and others: no token, or nothing to sign for.
        """
        special, envelope = ready.special, ready.envelope
        if special is not None and special.frame is not None:
            path, body = _framed(call, special.frame, body)
        head = envelope.head(path, call.headers, body_bytes=len(body))
        if special is not None and special.document:
            head = with_bearer(head, await self.tokens.token(call.account))
        if special is not None and special.aws is not None:
            host, now_unix_s = envelope.origin.authority, self._clock.unix()
            head = with_signature(head, body, special.aws, host, at_unix_s=now_unix_s)
        return head, body

    async def _judged(
        self, call: Call, envelope: Envelope, connection: Exchange, *, forward: bool
    ) -> tuple[bool, Incoming]:
        """Give whether what looks unusual is a stream, and its body, if it is an answer.

        Raises:
            UpstreamFailure: it is none; its connection is closed.
        """
        try:
            if connection.status != 200:
                raise await self._refusal(call, envelope, connection)
            incoming = readable(connection, call.limits.answer_bytes_max)
            stream = _is_stream(call, connection)
            if forward and stream != call.operation.features.stream:
                raise await _other_kind(call, connection, stream=stream)
        except UpstreamFailure as failure:
            connection.close()
            raise without_secrets(failure, envelope.secrets) from failure.__cause__
        except BaseException:
            connection.close()
            raise
        return stream, incoming

    def _make_ready(self, account: Account) -> "_Ready":
        envelope = Envelope(account)
        permit = Permit(self._allow_private(account), plain_public=account.local)
        way = Way(envelope.origin, permit, envelope.proxy, account.http2)
        known = provider_named(account.provider)
        speaks_chat = account.dialect == "openai_chat"
        # Endpoints that we do not know are taken to tell usage when they are asked.
        tells_usage = not speaks_chat or known is None or known.streams_usage
        quirks = known.quirks if speaks_chat and known is not None else NO_QUIRKS
        if len(self._ready) >= ACCOUNTS_MAX:
            del self._ready[next(iter(self._ready))]
        ready = self._ready[account.account_id] = _Ready(
            account,
            envelope,
            self._pool.lane(way),
            codec(account.dialect),
            lacks_usage=speaks_chat and known is not None and tells_usage,
            tells_usage=tells_usage,
            quirks=None if quirks == NO_QUIRKS else quirks,
            special=_special_of(account),
        )
        return ready

    async def _refusal(
        self, call: Call, envelope: Envelope, connection: Exchange
    ) -> UpstreamFailure:
        body, account = await error_body(connection), call.account
        if connection.status == UNAUTHORIZED and is_document(account):
            self.tokens.forget(account)
        refusal = Refusal(account.dialect, connection.status, connection.headers, body)
        return classify(
            refusal,
            provider=account.provider,
            secrets=envelope.secrets,
            keep_body=account.dialect == call.operation.dialect,
            now_unix_s=self._clock.unix(),
        )


class Upstreams:
    """Sends simulated accounts to the simulator and all others over HTTP; a ports.Upstream."""

    def __init__(self, *, simulated: Upstream, http: Upstream) -> None:
        self._simulated = simulated
        self._http = http

    def open(self, call: Call) -> Awaitable[Answer]:
        """Open the call where its account belongs."""
        return (self._simulated if call.account.simulated else self._http).open(call)


def _request(call: Call, ready: _Ready) -> tuple[str, bytes, tuple[str, ...]]:
    """Give path and body of the request in the account's dialect, and what that cannot say."""
    operation, model = call.operation, call.candidate.model
    theirs = ready.codec
    path = theirs.path(model=model, stream=operation.features.stream)
    if ready.envelope.names_model:
        path = ready.envelope.path_of(model, path)
    try:
        if operation.dialect == call.account.dialect:
            if operation.query:
                path += ("&" if "?" in path else "?") + operation.query
            if not operation.model_in_body or operation.dialect in MODEL_IN_PATH:
                return path, operation.body, ()
            # Also where the name stays: it must stand there once, or the provider might read
            # another one than was routed.
            named, body, place = operation.model_in_body, operation.body, operation.model_at
            if operation.dialect in PROVEN:
                kept = without_foreign_proofs(body, operation.dialect)
                body, place = (body, place) if kept is None else (kept, None)
            body = splice_model(body, old=named, new=model, at=place)
            if ready.quirks is None:
                return path, body, ()
            return path, *fitted(body, ready.quirks)
        rendered = translated(operation, call.candidate, call.account.dialect)
        body = rendered.body if ready.tells_usage else without_usage(rendered.body)
        dropped = rendered.dropped
        if ready.quirks is not None:
            body, more = fitted(body, ready.quirks)
            dropped = (*dropped, *spelled(more, operation.dialect))
        return path, body, dropped
    except Inexpressible as error:
        raise UpstreamFailure(str(error), kind="inexpressible") from error
    except BadRequest as error:
        raise UpstreamFailure(str(error), kind="bad_request") from error


def _special_of(account: Account) -> _Special | None:
    row = provider_named(account.provider)
    frame = row.frame if row is not None and row.dialect == account.dialect else None
    special = _Special(frame, is_document(account), aws_keys(account))
    return None if special == _Special(None, False, None) else special


def _framed(call: Call, frame: Frame, body: bytes) -> tuple[str, bytes]:
    """Give path and body as the provider's frame has them."""
    path = frame.streamed if call.operation.features.stream else frame.whole
    return path.replace(MODEL_PLACE, quote(call.candidate.model, safe="@")), framed(
        body, frame.fields
    )


def _is_stream(call: Call, connection: Exchange) -> bool:
    """Whether the body is an event stream; what is neither that nor JSON is no answer."""
    kind = connection.headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
    stream = kind == _STREAM
    if not stream and kind != b"application/json" and not kind.endswith(b"+json"):
        shown = kind[:64].decode("latin-1") or "no content type"
        raise _malformed(
            call, f"answered with {shown}; the base URL may be wrong, or a proxy stands in between"
        )
    return stream


async def _other_kind(call: Call, connection: Exchange, *, stream: bool) -> UpstreamFailure:
    """Give the failure of a stream that nobody asked for, or of a whole answer in its place."""
    if not stream:
        try:
            # Some providers answer a stream's request with an error that is not one.
            codec(call.account.dialect).parse_answer(await error_body(connection))
        except UpstreamFailure as failure:
            return failure
    what = "a stream" if stream else "no stream"
    return _malformed(call, f"sent {what}, but the opposite was asked for")


def _malformed(call: Call, what: str) -> UpstreamFailure:
    return UpstreamFailure(f"{call.account.provider} {what}", kind="malformed", provider_status=200)
