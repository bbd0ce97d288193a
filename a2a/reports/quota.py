"""quota-management: who has most left, what costs nothing, and how it stands in all.

A question is classified as documented: "ranking", "most quota" or "best" asks for a ranking,
"free" or "suggest" for combos that cost nothing, all else for a summary.
"""

from collections.abc import Sequence

from omniroute.routing.catalog.names import name_allowed
from omniroute.routing.catalog.resolve import resolve
from omniroute.routing.errors import RoutingError
from omniroute.routing.model import Candidate, Combo
from omniroute.routing.quotas import QuotaRow, share_left, tightest
from omniroute.routing.views import Views

from ..dialects.common import iso
from ..task import Json
from .report import ROWS_MAX, Question, Told
from .words import lines, listed, percent, plural, providers_in, wait

LOW_SHARE = 0.1
"""A provider with at most this share left is warned of, as documented."""


def needs(question: Question) -> tuple[str, ...]:
    """Give the scopes that a question needs beside read:quota."""
    return ("read:combos",) if _kind(question.text) == "free_suggestion" else ()


async def tell(view: Views, question: Question) -> Told:
    """Answer a question about quotas."""
    kind = _kind(question.text)
    if kind == "free_suggestion":
        return await _free(view, question)
    rows = view.quotas(question.caller)
    named = providers_in(question.text, (row.provider for row in rows))
    rows = tuple(row for row in rows if not named or row.provider in named)
    ranked = sorted(rows, key=_place)
    shown = [_told(row, view.clock.unix()) for row in ranked[:ROWS_MAX]]
    more: Json = {"providers": shown, "leftOut": max(len(rows) - ROWS_MAX, 0)}
    said = [_said(row) for row in ranked]
    if kind == "ranking":
        heading = "Providers by what is left of their quota, the most first:"
        text = lines(heading, said) if said else "No provider is configured."
        return Told(text, {"queryType": kind, **more})
    return _summary(ranked, said, more)


def _kind(text: str) -> str:
    plain = text.lower()
    if any(word in plain for word in ("ranking", "most quota", "best")):
        return "ranking"
    if any(word in plain for word in ("free", "suggest")):
        return "free_suggestion"
    return "summary"


def _summary(rows: Sequence[QuotaRow], said: list[str], more: Json) -> Told:
    low = [row for row in rows if row.enabled and (_is_low(row) or row.refused)]
    providers = list(dict.fromkeys(row.provider for row in rows))
    warnings = [f"{row.provider} ({row.name}): {_left(row)}" for row in low]
    unknown = sum(1 for row in rows if tightest(row) == (None, None))
    text = (
        f"{plural(len(providers), 'provider')} with {plural(len(rows), 'account')}; "
        f"no limit is known of {plural(unknown, 'account')}."
        if rows
        else "No provider is configured."
    )
    if warnings:
        text += "\n" + lines("Low or out of quota:", warnings)
    elif rows:
        text += f" None is at {percent(LOW_SHARE)} or below."
    if rows:
        text += "\n" + lines("Accounts, the most left first:", said)
    data = {
        "queryType": "summary",
        "providerCount": len(providers),
        "accountCount": len(rows),
        "warnings": warnings[:ROWS_MAX],
        **more,
    }
    return Told(text, data)


def _place(row: QuotaRow) -> tuple[bool, bool, float, str]:
    """Give what ranks an account: those without a known limit first, as documented."""
    limit, rest = tightest(row)
    share = None if limit is None else share_left(limit)
    left = 0.0 if rest is not None else 1.0 if share is None else share
    bounded = limit is not None or rest is not None
    return (not row.enabled or row.refused, bounded, -left, row.provider)


def _is_low(row: QuotaRow) -> bool:
    limit, rest = tightest(row)
    share = None if limit is None else share_left(limit)
    return rest is not None or (share is not None and share <= LOW_SHARE)


def _left(row: QuotaRow) -> str:
    limit, rest = tightest(row)
    if row.refused:
        return "its provider refuses the credential"
    if rest is not None:
        model = f" of {rest.model}" if rest.model else ""
        return f"rests{model} for {wait(rest.remaining_s)} ({rest.reason})"
    if limit is None:
        return "no limit is known"
    if limit.remaining is None:
        return f"a limit of {limit.limit} {limit.dimension}, what is left is not known"
    again = "" if limit.reset_s is None else f", full again in {wait(limit.reset_s)}"
    left = percent(share_left(limit))
    return f"{left} left ({limit.remaining} of {limit.limit} {limit.dimension}{again})"


def _said(row: QuotaRow) -> str:
    marks = ("disabled",) * (not row.enabled) + ("simulated",) * row.simulated
    label = f" [{', '.join(marks)}]" if marks else ""
    return f"{row.provider} ({row.name}){label}: {_left(row)}"


def _told(row: QuotaRow, now_unix_s: float) -> Json:
    limit, rest = tightest(row)
    share = 0.0 if rest is not None else None if limit is None else share_left(limit)
    reset_s = rest.remaining_s if rest is not None else None if limit is None else limit.reset_s
    return {
        "name": row.name,
        "provider": row.provider,
        "connectionId": row.account_id,
        "percentRemaining": None if share is None else round(share * 100, 2),
        "quotaTotal": None if limit is None else limit.limit,
        "quotaRemaining": None if limit is None else limit.remaining,
        "dimension": None if limit is None else limit.dimension,
        "resetAt": None if reset_s is None else iso(now_unix_s + reset_s),
        "resting": rest is not None,
        "credentialRefused": row.refused,
        "enabled": row.enabled,
        "simulated": row.simulated,
    }


async def _free(view: Views, question: Question) -> Told:
    rows = await view.combos(question.caller, include_metrics=False)
    found: list[Json] = []
    for row in rows:
        combo = row.combo
        costs_nothing = _costs_nothing(view, combo)
        named = any(word in combo.name.lower() for word in ("free", "gratis"))
        may_ask = combo.active and name_allowed(question.caller.models, combo.name)
        if may_ask and (costs_nothing or named):
            found.append(
                {
                    "name": combo.name,
                    "id": combo.combo_id,
                    "strategy": combo.strategy,
                    "models": [one.target for one in combo.models],
                    "costsNothing": costs_nothing,
                }
            )
    data = {
        "queryType": "free_suggestion",
        "freeCombos": found[:ROWS_MAX],
        "leftOut": max(len(found) - ROWS_MAX, 0),
    }
    if not found:
        return Told(
            "No combo costs nothing: each has a model with a price, or one whose price is not "
            "known, and none is named free. Add a local server or a free model to a combo with "
            "`omniroute combos add`.",
            data,
        )
    sure = [str(one["name"]) for one in found if one["costsNothing"]]
    other = [str(one["name"]) for one in found if not one["costsNothing"]]
    told = [f"Combos that cost nothing: {listed(sure)}."] if sure else []
    if other:
        told.append(f"Named free, but with models that cost or may cost something: {listed(other)}")
    return Told(" ".join(told), data)


def _costs_nothing(view: Views, combo: Combo) -> bool | None:
    """Whether no model of a combo costs anything; None when a price is not known."""
    try:
        candidates = resolve(
            view.configs.current(), combo.name, facts=view.facts_in_force
        ).candidates
    except RoutingError:
        return None
    costs = [_costs(one) for one in candidates]
    if any(costs):
        return False
    return None if None in costs else True


def _costs(candidate: Candidate) -> bool | None:
    price = candidate.facts.price
    if candidate.local:
        return False
    return None if price is None else bool(price.input or price.output or price.unit)
