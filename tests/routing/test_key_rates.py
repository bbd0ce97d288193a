"""What a key may ask for in a minute and at once: to the second, and never more."""

import asyncio
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omniroute.routing.engine import new_request_id
from omniroute.routing.errors import ModelNotFound, RateLimited
from omniroute.routing.health import key_rates
from omniroute.routing.health.key_rates import KeyRates, Need, Turn
from omniroute.routing.model import Caller, Features, Operation, RouteRequest
from omniroute.routing.rates import Rates
from tests.fakes import World, combo, world

FEATURES = Features(input_tokens=10, input_tokens_max=100, output_tokens_max=50)
EXPECTED = 60
"""What such a request is expected to take; the answers of the fake take 12."""


def caller(**rates: int) -> Caller:
    return Caller("bounded", frozenset({"write:route"}), rates=Rates(**rates))


def need(rates: Rates, tokens: int = 0) -> Need:
    return Need("one", rates, tokens)


def let_in(book: KeyRates, wanted: Need, now_s: float) -> Turn | None:
    try:
        return book.enter(wanted, now_s)
    except RateLimited:
        return None


def ask(here: World, target: str = "duo") -> RouteRequest:
    operation = Operation("chat", "openai_chat", b"{}", FEATURES, target, forward=False)
    return RouteRequest(new_request_id(), target, operation, here.clock.now())


def duo() -> World:
    return world(combos=[combo("duo", "one/m", "two/m")])


async def answered(here: World, who: Caller) -> None:
    reply = await here.gateway.route.open(ask(here), who)
    async for _ in reply:
        continue
    reply.close()


@given(
    gaps=st.lists(st.sampled_from([0.0, 0.25, 0.9, 1.0, 7.3, 29.0, 59.9, 61.0]), max_size=60),
    limit=st.integers(1, 5),
)
def test_in_any_minute_no_more_are_let_in_than_the_limit(gaps: list[float], limit: int) -> None:
    book, now_s, times = KeyRates(), 1000.0, []
    for gap in gaps:
        now_s += gap
        turn = let_in(book, need(Rates(requests_per_minute=limit)), now_s)
        if turn is not None:
            times.append(now_s)
            turn.end(0, now_s)

    assert all(sum(start <= one < start + 60 for one in times) <= limit for start in times)


@given(
    gaps=st.lists(st.sampled_from([0.0, 0.3, 1.0, 13.0, 47.0]), max_size=40),
    limit=st.integers(1, 5),
)
def test_whoever_waits_as_long_as_the_refusal_says_is_let_in(gaps: list[float], limit: int) -> None:
    book, now_s, wanted = KeyRates(), 1000.0, need(Rates(requests_per_minute=limit))
    waits: list[float] = []
    for gap in gaps:
        now_s += gap
        if let_in(book, wanted, now_s) is None:
            with pytest.raises(RateLimited) as refusal:
                book.enter(wanted, now_s)
            waits.append(refusal.value.retry_after_s or 0.0)
            now_s += waits[-1]
            book.enter(wanted, now_s)

    assert all(0 < one <= 61 for one in waits)


@given(
    asked=st.lists(
        st.tuples(st.sampled_from([0.0, 0.5, 3.0, 20.0]), st.integers(1, 80), st.integers(0, 200)),
        max_size=40,
    )
)
def test_tokens_pass_their_limit_by_no_more_than_what_was_under_way(
    asked: list[tuple[float, int, int]],
) -> None:
    limit, book, now_s = 100, KeyRates(), 1000.0
    counted: list[tuple[float, int]] = []
    for gap, expected, took in asked:
        now_s += gap
        turn = let_in(book, need(Rates(tokens_per_minute=limit), expected), now_s)
        recent = sum(tokens for at_s, tokens in counted if now_s - at_s < 60)
        if turn is None:
            # Nothing is refused that would have fitted beside all that may still count.
            lately = sum(tokens for at_s, tokens in counted if now_s - at_s <= 61)
            assert lately + expected > limit
            continue
        assert recent == 0 or recent + expected <= limit
        turn.end(took, now_s)
        counted.append((now_s, took))


def test_a_place_comes_free_when_a_request_ends() -> None:
    book, wanted = KeyRates(), need(Rates(concurrency_max=2))
    first, second = book.enter(wanted, 1.0), book.enter(wanted, 1.0)

    refused = let_in(book, wanted, 1.0)
    with pytest.raises(RateLimited) as told:
        book.enter(wanted, 1.0)
    first.end(0, 2.0)
    third = let_in(book, wanted, 2.0)

    assert refused is None
    assert told.value.retry_after_s == 1.0
    assert third is not None
    assert second.second == first.second


