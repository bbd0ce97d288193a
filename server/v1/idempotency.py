"""Repeated requests: one idempotency key, one answer, one payment.

A client that did not hear the answer asks again with the same `Idempotency-Key`. The first
answer is given again, byte for byte, and no provider is called. It holds for whole answers:
what was streamed is not kept. Only good answers are kept; a failure gives the key free, so
that asking again asks the providers again. A no-log key keeps nothing, so the header has no
effect there.
"""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Protocol

from omniroute.routing.errors import BadRequest, StorageUnavailable
from omniroute.routing.model import Caller
from omniroute.routing.ports import IDEMPOTENCY_KEY_CHARS_MAX

from ..store.kept_answers import Claim, Headers, KeptAnswer

NAME_HEADER = b"idempotency-key"
KEPT_BYTES_MAX = 4 * 2**20
"""A longer answer is not kept."""
REPLAYED = (b"idempotent-replayed", b"true")

Make = Callable[[], Awaitable[tuple[Headers, bytes]]]


class Answers(Protocol):
    """Where answers are kept; see store/kept_answers.py."""

    async def claim(self, key_id: str, name: str, body: bytes) -> Claim | KeptAnswer: ...

    async def keep(self, claim: Claim, answer: KeptAnswer) -> None: ...

    def release(self, claim: Claim) -> None: ...


def idempotency_name(value: bytes, caller: Caller) -> str | None:
    """Give what the header of a whole answer's request says, None where it has no effect.

    Raises:
        BadRequest: it is empty or too long.
    """
    if not caller.keep_content:
        return None
    name = value.decode("latin-1")
    if not 0 < len(name) <= IDEMPOTENCY_KEY_CHARS_MAX:
        raise BadRequest(
            f"Idempotency-Key has 1 to {IDEMPOTENCY_KEY_CHARS_MAX} characters",
            field="Idempotency-Key",
        )
    return name


async def answer_once(
    answers: Answers, key_id: str, name: str, body: bytes, make: Make
) -> tuple[Headers, bytes]:
    """Give the kept answer, or make it and keep it. Raises as `made_once`."""

    async def made() -> tuple[KeptAnswer, bool]:
        headers, answer = await make()
        return KeptAnswer(headers, answer), True

    answer, replayed = await made_once(answers, key_id, name, body, made)
    return [*answer.headers, REPLAYED] if replayed else answer.headers, answer.body


async def made_once(
    answers: Answers,
    key_id: str,
    name: str,
    asked: bytes,
    make: Callable[[], Awaitable[tuple[KeptAnswer, bool]]],
) -> tuple[KeptAnswer, bool]:
    """Give the answer, and whether it was kept from before.

    `make` says of its answer whether it is good; one that is not is given this once.

    Raises:
        RequestInFlight: it is being made.
        IdempotencyMismatch: the name was used with another body.
        Whatever `make` raises; nothing is kept then.
    """
    claim = await answers.claim(key_id, name, asked)
    if isinstance(claim, KeptAnswer):
        return claim, True
    kept = False
    try:
        answer, is_good = await make()
        if is_good and len(answer.body) <= KEPT_BYTES_MAX:
            # An answer that is made and paid is sent, also when it cannot be kept.
            with suppress(StorageUnavailable):
                await answers.keep(claim, answer)
                kept = True
    finally:
        if not kept:
            answers.release(claim)
    return answer, False
