"""`omniroute keys`: the keys that clients present."""

import re
import time
from argparse import Namespace
from datetime import datetime, timedelta
from urllib.parse import quote

from ..management_keys import (
    BudgetTerms,
    KeyChange,
    KeyJson,
    KeysJson,
    KeyWish,
    NewKeyJson,
    RollWish,
)
from ..settings import Settings, Sources
from .budgets import usd_nanos
from .client import call, decoded, with_gateway
from .exits import OK, USAGE, Stop
from .output import complain, fields, listed, moment, show, show_json, table

DAYS_MAX = 36_500
DIGITS_MAX = 10
NEVER, NONE, EVERY = "never", "none", "all"
_LENGTH = re.compile(r"([0-9]{1,6})\s*(m|h|d|w)")
_UNITS = {
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}


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


def show_one(arguments: Namespace, settings: Settings, sources: Sources) -> int:
    """Show one key."""
    with with_gateway(settings, sources) as gateway:
        found = decoded(call(gateway, "GET", _path(arguments)), KeyJson)
    if arguments.json:
        show_json(found)
    else:
        show(_page(found))
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
        log_content=arguments.log_content,
        budget=budget,
        requests_per_minute=bound(arguments.requests_per_minute, "--requests-per-minute"),
        tokens_per_minute=bound(arguments.tokens_per_minute, "--tokens-per-minute"),
        concurrency_max=bound(arguments.concurrency, "--concurrency"),
    )
    with with_gateway(settings, sources) as gateway:
        made = decoded(call(gateway, "POST", "/api/keys", wish), NewKeyJson)
    return _shown(made, arguments)


def change(arguments: Namespace, settings: Settings, sources: Sources) -> int:
    """Change a key."""
    wish = _wished(arguments)
    with with_gateway(settings, sources) as gateway:
        changed = decoded(call(gateway, "PATCH", _path(arguments), wish), KeyJson)
    if arguments.json:
        show_json(changed)
    else:
        show(_page(changed))
    return OK


def roll(arguments: Namespace, settings: Settings, sources: Sources) -> int:
    """Give a key a new secret and print it this once."""
    wish = RollWish(0.0 if arguments.overlap is None else length_s(arguments.overlap, "--overlap"))
    with with_gateway(settings, sources) as gateway:
        rolled = decoded(call(gateway, "POST", f"{_path(arguments)}/roll", wish), NewKeyJson)
    return _shown(rolled, arguments)


def revoke(arguments: Namespace, settings: Settings, sources: Sources) -> int:
    """Revoke a key."""
    with with_gateway(settings, sources) as gateway:
        call(gateway, "DELETE", _path(arguments))
    show(f"Revoked {arguments.id}.")
    return OK


def bound(text: str | None, option: str) -> int | None:
    """Give the number of an option that bounds something, None without it.

    Raises:
        Stop: it is none.
    """
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= DIGITS_MAX and int(text)):
        raise Stop(f"{option} is a whole number from 1 on, not {text!r}", USAGE)
    return int(text)


def length_s(text: str, option: str) -> float:
    """Give the seconds of a length of time such as 30m, 12h, 90d or 4w.

    Raises:
        Stop: it is none.
    """
    found = _LENGTH.fullmatch(text.strip().lower())
    if found is None:
        raise Stop(f"{option} {text!r} is no length of time: give such as 30m, 12h or 7d", USAGE)
    return (int(found[1]) * _UNITS[found[2]]).total_seconds()


def expiry(text: str | None, now: datetime) -> float | None:
    """Give the moment that `--expires` means, in seconds since 1970; None for never.

    Args:
        text: `30m`, `12h`, `90d`, `4w`, or a day or moment such as 2027-01-31 in the zone of `now`.
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


def _shown(made: NewKeyJson, arguments: Namespace) -> int:
    """Print a new secret, and beside it what is to be known of it."""
    if arguments.json:
        show_json(made)
        return OK
    show(made.secret)
    key = made.key
    ends = "" if key.expires_unix_s is None else f", it expires on {moment(key.expires_unix_s)}"
    until = key.old_until_unix_s
    old = "" if until is None else f" The secret before it is good until {moment(until)}."
    complain(
        f"This is shown once and stored nowhere: keep it now. Its id is {key.key_id}, "
        f"its scopes are {listed(key.scopes)}{ends}.{old}"
    )
    return OK


def _wished(arguments: Namespace) -> KeyChange:
    """Give what is to change.

    Raises:
        Stop: nothing is, or an option is wrong or against another one.
    """
    wished: dict[str, object] = {}
    if arguments.name is not None:
        wished["name"] = arguments.name
    if arguments.scope:
        wished["scopes"] = tuple(arguments.scope)
    if arguments.models:
        wished["models"] = () if arguments.models == [EVERY] else tuple(arguments.models)
    if arguments.expires is not None:
        never = arguments.expires == NEVER
        now = datetime.now().astimezone()
        wished["expires_unix_s"] = None if never else expiry(arguments.expires, now)
    wished |= _bounds(arguments) | _switches(arguments)
    if not wished:
        raise Stop("nothing is to change: name what, such as --requests-per-minute 20", USAGE)
    return KeyChange(**wished)  # type: ignore[arg-type]


def _bounds(arguments: Namespace) -> dict[str, object]:
    options = (
        ("requests_per_minute", arguments.requests_per_minute, "--requests-per-minute"),
        ("tokens_per_minute", arguments.tokens_per_minute, "--tokens-per-minute"),
        ("concurrency_max", arguments.concurrency, "--concurrency"),
    )
    return {
        name: None if text == NONE else bound(text, option)
        for name, text, option in options
        if text is not None
    }


def _switches(arguments: Namespace) -> dict[str, object]:
    options = (
        ("keep_content", arguments.log, arguments.no_log),
        ("log_content", arguments.log_content, arguments.forget_content),
        ("enabled", arguments.enable, arguments.disable),
    )
    for name, on, off in options:
        if on and off:
            raise Stop(f"{name} cannot be switched on and off at once", USAGE)
    return {name: on for name, on, off in options if on or off}


def _path(arguments: Namespace) -> str:
    return f"/api/keys/{quote(arguments.id, safe='')}"


def _page(key: KeyJson) -> str:
    return fields(
        (
            ("id", key.key_id),
            ("name", key.name),
            ("state", _state(key, time.time())),
            ("scopes", listed(key.scopes)),
            ("models", listed(key.models, empty="all")),
            ("requests a minute", _number(key.requests_per_minute)),
            ("tokens a minute", _number(key.tokens_per_minute)),
            ("at the same time", _number(key.concurrency_max)),
            ("also charged to", listed(key.budget_ids)),
            ("made", f"{moment(key.created_unix_s)} by {key.created_by}"),
            ("rolled", moment(key.rolled_unix_s, empty="never")),
            ("old secret until", moment(key.old_until_unix_s)),
            ("expires", moment(key.expires_unix_s, empty="never")),
        )
    )


def _number(bound: int | None) -> str:
    return "any" if bound is None else str(bound)


def _state(key: KeyJson, now: float) -> str:
    expired = key.expires_unix_s is not None and key.expires_unix_s <= now
    state = "disabled" if not key.enabled else "expired" if expired else "valid"
    if not key.keep_content:
        return f"{state}, no log"
    return f"{state}, logs content" if key.log_content else state


def _row(key: KeyJson, now: float) -> tuple[str, ...]:
    return (
        key.key_id,
        key.name,
        listed(key.scopes),
        listed(key.models, empty="all"),
        moment(key.created_unix_s),
        moment(key.expires_unix_s, empty="never"),
        _state(key, now),
    )
