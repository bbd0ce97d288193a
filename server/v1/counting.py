"""How many tokens a conversation has, in three dialects: the provider's count, or our estimate.

The first candidate of the target is asked if it speaks the client's dialect, for its tokenizer is
the one that will count. Everybody else's conversation is estimated, and the answer says so.
Counting costs nothing, so it is not recorded and tells nothing of a provider's health.
"""

import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Protocol

from omniroute.routing.engine import new_request_id
from omniroute.routing.errors import BadRequest, RoutingError, UpstreamFailure
from omniroute.routing.gateway import Gateway
from omniroute.routing.model import (
    Account,
    Call,
    Caller,
    Candidate,
    Dialect,
    Limits,
    Operation,
    RouteRequest,
)
from omniroute.routing.wire.table import codec
from omniroute.routing.wire.token_counts import (
    asked_to_count,
    can_be_asked,
    count_body,
    count_json,
    count_path,
    estimated_tokens,
)

from ..auth import Authenticator
from ..exchange import ClientGone, Exchange, Head, line
from .answers import JSON, send_error
from .bodies import read_unpacked
from .gemini_path import asked_of
from .mistakes import where_it_belongs
from .passing import passed_of

ESTIMATED = b"x-omniroute-estimated: true\r\n"
LIMITS = Limits(first_byte_s=10.0, idle_s=10.0, total_s=10.0, answer_bytes_max=64 * 1024)
LACKS_S = 600.0
"""How long an account that has no such endpoint is not asked again."""
LACKING_MAX = 256
_WORTH_TELLING = frozenset({"bad_request", "context_too_long"})


class Counter(Protocol):
    """Asks an account for something that is no answer to a chat."""

    async def fetch(self, call: Call, path: str, body: bytes) -> bytes:
        """Give the body of what the account answers to a POST.

        Raises:
            UpstreamFailure: it did not answer well.
        """
        ...


@dataclass(frozen=True, slots=True)
class CountDoor:
    """Counts the tokens of conversations in one dialect."""

    gateway: Gateway
    authenticator: Authenticator
    dialect: Dialect
    counter: Counter
    body_bytes_max: int
    _lacking: OrderedDict[str, float] = field(default_factory=OrderedDict[str, float])

    async def __call__(self, exchange: Exchange) -> None:
        """Answer one POST in the dialect's own words."""
        request_id = new_request_id()
        try:
            head = exchange.head
            caller = self.authenticator.caller_of(head)
            body = await read_unpacked(exchange, self.body_bytes_max)
            lines, answer = await self._count(head, body, caller, request_id)
        except ClientGone:
            return
        except RoutingError as error:
            wait = send_error(exchange, codec(self.dialect), error, request_id=request_id)
        else:
            lines = JSON + line(b"x-request-id", request_id) + lines
            wait = exchange.whole(200, lines, answer)
        if wait is not None:
            await wait

    async def _count(
        self, head: Head, body: bytes, caller: Caller, request_id: str
    ) -> tuple[bytes, bytes]:
        """Give the count as the lines that it adds to the answer's head, and its body."""
        try:
            target, chat = asked_to_count(self.dialect, body)
        except BadRequest as error:
            raise where_it_belongs(error, self.dialect, body) from None
        passed, query = passed_of(head, self.dialect)
        operation = Operation(
            "chat",
            self.dialect,
            chat,
            codec(self.dialect).read_features(chat)[1],
            model_in_body=target,
            headers=passed,
            query=query,
        )
        request = RouteRequest(
            request_id,
            target or asked_of(head).model,
            operation,
            at_s=self.gateway.route.clock.now(),
            allowed=caller.models,
        )
        order = self.gateway.route.decide(request, caller).order
        told = await self._asked(order[0], request, body) if order else None
        if told is not None:
            return b"", told
        return ESTIMATED, count_json(self.dialect, estimated_tokens(self.dialect, chat))

    async def _asked(
        self, candidate: Candidate, request: RouteRequest, body: bytes
    ) -> bytes | None:
        """Give what the candidate's provider counts, None where it does not.

        Raises:
            RoutingError: the provider refuses the conversation itself.
        """
        operation, account = request.operation, self._account(candidate)
        path = count_path(self.dialect, candidate.model)
        if (
            account is None
            or path is None
            or account.simulated
            or account.dialect != self.dialect
            or self._lacking.get(account.account_id, 0.0) > time.monotonic()
            or not can_be_asked(self.dialect, operation.body)
        ):
            return None
        if operation.query:
            path = f"{path}?{operation.query}"
        sent = count_body(self.dialect, body, old=operation.model_in_body, new=candidate.model)
        call = Call(request.request_id, 1, candidate, account, operation, LIMITS, operation.headers)
        try:
            return await self.counter.fetch(call, path, sent)
        except UpstreamFailure as failure:
            if failure.kind in _WORTH_TELLING:
                raise
            if failure.provider_status in (404, 405, 501):
                self._note_lacking(account.account_id)
            return None

    def _account(self, candidate: Candidate) -> Account | None:
        accounts = self.gateway.route.configs.current().accounts
        return next((one for one in accounts if one.account_id == candidate.account_id), None)

    def _note_lacking(self, account_id: str) -> None:
        self._lacking[account_id] = time.monotonic() + LACKS_S
        if len(self._lacking) > LACKING_MAX:
            self._lacking.popitem(last=False)
