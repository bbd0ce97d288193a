"""What happened is kept as alerts with stable names, counted when it repeats, and bounded."""

import pytest

from omniroute.routing.conversation import Delta, Usage
from omniroute.routing.errors import FailureKind, NotAllowed
from omniroute.routing.health.alerts import ALERTS_MAX, REPEAT_S, Alerts
from omniroute.routing.model import Caller, Piece
from omniroute.routing.views import AlertRow
from tests.fakes import ADMIN, World, combo, failing, hello, world
from tests.routing.asking import answered, fails

pytestmark = pytest.mark.anyio


def duo() -> World:
    return world(combos=[combo("duo", "one/m", "two/m")])


def shown(here: World) -> list[tuple[str, str, str, str]]:
    """Give name, provider, model and words of each alert, the oldest first."""
    rows = reversed(here.gateway.view.alerts(ADMIN))
    return [(one.name, one.provider, one.model, one.detail) for one in rows]


@pytest.mark.parametrize(
    ("kind", "alert"),
    [
        ("tls", ("circuit_opened", "one", "", "tls: open for 30 s")),
        ("auth", ("account_refused", "one", "", "auth: the account rests for 120 s")),
        (
            "quota_exhausted",
            ("account_refused", "one", "", "quota exhausted: the account rests for 120 s"),
        ),
        (
            "model_gone",
            (
                *("model_locked_out", "one", "m"),
                "the provider does not serve this model: not asked for 600 s",
            ),
        ),
    ],
)
async def test_a_failure_that_changes_who_is_asked_is_an_alert(
    kind: FailureKind, alert: tuple[str, str, str, str]
) -> None:
    here = duo()
    here.upstream.scripts["one/m"] = failing(fails(kind))

    await answered(here, "duo")

    assert shown(here) == [alert]


async def test_a_circuit_tells_that_it_opened_and_that_it_closed() -> None:
    here = duo()
    here.upstream.scripts["one/m"] = failing(fails("server_error"))
    for _ in range(5):
        await answered(here, "duo")
    here.clock.advance(31)
    here.upstream.scripts["one/m"] = hello
    await answered(here, "duo")

    assert shown(here) == [
        ("circuit_opened", "one", "m", "server error: open for 30 s"),
        ("circuit_closed", "one", "m", ""),
    ]


async def test_a_limit_is_told_when_it_is_new_another_number_or_spent() -> None:
    here = duo()
    for limit, remaining in [("60", "59"), ("60", "58"), ("90", "0")]:
        here.upstream.headers["one/m"] = {
            b"x-ratelimit-limit-requests": limit.encode(),
            b"x-ratelimit-remaining-requests": remaining.encode(),
            b"x-ratelimit-reset-requests": b"20s",
        }
        await answered(here, "duo")

    assert shown(here) == [
        ("limit_learned", "one", "m", "requests 60"),
        ("limit_learned", "one", "m", "requests 90"),
        ("limit_spent", "one", "m", "no requests left in the provider's window"),
    ]


async def test_a_swap_in_every_answer_is_one_alert_that_counts() -> None:
    here = duo()
    delta = Delta(text="hi", finish="stop", usage=Usage(1, 1), model="m-mini", ended=True)
    here.upstream.scripts["one/m"] = lambda call: (Piece(b"", delta),)

    for _ in range(3):
        here.clock.advance(1)
        await answered(here, "duo")
    (row,) = here.gateway.view.alerts(ADMIN)

    words = "the provider answered with m-mini, not the model asked for"
    assert (row.name, row.times, row.detail) == ("model_swapped", 3, words)
    assert row.last_unix_s - row.at_unix_s == 2


async def test_usage_beyond_what_was_set_aside_is_suspect_and_the_most_is_paid() -> None:
    here = duo()
    delta = Delta(text="hi", finish="stop", usage=Usage(10**9, 10**9), ended=True)
    here.upstream.scripts["one/m"] = lambda call: (Piece(b"", delta),)

    await answered(here, "duo")
    outcome = here.ledger.records[-1].outcome

    assert outcome.cost_usd_nanos == outcome.reserved_usd_nanos == 100 * 1000 + 50 * 2000
    assert [one[:3] for one in shown(here)] == [("usage_suspect", "one", "m")]


async def test_budgets_are_told_to_administrators_alone() -> None:
    here = duo()
    reader = Caller("reader", frozenset({"read:health"}))

    here.health.alerts.note("budget_warning", here.clock.now(), detail="9 of 10 are spent")

    assert here.gateway.view.alerts(ADMIN) == (
        AlertRow("budget_warning", "", "", "", "9 of 10 are spent", *(here.clock.unix(),) * 2, 1),
    )
    assert here.gateway.view.alerts(reader) == ()
    with pytest.raises(NotAllowed):
        here.gateway.view.alerts(Caller("nobody", frozenset()))


def test_the_newest_are_kept_and_each_is_told_once() -> None:
    told = list[str]()
    alerts = Alerts(lambda alert: told.append(alert.detail))

    for number in range(ALERTS_MAX + 10):
        alerts.note("limit_spent", 0.0, detail=str(number))
        alerts.note("limit_spent", 1.0, detail=str(number))

    kept = [one.detail for one in alerts.newest()]
    assert told == [str(number) for number in range(ALERTS_MAX + 10)]
    assert kept == told[: -ALERTS_MAX - 1 : -1]


def test_the_same_thing_long_after_is_another_alert() -> None:
    alerts = Alerts()

    for at_s in (0.0, REPEAT_S - 1, REPEAT_S):
        alerts.note("limit_spent", at_s)

    assert [one.times for one in alerts.newest()] == [1, 2]
