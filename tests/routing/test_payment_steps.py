"""What one request sets aside and pays, step by step."""

import pytest
from msgspec import structs

from omniroute.routing.accounting.payment import Payment
from omniroute.routing.errors import BudgetExceeded
from omniroute.routing.model import Caller, Candidate, Features, ModelFacts, Operation, Price
from omniroute.routing.model import RouteRequest as Request
from tests.fakes import MemoryBudgets

pytestmark = pytest.mark.anyio

PRICE = Price(input=1_000_000_000, output=2_000_000_000)
"""1,000 nano-dollars an input token, 2,000 an output token."""
ASKED = Features(input_tokens=10, input_tokens_max=100, output_tokens_max=50)
BOUND = 100 * 1000 + 50 * 2000
OPEN = Features(input_tokens=10, input_tokens_max=100)
FLOOR = 100 * 1000 + 256 * 2000
PAYER = Caller("payer", frozenset({"write:route"}), budget_ids=("b",))


def candidate(price: Price | None = PRICE, dialect: str = "openai_chat") -> Candidate:
    facts = ModelFacts(output_tokens_max=1000, price=price)
    one = Candidate("acc", "one", "m", "openai_chat", facts)
    return one if dialect == "openai_chat" else Candidate("acc", "one", "m", "anthropic", facts)


def asking(features: Features = ASKED, ceiling: int | None = None, body: bytes = b"{}") -> Request:
    operation = Operation("chat", "openai_chat", body, features, "one/m", forward=False)
    request = Request("req_1", "one/m", operation, 0.0)
    return structs.replace(request, spend_usd_nanos_max=ceiling)


def paying(
    cap: int = 1_000_000, *, features: Features = ASKED, ceiling: int | None = None
) -> tuple[Payment, MemoryBudgets]:
    budgets = MemoryBudgets(caps={"b": cap})
    return Payment(budgets, asking(features, ceiling), PAYER), budgets


def test_a_new_payment_has_set_nothing_aside_and_seen_nothing() -> None:
    payment, _ = paying()

    assert payment.reserved_usd_nanos == 0
    assert payment.left_usd_nanos is None
    assert payment.output_tokens_clamp is None


def test_what_can_be_paid_at_once_is_set_aside_in_one_step() -> None:
    payment, budgets = paying()

    sent = payment.reserve_now(candidate(), 1)

    assert sent is not None
    assert sent.body == b"{}"
    assert {one.hold_id: one.usd_nanos for one in budgets.holds.values()} == {"req_1:1": BOUND}
    assert payment.reserved_usd_nanos == BOUND
    assert payment.left_usd_nanos == 1_000_000 - BOUND == budgets.left(("b",))


def test_what_is_left_is_never_told_as_less_than_nothing() -> None:
    payment, budgets = paying(BOUND)
    budgets.left = lambda budget_ids: BOUND  # type: ignore[method-assign]

    payment.reserve_now(candidate(), 1)

    assert payment.left_usd_nanos == 0


def test_the_least_bound_is_not_taken_before_the_store_was_asked() -> None:
    payment, budgets = paying(FLOOR, features=OPEN)

    assert payment.reserve_now(candidate(), 1) is None
    assert budgets.holds == {}
    assert payment.reserved_usd_nanos == 0


def test_what_the_store_refuses_at_once_has_to_be_asked_for() -> None:
    payment, budgets = paying()
    budgets.take = lambda hold: False  # type: ignore[method-assign]

    assert payment.reserve_now(candidate(), 1) is None
    assert payment.settle(5, 1) == 0
    assert payment.left_usd_nanos is None


async def test_asking_tells_what_is_left_then_and_sets_aside() -> None:
    payment, budgets = paying()

    sent = await payment.reserve(candidate(), 3)

    assert sent.body == b"{}"
    assert list(budgets.holds) == ["req_1:3"]
    assert payment.left_usd_nanos == 1_000_000 - BOUND


async def test_it_looks_three_times_and_then_asks_for_the_least() -> None:
    payment, budgets = paying(FLOOR, features=OPEN)
    looks: list[int] = []

    def stale(budget_ids: tuple[str, ...]) -> int:
        looks.append(1)
        return 100_000_000

    budgets.left = stale  # type: ignore[method-assign]

    sent = await payment.reserve(candidate(), 1)

    # One more tells what is left.
    assert len(looks) == 3 + 1
    assert sent.body == b'{"max_tokens":256}'
    assert payment.reserved_usd_nanos == FLOOR


async def test_one_look_that_is_right_is_enough() -> None:
    payment, budgets = paying(4_000_000, features=OPEN)
    looks: list[int] = []
    left = budgets.left

    def counted(budget_ids: tuple[str, ...]) -> int | None:
        looks.append(1)
        return left(budget_ids)

    budgets.left = counted  # type: ignore[method-assign]

    sent = await payment.reserve(candidate(), 1)

    assert len(looks) == 1 + 1
    assert sent.body == b'{"max_tokens":450}'
    assert payment.output_tokens_clamp == 450