def test_a_request_larger_than_the_limit_is_let_in_alone() -> None:
    book, huge = KeyRates(), need(Rates(tokens_per_minute=100), 5000)

    first = let_in(book, huge, 1000.0)
    assert first is not None
    first.end(150, 1001.0)

    assert let_in(book, huge, 1002.0) is None
    assert let_in(book, huge, 1062.0) is not None


@pytest.mark.parametrize(
    ("rates", "tokens"),
    [({"requests_per_minute": 1}, 0), ({"tokens_per_minute": 100}, 100)],
    ids=["requests", "tokens"],
)
def test_a_refusal_says_to_the_second_when_enough_of_the_minute_is_over(
    rates: dict[str, int], tokens: int
) -> None:
    book, wanted = KeyRates(), need(Rates(**rates), tokens)
    book.enter(wanted, 1000.9).end(tokens, 1000.9)

    waits = []
    for now_s in (1000.95, 1010.0, 1060.5):
        with pytest.raises(RateLimited) as refused:
            book.enter(wanted, now_s)
        waits.append(refused.value.retry_after_s)

    assert waits == pytest.approx([60.05, 51.0, 0.5])
    assert let_in(book, wanted, 1061.0) is not None


def test_a_refusal_waits_for_as_many_as_are_needed() -> None:
    book, small = KeyRates(), need(Rates(tokens_per_minute=100), 30)
    for at_s in (1000.0, 1020.0, 1040.0):
        book.enter(small, at_s).end(30, at_s)

    with pytest.raises(RateLimited) as little:
        book.enter(replace(small, tokens=40), 1050.0)
    with pytest.raises(RateLimited) as much:
        book.enter(replace(small, tokens=41), 1050.0)

    assert little.value.retry_after_s == pytest.approx(11.0)
    assert much.value.retry_after_s == pytest.approx(31.0)


@pytest.mark.parametrize("tokens", [100, 101, 5000])
def test_what_takes_all_or_more_leaves_nothing(tokens: int) -> None:
    turn = let_in(KeyRates(), need(Rates(tokens_per_minute=100), tokens), 1000.0)

    assert turn is not None
    assert turn.tokens_left == 0


def test_one_token_too_many_is_too_many() -> None:
    book, wanted = KeyRates(), need(Rates(tokens_per_minute=100), 60)
    book.enter(wanted, 1000.0).end(60, 1000.0)

    assert let_in(book, replace(wanted, tokens=41), 1001.0) is None
    assert let_in(book, replace(wanted, tokens=40), 1001.0) is not None


def test_a_turn_says_what_was_left_when_it_came() -> None:
    book, wanted = KeyRates(), need(Rates(5, 100), 30)

    turns = [book.enter(wanted, 1000.0) for _ in range(3)]
    free = book.enter(need(Rates(concurrency_max=9)), 1000.0)

    assert [one.requests_left for one in turns] == [4, 3, 2]
    assert [one.tokens_left for one in turns] == [70, 40, 10]
    assert (free.requests_left, free.tokens_left) == (None, None)


def test_what_ends_after_its_minute_takes_nothing_back() -> None:
    book, long = KeyRates(), need(Rates(tokens_per_minute=100), 50)
    turn = book.enter(long, 1000.0)

    turn.end(90, 1061.0)

    assert let_in(book, replace(long, tokens=20), 1061.5) is None
    assert let_in(book, replace(long, tokens=10), 1061.5) is not None


def test_gateways_that_share_a_limit_let_in_their_share_each_and_at_least_one() -> None:
    wanted = need(Rates(requests_per_minute=7))
    three = [KeyRates(gateways=3) for _ in range(3)]
    ten = [KeyRates(gateways=10) for _ in range(10)]

    by_three = [sum(let_in(one, wanted, 5.0) is not None for _ in range(9)) for one in three]
    by_ten = [sum(let_in(one, wanted, 5.0) is not None for _ in range(9)) for one in ten]

    assert by_three == [2, 2, 2]
    assert by_ten == [1] * 10


@pytest.mark.parametrize(("gateways", "share"), [(0, 7), (1, 7), (2, 3), (7, 1), (8, 1)])
def test_a_gateway_has_its_share_of_as_many_as_there_are_now(gateways: int, share: int) -> None:
    book, wanted = KeyRates(gateways=3), need(Rates(requests_per_minute=7))

    book.share(gateways)

    assert sum(let_in(book, wanted, 5.0) is not None for _ in range(9)) == share


def test_a_second_is_empty_when_its_place_is_used_again() -> None:
    book, half = KeyRates(), need(Rates(tokens_per_minute=100), 50)
    for at_s in (1000.0, 1061.0, 1122.0):
        book.enter(half, at_s).end(50, at_s)

    # Each of the three was counted in the same place, and two of them have left.
    full = [let_in(book, replace(half, tokens=tokens), 1123.0) for tokens in (51, 50, 1)]

    assert [one is not None for one in full] == [False, True, False]


