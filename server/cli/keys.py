"""`omniroute keys`: the keys that clients present."""

import re
import time
from argparse import Namespace
from datetime import datetime, timedelta
from urllib.parse import quote

from ..management_keys import BudgetTerms, KeyJson, KeysJson, KeyWish, NewKeyJson
from ..settings import Settings, Sources
from .budgets import usd_nanos
from .client import call, decoded, with_gateway
from .exits import OK, USAGE, Stop
from .output import complain, listed, moment, show, show_json, table

DAYS_MAX = 36_500
_LENGTH = re.compile(r"([0-9]{1,6})\s*(h|d|w)")
_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}


def show_all(arguments: Namespace, settings: Settings, sources: Sources) -> int:
    """List the keys."""
    with with_gateway(settings, sources) as gateway:
        found = decoded(call(gateway, "GET", "/api/keys"), KeysJson)
    if arguments.json:
        show_json(found)
    elif found.keys:
        headings = ("ID", "NAME", "SCOPES", "MODELS", "CREATED", "EXPIRES", "STATE")
        now = time.time()
        show(table(headings, [_row(key, now) for key in found.keys]))
    else:
        show("There are no keys. `omniroute keys add` makes one.")
    return OK


def add(arguments: Namespace, settings: Settings, sources: Sources) -> int:
    """Make a key and print it this once."""
    budget = None
    if arguments.budget_usd is not None:
        cap = usd_nanos(arguments.budget_usd, option="--budget-usd")
        budget = BudgetTerms(cap_usd_nanos=cap, period=arguments.budget_period)
    wish = KeyWish(
        name=arguments.name,
        scopes=tuple(arguments.scope) or None,
        models=tuple(arguments.models),
        expires_unix_s=expiry(arguments.expires, datetime.now().astimezone()),
        keep_content=not arguments.no_log,
        budget=budget,
    )
    with with_gateway(settings, sources) as gateway:
        made = decoded(call(gateway, "POST", "/api/keys", wish), NewKeyJson)
    if arguments.json:
        show_json(made)
        return OK
    show(made.secret)
    complain(
        f"This is shown once and stored nowhere: keep it now. Its id is {made.key.key_id}, "
        f"its scopes are {listed(made.key.scopes)}"
        + (
            "."
            if made.key.expires_unix_s is None
            else f", it expires on {moment(made.key.expires_unix_s)}."
        )
    )
    return OK


def remove(arguments: Namespace, settings: Settings, sources: Sources) -> int:
    """Revoke a key."""
    with with_gateway(settings, sources) as gateway:
        call(gateway, "DELETE", f"/api/keys/{quote(arguments.id, safe='')}")
    show(f"Revoked {arguments.id}.")
    return OK


def expiry(text: str | None, now: datetime) -> float | None:
    """Give the moment that `--expires` means, in seconds since 1970; None for never.

    Args:
        text: `12h`, `90d`, `4w`, or a day or moment such as 2027-01-31 in the zone of `now`.
        now: aware.

    Raises:
        Stop: it is none of these, or in the past.
    """
    if text is None:
        return None
    length = _LENGTH.fullmatch(text.strip().lower())
    try:
        if length:
            moment_meant = now + min(int(length[1]) * _UNITS[length[2]], timedelta(days=DAYS_MAX))
        else:
            moment_meant = datetime.fromisoformat(text.strip())
    except (ValueError, OverflowError):
        raise Stop(
            f"--expires {text!r} is no time: give such as 12h, 90d or 2027-01-31", USAGE
        ) from None
    if moment_meant.tzinfo is None:
        moment_meant = moment_meant.replace(tzinfo=now.tzinfo)
    if moment_meant <= now:
        raise Stop(f"--expires {text!r} is in the past", USAGE)
    return moment_meant.timestamp()


def _row(key: KeyJson, now: float) -> tuple[str, ...]:
    expired = key.expires_unix_s is not None and key.expires_unix_s <= now
    state = "revoked" if not key.enabled else "expired" if expired else "valid"
    return (
        key.key_id,
        key.name,
        listed(key.scopes),
        listed(key.models, empty="all"),
        moment(key.created_unix_s),
        moment(key.expires_unix_s, empty="never"),
        state if key.keep_content else f"{state}, no log",
    )
