"""Long texts are looked at in turns: nobody else waits for the end of it."""

import asyncio
import json
from collections.abc import Collection, Iterator
from dataclasses import replace

import pytest

from omniroute.routing.content import ContentRule, ContentRules, Finding, Span
from omniroute.routing.conversation import Delta
from omniroute.routing.engine import Engine, new_request_id
from omniroute.routing.errors import ContentBlocked, Interrupted, ModelNotFound, NotAllowed
from omniroute.routing.guarding.answers import AnswerGate
from omniroute.routing.guarding.body import looking_at
from omniroute.routing.guarding.pii import PiiGuard
from omniroute.routing.guarding.text import Gate, Watch
from omniroute.routing.guarding.turns import SLICE_CHARS, at_once, in_turns
from omniroute.routing.model import Caller, Features, Operation, Piece, RouteRequest
from tests.fakes import ADMIN, World, combo, world

MAIL = "a@b.co"
SHOWN = "[EMAIL_REDACTED]"
LONG = "plain words, and more of them " * (SLICE_CHARS // 10)
FORM = '--bound\r\nContent-Disposition: form-data; name="prompt"\r\n\r\n{}\r\n--bound--\r\n'
WAIT_S = 60


def watch() -> Watch:
    return Watch(PiiGuard(), "redact", ())


def operation(body: bytes) -> Operation:
    return Operation("chat", "openai_chat", body, Features(input_tokens_max=100), forward=False)


def pauses(body: bytes) -> tuple[int, Operation]:
    steps, count = looking_at(operation(body), watch()), 0
    while True:
        try:
            next(steps)
        except StopIteration as ended:
            return count, ended.value
        count += 1


@pytest.mark.parametrize(
    "value",
    [LONG, [LONG], json.dumps([LONG]), ["some words"] * 4_000, [1_700_000_000_000] * 4_000],
    ids=["text", "list", "nested", "texts", "numbers"],
)
def test_a_long_body_is_looked_at_in_turns_whatever_it_is_made_of(value: object) -> None:
    body = json.dumps({"content": value, "end": MAIL}).encode()

    count, changed = pauses(body)

    assert len(body) / SLICE_CHARS - 2 <= count <= 2 * len(body) / SLICE_CHARS
    assert changed.body == body.replace(MAIL.encode(), SHOWN.encode())


def test_a_long_text_of_a_form_is_looked_at_in_turns() -> None:
    count, changed = pauses(FORM.format(f"{LONG}{MAIL}").encode())

    assert count >= len(LONG) // SLICE_CHARS
    assert changed.body == FORM.format(f"{LONG}{SHOWN}").encode()


@pytest.mark.parametrize(("length", "count"), [(4_096, 0), (4_097, 1), (9_500, 2)])
def test_a_body_has_a_pause_behind_each_slice(length: int, count: int) -> None:
    # The last text ends with the character of that number.
    body = b'{"content":["' + MAIL.encode() * 500 + b'","' + b'","'.join([b"x" * 1_000] * 9)
    body = body[: length - 1] + b'"'

    assert pauses(body + b"]}")[0] == count
    assert SLICE_CHARS == 4_096


@pytest.mark.parametrize(("length", "count"), [(4_096, 0), (4_097, 1), (8_192, 1), (8_193, 2)])
def test_a_text_has_a_pause_behind_each_slice(length: int, count: int) -> None:
    assert sum(1 for _ in watch().looking("x" * length)) == count


def test_a_pause_is_one_turn_of_the_loop_and_no_time() -> None:
    work = in_turns(watch().looking("x" * SLICE_CHARS + f" {MAIL}"))

    paused = work.send(None)
    with pytest.raises(StopIteration) as ended:
        work.send(None)

    assert paused is None
    assert ended.value.value == "x" * SLICE_CHARS + f" {SHOWN}"


@pytest.mark.parametrize("shift", range(-8, 2))
def test_what_lies_across_two_turns_is_found(shift: int) -> None:
    text = "x" * (SLICE_CHARS + shift - 1) + f" {MAIL} " + LONG

    assert at_once(watch().looking(text)) == text.replace(MAIL, SHOWN)
    assert watch().text(text) == text.replace(MAIL, SHOWN)


@pytest.mark.parametrize("length", [0, 1, SLICE_CHARS, SLICE_CHARS + 1, 3 * SLICE_CHARS])
def test_a_piece_of_any_length_goes_on_whole(length: int) -> None:
    gate = Gate(watch())

    shown = gate.feed("word " * (length // 5)), gate.end()

    assert "".join(shown) == "word " * (length // 5)


@pytest.mark.anyio
async def test_a_long_answer_is_looked_at_in_turns() -> None:
    gate, turns = AnswerGate(watch()), 0
    over = asyncio.Event()

    async def others() -> None:
        nonlocal turns
        while not over.is_set():
            turns += 1
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as group:
        group.create_task(others())
        given = await in_turns(gate.feeding(Delta(text=f"{LONG}{MAIL}", ended=True)))
        over.set()

    assert "".join(one.text for one in given) == f"{LONG}{SHOWN}"
    assert turns >= len(LONG) // SLICE_CHARS


class Witness(PiiGuard):
    """Notes how many turns others have had when it looks."""

    def __init__(self) -> None:
        self.turns = 0
        self.seen: list[int] = []
        self.is_over = asyncio.Event()

    def find(self, text: str, kinds: Collection[str], *, start: int = 0) -> Iterator[Span]:
        self.seen.append(self.turns)
        return super().find(text, kinds, start=start)

    async def others(self) -> None:
        while not self.is_over.is_set():
            self.turns += 1
            await asyncio.sleep(0)


def guarded(rules: ContentRules, guard: PiiGuard) -> tuple[World, Engine]:
    here = world(combos=[combo("duo", "one/m", "two/m")])
    here.configs.config = replace(here.configs.config, content=rules)
    return here, replace(here.gateway.route, guards={"pii": guard})


def asked(here: World, target: str = "duo") -> RouteRequest:
    body = json.dumps({"model": target, "messages": [{"content": f"{LONG}{MAIL}"}]}).encode()
    return RouteRequest(new_request_id(), target, operation(body), here.clock.now())


@pytest.mark.anyio
@pytest.mark.parametrize(
    "rules",
    [
        ContentRules(everywhere=ContentRule(requests="redact")),
        ContentRules(combos={"duo": ContentRule(requests="redact")}),
        ContentRules(keys={ADMIN.key_id: ContentRule(requests="redact")}),
    ],
    ids=["everywhere", "combo", "key"],
)
async def test_others_have_their_turns_while_a_long_request_is_looked_at(
    rules: ContentRules,
) -> None:
    witness = Witness()
    here, engine = guarded(rules, witness)

    async with asyncio.timeout(WAIT_S), asyncio.TaskGroup() as group:
        group.create_task(witness.others())
        reply = await engine.open(asked(here), ADMIN)
        witness.is_over.set()
    reply.close()

    assert witness.seen[-1] >= len(LONG) // SLICE_CHARS
    assert SHOWN.encode() in here.upstream.calls[0].operation.body
    assert MAIL.encode() not in here.upstream.calls[0].operation.body
    (told,) = here.ledger.records
    assert told.outcome.request.findings == (Finding("request", "email", 1, "redact"),)


@pytest.mark.anyio
async def test_a_long_answer_is_looked_at_in_turns_before_it_is_shown() -> None:
    witness = Witness()
    here, engine = guarded(ContentRules(everywhere=ContentRule(answers="redact")), witness)
    said = (Piece(b"", Delta(text=f"{LONG}{MAIL}", finish="stop", ended=True)),)
    here.upstream.scripts["one/m"] = here.upstream.scripts["two/m"] = lambda call: said

    async with asyncio.timeout(WAIT_S), asyncio.TaskGroup() as group:
        group.create_task(witness.others())
        reply = await engine.open(asked(here), ADMIN)
        shown = [piece.delta.text async for piece in reply if piece.delta is not None]
        witness.is_over.set()
    reply.close()

    assert "".join(shown) == f"{LONG}{SHOWN}"
    assert witness.seen[-1] >= len(LONG) // SLICE_CHARS


@pytest.mark.anyio
async def test_a_long_request_that_is_blocked_is_on_record_once_and_calls_nobody() -> None:
    here, engine = guarded(ContentRules(everywhere=ContentRule(requests="block")), PiiGuard())

    with pytest.raises(ContentBlocked, match="the request holds 1 email"):
        await engine.open(asked(here), ADMIN)

    (told,) = here.ledger.records
    assert (told.outcome.status, told.outcome.error) == ("refused", "content_blocked")
    assert here.upstream.calls == []


@pytest.mark.anyio
async def test_a_long_request_for_no_model_is_on_record_once() -> None:
    here, engine = guarded(ContentRules(everywhere=ContentRule(requests="warn")), PiiGuard())

    with pytest.raises(ModelNotFound):
        await engine.open(asked(here, "nobody"), ADMIN)

    assert len(here.ledger.records) == 1


@pytest.mark.anyio
async def test_nothing_is_looked_at_for_who_may_not_ask() -> None:
    witness = Witness()
    here, engine = guarded(ContentRules(everywhere=ContentRule(requests="warn")), witness)

    with pytest.raises(NotAllowed):
        await engine.open(asked(here), Caller("reader", frozenset({"read:health"})))

    assert witness.seen == []


@pytest.mark.anyio
async def test_who_leaves_while_a_long_request_is_looked_at_is_on_record() -> None:
    witness = Witness()
    here, engine = guarded(ContentRules(everywhere=ContentRule(requests="redact")), witness)

    asking = asyncio.create_task(engine.open(asked(here), ADMIN))
    while not witness.seen:
        await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking

    (told,) = here.ledger.records
    assert told.outcome.status == "client_gone"
    assert here.upstream.calls == []


class Stopping(PiiGuard):
    """Has the gateway end the request that it looks at."""

    def find(self, text: str, kinds: Collection[str], *, start: int = 0) -> Iterator[Span]:
        task = asyncio.current_task()
        if task is not None and not task.cancelling():
            task.cancel(Interrupted("the gateway is shutting down"))
        return super().find(text, kinds, start=start)


@pytest.mark.anyio
async def test_a_long_request_is_told_that_the_gateway_stops() -> None:
    here, engine = guarded(ContentRules(everywhere=ContentRule(requests="redact")), Stopping())

    with pytest.raises(Interrupted, match="shutting down"):
        await engine.open(asked(here), ADMIN)

    (told,) = here.ledger.records
    assert (told.outcome.status, told.outcome.error) == ("refused", "gateway_stopping")


@pytest.mark.anyio
async def test_who_waits_for_a_long_answer_is_told_that_the_gateway_stops() -> None:
    here, engine = guarded(ContentRules(everywhere=ContentRule(answers="redact")), Stopping())
    said = (Piece(b"", Delta(text=LONG, finish="stop", ended=True)),)
    here.upstream.scripts["one/m"] = here.upstream.scripts["two/m"] = lambda call: said
    reply = await engine.open(asked(here), ADMIN)

    with pytest.raises(Interrupted, match="shutting down"):
        await anext(reply)
    reply.close()

    (told,) = here.ledger.records
    assert (told.outcome.status, told.outcome.error) == ("failed", "gateway_stopping")