def test_nobody_is_told_to_wait_for_less_than_a_millisecond() -> None:
    book, wanted = KeyRates(), need(Rates(requests_per_minute=1))
    book.enter(wanted, 1000.0).end(0, 1000.0)

    with pytest.raises(RateLimited) as refused:
        book.enter(wanted, 1060.9998)

    assert refused.value.retry_after_s == 0.001


def test_four_thousand_and_ninety_six_keys_are_counted_for() -> None:
    book, wanted = KeyRates(), need(Rates(requests_per_minute=1))
    for number in range(4096):
        book.enter(replace(wanted, key_id=f"key-{number}"), 1.0).end(0, 1.0)

    first = let_in(book, replace(wanted, key_id="key-0"), 2.0)
    book.enter(replace(wanted, key_id="one more"), 2.0).end(0, 2.0)
    again = [let_in(book, replace(wanted, key_id=f"key-{number}"), 3.0) for number in (0, 2, 1)]

    # Of the first it was asked last; the second is the one that was forgotten.
    assert first is None
    assert [one is not None for one in again] == [False, False, True]


def test_keys_that_are_counted_for_are_bounded_and_those_at_work_stay(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(key_rates, "KEYS_MAX", 3)
    book, one = KeyRates(), need(Rates(concurrency_max=1))
    book.enter(one, 1.0)
    for number in range(20):
        book.enter(replace(one, key_id=f"other-{number}"), 1.0).end(0, 1.0)

    assert let_in(book, one, 1.0) is None


def test_as_many_keys_as_are_counted_for_forget_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_rates, "KEYS_MAX", 2)
    book, wanted = KeyRates(), need(Rates(requests_per_minute=1))
    for key_id in ("one", "other"):
        book.enter(replace(wanted, key_id=key_id), 1.0).end(0, 1.0)

    again = [let_in(book, replace(wanted, key_id=key_id), 2.0) for key_id in ("one", "other")]
    book.enter(replace(wanted, key_id="third"), 2.0).end(0, 2.0)

    assert again == [None, None]
    assert let_in(book, wanted, 3.0) is not None


@pytest.mark.anyio
async def test_a_key_is_refused_past_its_requests_a_minute_and_told_when_to_come_again() -> None:
    here, who = duo(), caller(requests_per_minute=2)
    for _ in range(2):
        await answered(here, who)

    with pytest.raises(RateLimited, match="2 requests a minute") as refused:
        await here.gateway.route.open(ask(here), who)
    here.clock.advance(refused.value.retry_after_s or 0)
    await answered(here, who)

    assert refused.value.status == 429
    assert len(here.upstream.calls) == 3
    statuses = [(one.outcome.status, one.outcome.error) for one in here.ledger.records]
    assert statuses == [
        ("answered", None),
        ("answered", None),
        ("refused", "rate_limit_exceeded"),
        ("answered", None),
    ]


@pytest.mark.anyio
async def test_a_place_is_given_back_however_a_request_ends() -> None:
    here, who = duo(), caller(concurrency_max=1)

    left = await here.gateway.route.open(ask(here), who)
    with pytest.raises(RateLimited, match="1 requests at the same time"):
        here.gateway.route.begin(ask(here), who)
    left.close()
    cancelled = here.gateway.route.begin(ask(here), who)
    starting = asyncio.ensure_future(cancelled.start())
    starting.cancel()
    await asyncio.wait((starting,))
    cancelled.close()
    await answered(here, who)

    assert here.ledger.records[-1].outcome.status == "answered"


@pytest.mark.anyio
async def test_what_an_answer_took_counts_and_not_what_was_expected() -> None:
    here, who = duo(), caller(tokens_per_minute=EXPECTED + 3 * 12)
    for _ in range(4):
        await answered(here, who)

    with pytest.raises(RateLimited, match="tokens a minute"):
        await here.gateway.route.open(ask(here), who)

    assert len(here.upstream.calls) == 4


@pytest.mark.anyio
async def test_what_nobody_can_answer_takes_nothing_of_a_limit() -> None:
    here, who = duo(), caller(requests_per_minute=1)
    for _ in range(3):
        with pytest.raises(ModelNotFound):
            await here.gateway.route.open(ask(here, "nobody/knows"), who)

    await answered(here, who)

    assert len(here.upstream.calls) == 1


@pytest.mark.anyio
async def test_limits_are_each_keys_own() -> None:
    here = duo()
    one, other = caller(requests_per_minute=1), Caller("free", frozenset({"write:route"}))
    await answered(here, one)

    for _ in range(3):
        await answered(here, other)

    with pytest.raises(RateLimited):
        await here.gateway.route.open(ask(here), one)
    assert len(here.upstream.calls) == 4
