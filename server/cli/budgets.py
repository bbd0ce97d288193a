"""`omniroute budgets`: what keys, combos and sessions may spend."""

from argparse import Namespace
from decimal import Decimal, InvalidOperation
from urllib.parse import quote

from ..management_keys import BudgetJson, BudgetsJson, BudgetTerms, BudgetWish
from ..settings import Settings, Sources
from .client import call, decoded, with_gateway
from .exits import OK, USAGE, Stop
from .output import dollars, show, show_json, table

USD_NANOS = 1_000_000_000
USD_MAX = 1_000_000_000
COMBO_MARK = ":"
"""What stands between the word combo and a combo's name."""


def show_all(arguments: Namespace, settings: Settings, sources: Sources) -> int:
    """List the budgets with how they stand."""
    with with_gateway(settings, sources) as gateway:
        found = decoded(call(gateway, "GET", "/api/budgets"), BudgetsJson)
    if arguments.json:
        show_json(found)
    elif found.budgets:
        money = ("CAP", "SPENT", "HELD", "LEASED", "LEFT")
        headings = ("ID", "OF", "NAME", "PERIOD", "ACTION", *money, "STATE")
        show(table(headings, [_row(one) for one in found.budgets], right=money))
    else:
        show("There are no budgets. `omniroute budgets set` makes one for a key.")
    return OK


def put(arguments: Namespace, settings: Settings, sources: Sources) -> int:
    """Set what a key, a combo or a session may spend in a period."""
    terms = BudgetTerms(
        cap_usd_nanos=usd_nanos(arguments.usd, option="usd"),
        period=arguments.period,
        name=arguments.name,
        warn_percent=_percent(arguments.warn_at),
        allow_unpriced=arguments.allow_unpriced,
        action=arguments.action,
        tier=arguments.degrade_to,
    )
    with with_gateway(settings, sources) as gateway:
        wish = _wish(arguments.key, arguments.session, terms)
        made = decoded(call(gateway, "POST", "/api/budgets", wish), BudgetJson)
    if arguments.json:
        show_json(made)
    else:
        show(
            f"{made.budget_id} is set: {_subject(made)} may spend {_money(terms.cap_usd_nanos)} "
            f"({_period(made)}); {_money(made.left_usd_nanos)} is left."
        )
    return OK


def remove(arguments: Namespace, settings: Settings, sources: Sources) -> int:
    """Remove a budget with what it has spent."""
    with with_gateway(settings, sources) as gateway:
        call(gateway, "DELETE", f"/api/budgets/{quote(arguments.id, safe='')}")
    show(f"Removed {arguments.id}.")
    return OK


def usd_nanos(text: str, *, option: str) -> int:
    """Give an amount such as 5, 0.50 or $5 in nano-dollars.

    Raises:
        Stop: it is none, negative, absurd, or finer than a nano-dollar.
    """
    try:
        amount = Decimal(text.strip().removeprefix("$"))
        exact = int(amount * USD_NANOS)
    except (InvalidOperation, ValueError, OverflowError):
        raise Stop(
            f"{option} {text!r} is no amount: give dollars such as 5 or 0.50", USAGE
        ) from None
    if Decimal(exact) / USD_NANOS != amount or not 0 <= exact <= USD_MAX * USD_NANOS:
        raise Stop(
            f"{option} {text!r} is no amount: it is 0 to {USD_MAX} US dollars, with 9 decimals "
            "at most",
            USAGE,
        )
    return exact


def _wish(of: str, session: str, terms: BudgetTerms) -> BudgetWish:
    kind, _, combo = of.partition(COMBO_MARK)
    if kind == "combo" and combo:
        return BudgetWish(terms, combo=combo, session=session)
    return BudgetWish(terms, key_id=of, session=session)


def _subject(one: BudgetJson) -> str:
    if one.combo is not None:
        return f"combo{COMBO_MARK}{one.combo}"
    return f"key {one.key_id}" if one.session_id is None else f"session {one.session_id}"


def _percent(text: str) -> int:
    digits = text.strip().removesuffix("%").strip()
    if not digits.isascii() or not digits.isdigit() or not 1 <= int(digits[:4]) <= 100:
        raise Stop(f"--warn-at {text!r} is no percentage: give 1 to 100", USAGE)
    return int(digits)


def _row(one: BudgetJson) -> tuple[str, ...]:
    terms = one.terms
    set_aside = (one.spent_usd_nanos, one.held_usd_nanos, one.leased_usd_nanos)
    amounts = (terms.cap_usd_nanos, *set_aside, one.left_usd_nanos)
    action = f"degrade to {terms.tier}" if terms.action == "degrade" else terms.action
    state = f"passed by {_money(one.over_usd_nanos)}" if one.over_usd_nanos else one.state
    state += ", unpriced allowed" if terms.allow_unpriced else ""
    named = (one.budget_id, _subject(one), terms.name, terms.period, action)
    return (*named, *map(_money, amounts), state)


def _money(nanos: int) -> str:
    return dollars(nanos / USD_NANOS)


def _period(one: BudgetJson) -> str:
    return "in all" if one.terms.period == "total" else f"each {one.terms.period}, UTC"