async def test_once_the_least_is_all_there_is_nobody_looks_again() -> None:
    payment, budgets = paying(FLOOR - 1, features=OPEN)
    looks: list[int] = []
    left = budgets.left

    def counted(budget_ids: tuple[str, ...]) -> int | None:
        looks.append(1)
        return left(budget_ids)

    budgets.left = counted  # type: ignore[method-assign]

    with pytest.raises(BudgetExceeded):
        await payment.reserve(candidate(), 1)

    assert len(looks) == 1
    assert budgets.holds == {}


def test_settling_pays_once_and_no_more_than_was_set_aside() -> None:
    payment, budgets = paying()
    payment.reserve_now(candidate(), 1)

    assert payment.settle(7, 1) == 7
    assert payment.settle(7, 1) == 0
    assert payment.settle(7, 2) == 0
    assert budgets.spent == {"b": 7}
    assert payment.left_usd_nanos == 1_000_000 - 7


def test_a_dearer_answer_pays_what_was_set_aside() -> None:
    payment, budgets = paying()
    payment.reserve_now(candidate(), 1)

    assert payment.settle(BOUND + 1, 1) == BOUND
    assert budgets.spent == {"b": BOUND}
    assert payment.left_usd_nanos == 1_000_000 - BOUND


def test_the_requests_own_ceiling_counts_what_is_held_and_what_is_paid() -> None:
    payment, _ = paying(100_000_000, ceiling=2 * BOUND + 10)
    payment.reserve_now(candidate(), 1)
    payment.reserve_now(candidate(), 2)

    with pytest.raises(BudgetExceeded, match=r"\$0\.000000 that is left"):
        payment.reserve_now(candidate(), 3)
    payment.settle(BOUND - 90, 1)
    with pytest.raises(BudgetExceeded, match=r"\$0\.000000 that is left"):
        payment.reserve_now(candidate(), 3)
    payment.settle(100, 2)

    assert payment.reserve_now(candidate(), 3) is not None
    assert payment.reserved_usd_nanos == 3 * BOUND


def test_a_ceiling_of_just_the_least_is_enough_and_one_below_says_what_is_left() -> None:
    enough, _ = paying(100_000_000, features=OPEN, ceiling=FLOOR)
    below, budgets = paying(100_000_000, features=OPEN, ceiling=FLOOR - 1)

    assert enough.reserve_now(candidate(), 1) is None
    with pytest.raises(BudgetExceeded, match=r"one/m may cost more than the \$0\.000612 that"):
        below.reserve_now(candidate(), 1)
    assert budgets.holds == {}


async def test_a_ceiling_of_just_the_least_is_paid_when_it_is_asked_for() -> None:
    payment, _ = paying(100_000_000, features=OPEN, ceiling=FLOOR)

    sent = await payment.reserve(candidate(), 1)

    assert sent.body == b'{"max_tokens":256}'


def test_a_ceiling_that_is_more_than_spent_is_told_as_nothing_left() -> None:
    payment, _ = paying(100_000_000, ceiling=BOUND)
    payment.reserve_now(candidate(), 1)
    payment.settle(BOUND, 1)

    with pytest.raises(BudgetExceeded, match=r"\$0\.000000 that is left"):
        payment.reserve_now(candidate(), 2)


async def test_an_answer_that_cannot_be_clamped_gives_back_what_was_set_aside() -> None:
    budgets = MemoryBudgets(caps={"b": 4_000_000})
    body = b'{"thinking":{"type":"enabled","budget_tokens":9000}}'
    operation = Operation("chat", "anthropic", body, OPEN, "one/m", forward=False)
    request = Request("req_1", "one/m", operation, 0.0)
    payment = Payment(budgets, request, PAYER)

    with pytest.raises(BudgetExceeded, match="thinking"):
        await payment.reserve(candidate(dialect="anthropic"), 1)

    assert budgets.holds == {}
    assert budgets.spent == {"b": 0}
    assert payment.left_usd_nanos == 4_000_000


def test_an_unknown_price_is_refused_where_a_budget_pays_and_passes_where_it_may() -> None:
    payment, budgets = paying()

    with pytest.raises(BudgetExceeded, match="allow-unpriced"):
        payment.reserve_now(candidate(None), 1)
    budgets.unpriced.add("b")

    assert payment.reserve_now(candidate(None), 1) is not None


def test_budgets_that_are_past_their_threshold_are_told_of() -> None:
    payment, budgets = paying(100)
    before = payment.warnings
    budgets.spent["b"] = 90

    assert before == ()
    assert payment.warnings == ("budget 'b' has spent 90 of 100",)
