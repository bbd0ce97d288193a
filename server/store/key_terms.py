"""What a virtual key is as it is kept: its terms, and when it was made and rolled."""

from dataclasses import dataclass, field, replace

import msgspec

from omniroute.routing.access import expand_scopes
from omniroute.routing.errors import BadRequest
from omniroute.routing.rates import RATE_MAX, UNLIMITED, Rates

from .database import Row, Rows, Statement, Steps, Value

NAME_CHARACTERS_MAX = 200
MODELS_MAX = 1000
PATTERN_CHARACTERS_MAX = 256


@dataclass(frozen=True, slots=True)
class KeyTerms:
    """What a key may do, and for how long.

    Attributes:
        scopes: names, aliases or presets, see access.expand_scopes.
        models: allowed targets, `*` stands for any text; empty allows all.
        budget_ids: budgets that every request of the key is charged to, beside its own.
        expires_unix_s: from when on it is refused; None is never.
        keep_content: False keeps nothing of its prompts anywhere.
        log_content: True keeps what it asks and is answered in the call log.
    """

    name: str
    scopes: tuple[str, ...]
    models: tuple[str, ...] = ()
    budget_ids: tuple[str, ...] = ()
    expires_unix_s: float | None = None
    keep_content: bool = True
    log_content: bool = False
    enabled: bool = True
    rates: Rates = UNLIMITED


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A key as it is kept. Nothing here helps to use it.

    Attributes:
        rolled_unix_s: when it last got a new secret; None when it has its first one.
        old_until_unix_s: until when the secret before that is good, too; None when it is not.
    """

    key_id: str
    terms: KeyTerms
    created_unix_s: float
    created_by: str
    rolled_unix_s: float | None = None
    old_until_unix_s: float | None = None


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key with a new secret. `text` is what the client presents; it is nowhere else."""

    stored: StoredKey
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class KeyRows:
    """All keys as one transaction reads them.

    Attributes:
        owned: the budgets that each key owns, also of who has no key: the local user.
    """

    version: int
    rows: Rows
    owned: dict[str, tuple[str, ...]]


def checked_terms(
    terms: KeyTerms, *, now_unix_s: float, before: KeyTerms | None = None
) -> KeyTerms:
    """Give terms with their scopes expanded.

    Args:
        terms: as they are wished for.
        now_unix_s: a key that is made, or gets a new end, ends after it.
        before: what they replace.

    Raises:
        BadRequest: they are not valid.
    """
    if not 0 < len(terms.name) <= NAME_CHARACTERS_MAX or not terms.name.isprintable():
        raise BadRequest(
            f"a key's name has 1 to {NAME_CHARACTERS_MAX} printable characters", field="name"
        )
    ends = terms.expires_unix_s
    if ends is not None and ends != (before and before.expires_unix_s) and not ends > now_unix_s:
        raise BadRequest(
            "a key ends in the future: to end one now, revoke it or switch it off",
            field="expires_unix_s",
        )
    if terms.log_content and not terms.keep_content:
        raise BadRequest(
            "a key that keeps nothing of its prompts cannot have them in the call log: say one "
            "of keep_content and log_content",
            field="log_content",
        )
    for name, limit in terms.rates.limits():
        if limit is not None and not 0 < limit <= RATE_MAX:
            raise BadRequest(f"{name} is a number from 1 to {RATE_MAX}, or null", field=name)
    return replace(
        terms,
        scopes=tuple(sorted(expand_scopes(terms.scopes))),
        models=_patterns(terms.models),
        budget_ids=tuple(dict.fromkeys(terms.budget_ids)),
    )


def facts_of(terms: KeyTerms) -> dict[str, object]:
    """Give what the audit says of terms."""
    return {
        "name": terms.name,
        "scopes": terms.scopes,
        "models": terms.models,
        "budget_ids": terms.budget_ids,
        "expires_unix_s": terms.expires_unix_s,
        "enabled": terms.enabled,
        "keep_content": terms.keep_content,
        "log_content": terms.log_content,
        **{name: limit for name, limit in terms.rates.limits() if limit is not None},
    }


def values_of(terms: KeyTerms) -> tuple[Value, ...]:
    """Give terms as the columns of TERMS, in their order."""
    return (
        *(terms.name, _json(terms.scopes), _json(terms.models), _json(terms.budget_ids)),
        *(terms.keep_content, terms.enabled, terms.expires_unix_s),
        *(limit for _, limit in terms.rates.limits()),
        terms.log_content,
    )


def stored_key(row: Row) -> StoredKey:
    """Give a row as a value."""
    terms = KeyTerms(
        name=row["name"],
        scopes=_names(row["scopes"]),
        models=_names(row["models"]),
        budget_ids=_names(row["budget_ids"]),
        expires_unix_s=row["expires_unix_s"],
        keep_content=bool(row["keep_content"]),
        log_content=bool(row["log_content"]),
        enabled=bool(row["enabled"]),
        rates=Rates(row["requests_per_minute"], row["tokens_per_minute"], row["concurrency_max"]),
    )
    return StoredKey(
        row["key_id"],
        terms,
        float(row["created_unix_s"]),
        row["created_by"],
        row["rolled_unix_s"],
        row["old_until_unix_s"],
    )


def read_keys() -> Steps[KeyRows]:
    """Read all keys, the oldest first."""
    (version,) = yield Statement("SELECT version FROM config_version")
    rows = yield Statement(
        "SELECT key_id, name, digest, pepper_id, scopes, models, budget_ids, keep_content, "
        "log_content, enabled, expires_unix_s, requests_per_minute, tokens_per_minute, "
        "concurrency_max, created_unix_s, created_by, rolled_unix_s, old_digest, old_pepper_id, "
        "old_until_unix_s "
        "FROM keys ORDER BY created_unix_s, key_id"
    )
    owned: dict[str, tuple[str, ...]] = {}
    for row in (yield Statement(_OWNED)):
        owned[row["key_id"]] = (*owned.get(row["key_id"], ()), row["budget_id"])
    return KeyRows(int(version["version"]), rows, owned)


def _patterns(models: tuple[str, ...]) -> tuple[str, ...]:
    for one in models:
        if (
            not 0 < len(one) <= PATTERN_CHARACTERS_MAX
            or not one.isprintable()
            or one != one.strip()
        ):
            raise BadRequest(
                f"a model is a name or a pattern with *, of 1 to {PATTERN_CHARACTERS_MAX} "
                "printable characters",
                field="models",
            )
    if len(models) > MODELS_MAX:
        raise BadRequest(f"a key lists at most {MODELS_MAX} models", field="models")
    return tuple(dict.fromkeys(models))


def _names(text: str) -> tuple[str, ...]:
    return msgspec.json.decode(text, type=tuple[str, ...])


def _json(names: tuple[str, ...]) -> str:
    return msgspec.json.encode(names).decode()


FORGET = "DELETE FROM request_contents WHERE key_id = $1"
"""What was kept of a key's prompts goes with its wish to have it."""
_OWNED = (
    "SELECT key_id, budget_id FROM budgets WHERE combo IS NULL AND session_id IS NULL "
    "ORDER BY budget_id"
)
