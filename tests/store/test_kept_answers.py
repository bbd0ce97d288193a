"""Repeated requests at the chat door: one answer, one payment, each key for itself."""

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest

from omniroute.routing.catalog.simulated import SIMULATED_ACCOUNT
from omniroute.routing.errors import StorageUnavailable, UpstreamFailure
from omniroute.routing.model import Call, Caller
from omniroute.routing.simulator.upstream import SimulatedUpstream
from omniroute.server.store.database import Database
from omniroute.server.store.kept_answers import KEPT_S, Claim, KeptAnswer, KeptAnswers
from tests.fakes import FakeClock
from tests.v1.door import Response, Setting, setting

pytestmark = pytest.mark.anyio

CLAIM_S = 60.0
KEYS = {
    "sk-mine": Caller("key-mine", frozenset({"write:route"})),
    "sk-other": Caller("key-other", frozenset({"write:route"})),
    "sk-no-log": Caller("key-no-log", frozenset({"write:route"}), keep_content=False),
}


class Counting:
    """The simulator, counting calls; it fails or waits when told to."""

    def __init__(self) -> None:
        self.calls = 0
        self.failure: UpstreamFailure | None = None
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.asked = asyncio.Event()
        self._simulated = SimulatedUpstream(FakeClock(), _no_sleep)

    async def open(self, call: Call) -> Any:
        self.calls += 1
        self.asked.set()
        await self.may_answer.wait()
        if self.failure is not None:
            raise self.failure
        return await self._simulated.open(call)


async def _no_sleep(seconds: float) -> None:
    await asyncio.sleep(0)


async def unheard(key_id: str) -> None:
    """Take no note of a mismatch."""


def kept(database: Database, clock: FakeClock) -> KeptAnswers:
    return KeptAnswers(database, clock, claim_s=CLAIM_S, mismatched=unheard)


@pytest.fixture
def upstream() -> Counting:
    return Counting()


@pytest.fixture
def door(database: Database, clock: FakeClock, upstream: Counting) -> Setting:
    """A door that keeps answers in a real database."""
    made = setting(SIMULATED_ACCOUNT, check=KEYS.get, upstream=upstream)
    made.door = replace(made.door, answers=kept(database, clock))
    return made


def body(said: str = "hello", **more: object) -> dict[str, object]:
    return {"model": "sim/fast", "messages": [{"role": "user", "content": said}], **more}


async def ask(
    door: Setting, said: str = "hello", *, key: str = "sk-mine", name: str = "once", **more: object
) -> Response:
    sent = {"authorization": f"Bearer {key}", "idempotency_key": name}
    return await door.post(body(said, **more), **sent)


async def test_a_finished_request_is_answered_again_byte_for_byte_without_a_call(
    door: Setting, upstream: Counting
) -> None:
    first = await ask(door)
    again = await ask(door)

    assert (first.status, again.status, upstream.calls) == (200, 200, 1)
    assert again.body == first.body
    assert "idempotent-replayed" not in first.headers
    assert again.headers == {**first.headers, "idempotent-replayed": "true"}
    assert len(door.here.ledger.records) == 1


async def test_while_it_is_being_answered_the_same_request_is_told_to_wait(
    door: Setting, upstream: Counting
) -> None:
    upstream.may_answer.clear()
    first = asyncio.ensure_future(ask(door))
    await asyncio.wait_for(upstream.asked.wait(), 10)

    second = await ask(door)
    other = await ask(door, "something else")
    upstream.may_answer.set()
    answered = await first

    assert (second.status, second.headers["retry-after"]) == (409, "1")
    assert second.json()["error"]["code"] == "request_in_flight"
    assert (other.status, answered.status, upstream.calls) == (422, 200, 1)


async def test_another_body_under_the_same_name_is_refused(
    door: Setting, upstream: Counting
) -> None:
    await ask(door)

    other = await ask(door, "something else")

    assert (other.status, upstream.calls) == (422, 1)
    assert other.json()["error"]["code"] == "idempotency_mismatch"


async def test_two_keys_use_the_same_name_and_never_meet(door: Setting, upstream: Counting) -> None:
    mine = await ask(door, "mine")
    other = await ask(door, "theirs", key="sk-other")

    assert (mine.status, other.status, upstream.calls) == (200, 200, 2)
    assert b"theirs" in other.body


async def test_a_failure_gives_the_name_free(door: Setting, upstream: Counting) -> None:
    upstream.failure = UpstreamFailure("down", kind="server_error")
    failed = await ask(door)
    upstream.failure = None

    answered = await ask(door)

    assert (failed.status >= 500, answered.status, upstream.calls) == (True, 200, 2)
    assert "idempotent-replayed" not in answered.headers


async def test_a_client_that_leaves_gives_the_name_free(door: Setting, upstream: Counting) -> None:
    upstream.may_answer.clear()
    leaving = asyncio.ensure_future(ask(door))
    await asyncio.wait_for(upstream.asked.wait(), 10)
    leaving.cancel()
    await asyncio.wait((leaving,), timeout=10)
    upstream.may_answer.set()

    answered = await ask(door)

    assert (answered.status, upstream.calls) == (200, 2)


async def test_an_answer_is_kept_for_a_day_and_a_dead_claim_for_its_time(
    door: Setting, upstream: Counting, database: Database, clock: FakeClock
) -> None:
    answers = kept(database, clock)
    await ask(door)
    await answers.claim("key-mine", "abandoned", b"x")
    clock.advance(CLAIM_S)

    assert isinstance(await answers.claim("key-mine", "abandoned", b"x"), Claim)
    assert (await ask(door)).headers["idempotent-replayed"] == "true"

    clock.advance(KEPT_S)
    assert await answers.prune(now_unix_s=clock.unix()) == 2
    assert "idempotent-replayed" not in (await ask(door)).headers
    assert upstream.calls == 2


async def test_of_many_claims_at_once_one_is_given(database: Database, clock: FakeClock) -> None:
    answers = kept(database, clock)

    found = await asyncio.gather(
        *(answers.claim("k", "n", b"x") for _ in range(20)), return_exceptions=True
    )

    assert sum(isinstance(one, Claim) for one in found) == 1


async def test_a_no_log_key_and_a_stream_keep_nothing(door: Setting, upstream: Counting) -> None:
    for _ in range(2):
        unlogged = await ask(door, key="sk-no-log")
        streamed = await ask(door, name="stream", stream=True)

        assert (unlogged.status, streamed.status) == (200, 200)
        assert "idempotent-replayed" not in {**unlogged.headers, **streamed.headers}
    assert upstream.calls == 4


@pytest.mark.parametrize("name", ["", "x" * 256])
async def test_a_name_that_is_none_is_refused(door: Setting, upstream: Counting, name: str) -> None:
    refused = await ask(door, name=name)

    assert (refused.status, upstream.calls) == (400, 0)
    assert "Idempotency-Key" in json.dumps(refused.json())


async def test_an_answer_that_cannot_be_kept_is_sent_all_the_same(
    door: Setting, upstream: Counting, database: Database, clock: FakeClock
) -> None:
    class Full(KeptAnswers):
        async def keep(self, claim: Claim, answer: KeptAnswer) -> None:
            raise StorageUnavailable("the disk is full")

    door.door = replace(
        door.door, answers=Full(database, clock, claim_s=CLAIM_S, mismatched=unheard)
    )

    first = await ask(door)
    again = await ask(door)

    assert (first.status, again.status, upstream.calls) == (200, 200, 2)
