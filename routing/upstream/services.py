"""Serves what is no chat: runs a provider's adapter over pooled connections.

The adapter says what to send, one request after the other (wire/services/steps.py); here are the
address, the credential, the deadline of it all, and what an answer with another status means. What
the client gets is one Piece, or, where the provider's own bytes are passed on, as many as come.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from urllib.parse import quote

from msgspec import Struct, structs

from ..catalog.providers import provider_named
from ..catalog.services import Service, service_of
from ..conversation import Delta, Usage
from ..errors import BadRequest, UpstreamFailure
from ..model import Account, Call, Piece, Price
from ..ports import Answer, Clock
from ..wire.services.reading import answer_for, asked_of
from ..wire.services.steps import Asked, Got, Made, Passed, Pause, Sent, body_of
from ..wire.services.table import ADAPTERS
from .auth import NEVER_FROM_A_CALL, Scheme, account_headers, header_line, secrets_of
from .classify import Refusal, classify, without_secrets
from .client import send
from .credentials import Tokens, is_document, with_bearer
from .egress import Base, Permit, parse_base_url
from .exchange import Exchange
from .incoming import Incoming
from .pool import Lane, Pool, Way
from .refused import error_body
from .request import MODEL_PLACE, target_of
from .sigv4 import aws_keys, with_signature
from .tunnel import proxy_of
from .unpacked import readable

UNAUTHORIZED = 401
PLACES_MAX = 1024
"""Services of accounts whose places are kept; accounts come and go, so the oldest go."""

_FIXED = {"accept": "*/*", "accept-encoding": "identity"}
_NOTHING = Got(b"", {})

Sleep = Callable[[float], Awaitable[None]]


class _Place(Struct, frozen=True):
    """Where a service of an account is, and what every call there carries."""

    account: Account
    service: Service
    base: Base
    lane: Lane
    lines: bytes
    names: frozenset[str]
    secrets: tuple[str, ...]


class Services:
    """Calls providers for what is no chat, as HttpUpstream does for chats.

    Args:
        pool: connections, shared with the chats.
        clock: tells the wall clock's time, which retry hints may be dates of.
        allow_private: which accounts may reach private addresses.
        tokens: gives who exchanges credentials that are documents.
        sleep: waits between two looks at work that takes long.
    """

    def __init__(
        self,
        pool: Pool,
        clock: Clock,
        allow_private: Callable[[Account], bool],
        tokens: Callable[[], Tokens],
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._pool = pool
        self._clock = clock
        self._allow_private = allow_private
        self._tokens = tokens
        self._sleep = sleep
        self._places: dict[tuple[str, str], _Place] = {}

    async def open(self, call: Call) -> Answer:
        """Do what the adapter says and give the answer once it is known to be one.

        Raises:
            UpstreamFailure: it was refused, could not be sent, or what came is no answer.
        """
        account, operation = call.account, call.operation
        place = self._places.get((account.account_id, operation.kind))
        if place is None or place.account is not account:
            service = service_of(account.provider, operation.kind, account.dialect)
            place = self._make_place(account, service)
        try:
            return await self._run(call, place)
        except BadRequest as error:
            raise UpstreamFailure(str(error), kind="bad_request") from error
        except UpstreamFailure as failure:
            if failure.kind == "timeout_total":
                # Whichever step it was that was not over: its own time says nothing.
                raise _late() from failure
            raise without_secrets(failure, place.secrets) from failure.__cause__

    async def _run(self, call: Call, place: _Place) -> Answer:
        loop, limits = asyncio.get_running_loop(), call.limits
        deadline_s = loop.time() + limits.total_s
        asked, dropped = _told(asked_of(call.operation, call.candidate.model), place.service)
        steps = ADAPTERS[place.service.adapter](asked)
        got: Got | None = None
        while True:
            try:
                step = next(steps) if got is None else steps.send(got)
            except StopIteration as ended:
                made: Made | Passed = ended.value
                break
            left_s = deadline_s - loop.time()
            if left_s <= 0 or (isinstance(step, Pause) and step.seconds >= left_s):
                raise _late()
            if isinstance(step, Pause):
                await self._sleep(step.seconds)
                got = _NOTHING
            else:
                connection = await self._sent(call, place, step, left_s)
                got = Got(await _body(connection), connection.headers)
        dropped += made.dropped
        if isinstance(made, Made):
            return _whole(call, made, dropped, _NOTHING if got is None else got)
        connection = await self._sent(call, place, made.sent, deadline_s - loop.time())
        if _is_page(connection.headers):
            await _body(connection)
            raise UpstreamFailure(
                f"{call.account.provider} answered with text where bytes were expected; the base "
                "URL may be wrong",
                kind="malformed",
                provider_status=200,
            )
        known = _known(made.usage, call.candidate.facts.price)
        return PassedAnswer(connection, known, dropped, place.secrets)

    async def _sent(self, call: Call, place: _Place, sent: Sent, left_s: float) -> Incoming:
        """Send one request and give the connection with the head of a good answer."""
        limits = structs.replace(call.limits, total_s=max(left_s, 0.0))
        head = await self._proved(call.account, place, _head(call, place, sent), sent.body)
        connection = await send(place.lane, head, sent.body, limits)
        try:
            if 200 <= connection.status < 300:
                return readable(connection, limits.answer_bytes_max)
            raise await self._refusal(call, place, connection)
        except BaseException:
            connection.close()
            raise

    async def _proved(self, account: Account, place: _Place, head: bytes, body: bytes) -> bytes:
        """Give a head with what stands for a credential that is not sent as it is."""
        if is_document(account):
            return with_bearer(head, await self._tokens().token(account))
        keys = aws_keys(account)
        if keys is None:
            return head
        host, now_unix_s = place.base.origin.authority, self._clock.unix()
        return with_signature(head, body, keys, host, at_unix_s=now_unix_s)

    async def _refusal(self, call: Call, place: _Place, connection: Exchange) -> UpstreamFailure:
        account, status = call.account, connection.status
        if status == UNAUTHORIZED and is_document(account):
            self._tokens().forget(account)
        body = await error_body(connection)
        return classify(
            Refusal("openai_chat", status, connection.headers, body),
            provider=account.provider,
            secrets=place.secrets,
            keep_body=place.service.adapter == "openai" and call.operation.dialect != "gemini",
            now_unix_s=self._clock.unix(),
        )

    def _make_place(self, account: Account, service: Service) -> _Place:
        base = _base_of(account, service)
        scheme = None if service.header is None else Scheme(service.header, service.prefix)
        own = {**_FIXED, **dict(service.headers), **dict(account_headers(account, scheme))}
        line = partial(header_line, owner=f"account {account.account_id}")
        permit = Permit(self._allow_private(account), plain_public=account.local)
        proxy = proxy_of(account)
        lines = line("host", base.origin.authority) + b"".join(
            line(name, value) for name, value in own.items()
        )
        if len(self._places) >= PLACES_MAX:
            del self._places[next(iter(self._places))]
        place = self._places[account.account_id, service.kind] = _Place(
            account,
            service,
            base,
            self._pool.lane(Way(base.origin, permit, proxy, account.http2)),
            lines,
            NEVER_FROM_A_CALL | own.keys(),
            secrets_of(account),
        )
        return place


class MadeAnswer:
    """An answer that is here in full; see ports.Answer."""

    pour = None

    def __init__(
        self, piece: Piece, headers: Mapping[bytes, bytes], dropped: tuple[str, ...]
    ) -> None:
        self.headers = headers
        self.dropped = dropped
        self._piece: Piece | None = piece

    async def __aiter__(self) -> AsyncIterator[Piece]:
        piece, self._piece = self._piece, None
        if piece is not None:
            yield piece

    def close(self) -> None:
        """Forget it."""
        self._piece = None


class PassedAnswer:
    """A provider's bytes as they come; see ports.Answer."""

    pour = None

    def __init__(
        self,
        connection: Incoming,
        usage: Usage | None,
        dropped: tuple[str, ...],
        secrets: Sequence[str],
    ) -> None:
        self.headers: Mapping[bytes, bytes] = connection.headers
        self.dropped = dropped
        self._connection: Incoming | None = connection
        self._usage = usage
        self._secrets = secrets
        self._has_begun = False

    def __aiter__(self) -> "PassedAnswer":
        return self

    async def __anext__(self) -> Piece:
        """Give the next bytes, and at their end a Piece with what was used.

        Raises:
            UpstreamFailure: the answer broke off, stalled, is too large, or is empty.
        """
        connection = self._connection
        if connection is None:
            raise StopAsyncIteration
        try:
            data = await connection.read()
            if not data and not self._has_begun:
                raise UpstreamFailure("the provider's answer is empty", kind="malformed")
        except UpstreamFailure as failure:
            self.close()
            raise without_secrets(failure, self._secrets) from failure.__cause__
        except BaseException:
            self.close()
            raise
        if not data:
            self.close()
            return Piece(b"", Delta(usage=self._usage, ended=True))
        begins, self._has_begun = not self._has_begun, True
        return Piece(data, Delta(content=True) if begins else None)

    def close(self) -> None:
        """Give the connection back when the answer ended, else cut it at once; never waits."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def _late() -> UpstreamFailure:
    return UpstreamFailure("the answer was not made in time", kind="timeout_total")


def _told(asked: Asked, service: Service) -> tuple[Asked, tuple[str, ...]]:
    """Give what the provider is asked by the words of its row, and what it is not told."""
    dropped = tuple(name for name in service.drops if asked.fields.get(name) is not None)
    if asked.file is not None or not (dropped or asked.fields.keys() & service.renames.keys()):
        return asked, ()
    kept = {
        service.renames.get(name, name): value
        for name, value in asked.fields.items()
        if name not in dropped
    }
    # The answer is still made as the client has asked for it.
    told = () if dropped == ("encoding_format",) else dropped
    return structs.replace(asked, body=body_of(kept)), told


def _whole(call: Call, made: Made, dropped: tuple[str, ...], got: Got) -> MadeAnswer:
    body = answer_for(call.operation, made)
    if len(body) > call.limits.answer_bytes_max:
        raise UpstreamFailure(
            f"the answer is larger than {call.limits.answer_bytes_max} bytes", kind="too_large"
        )
    usage = _known(made.usage, call.candidate.facts.price)
    delta = Delta(content=True, usage=usage, model=made.model, ended=True)
    headers = {**got.headers, b"content-type": made.content_type.encode("latin-1")}
    return MadeAnswer(Piece(body, delta), headers, dropped)


def _known(usage: Usage | None, price: Price | None) -> Usage | None:
    """Give the usage where it says what is paid for; None where the price is of something else."""
    if usage is None or price is None:
        return usage
    if price.unit is not None:
        return usage if usage.units else None
    tells_tokens = usage.input_tokens or usage.output_tokens
    return usage if tells_tokens or not (price.input or price.output) else None


def _head(call: Call, place: _Place, sent: Sent) -> bytes:
    base = place.base
    if MODEL_PLACE in base.path:
        # As Azure's deployments have it.
        named = base.path.replace(MODEL_PLACE, quote(call.candidate.model, safe=""))
        base = replace(base, path=named)
    target = target_of(base, sent.path).encode()
    given: dict[str, bytes] = {}
    for name, value in (*call.headers, *sent.headers):
        lower = name.lower()
        if lower not in place.names:
            given[lower] = header_line(lower, value, owner="the request", kind="bad_request")
    if sent.body:
        kind = header_line("content-type", sent.content_type, owner="the request")
        given["content-type"] = kind
    size = b"content-length: %d\r\n" % len(sent.body) if sent.method != "GET" else b""
    first = b"%b %b HTTP/1.1\r\n" % (sent.method.encode(), target)
    return b"".join((first, place.lines, *given.values(), size, b"\r\n"))


def _base_of(account: Account, service: Service) -> Base:
    """Give where a service is, seen from its account's base URL; see catalog/services.py."""
    base = parse_base_url(account.base_url)
    if "://" in service.base:
        whole, known = parse_base_url(service.base), provider_named(account.provider)
        if known is not None and parse_base_url(known.base_url).origin == base.origin:
            return whole
        return Base(base.origin, whole.path, base.query)
    parts = base.path.split("/")[1:] if base.path else []
    for part in service.base.split("/") if service.base else ():
        if part == "..":
            parts = parts[:-1]
        else:
            parts.append(part)
    return Base(base.origin, "".join(f"/{part}" for part in parts), base.query)


def _is_page(headers: Mapping[bytes, bytes]) -> bool:
    """Whether a body says that it is JSON or a web page, and so no sound and no stream."""
    kind = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
    return kind in (b"application/json", b"text/html")


async def _body(connection: Incoming) -> bytes:
    """Give a whole body, and its connection back."""
    try:
        waiting = connection.whole()
        if waiting is not None:
            await waiting
        return connection.take()
    finally:
        connection.close()
