"""What `/api/keys` and `/api/budgets` speak, as management.py does for the rest.

A key's secret is in exactly one answer: that to its making, or to its rolling.
"""

from dataclasses import dataclass, field

from msgspec import UNSET, Struct, UnsetType

WARN_PERCENT = 80
"""How much of a budget is spent when its warnings begin, unless it says otherwise."""


@dataclass(frozen=True, slots=True)
class BudgetTerms:
    """What a budget allows.

    Attributes:
        cap_usd_nanos: what may be spent in a period.
        period: day or month, both in UTC, or total.
        warn_percent: from how much of it on answers carry a warning.
        allow_unpriced: models without a known price may be used; they count as nothing.
        action: when it cannot pay: block, degrade (from warn_percent on) or alert.
        tier: whom degrade keeps requests to: cheap or free models.
    """

    cap_usd_nanos: int
    period: str = "total"
    name: str = ""
    warn_percent: int = WARN_PERCENT
    allow_unpriced: bool = False
    action: str = "block"
    tier: str = "cheap"


@dataclass(frozen=True, slots=True)
class BudgetWish:
    """A budget to make, or to put in the place of the one there is for that period.

    Attributes:
        key_id: the key it is of, or local; empty with a combo.
        combo: the combo it is of, whoever asks for it.
        session: the session of the key that it is of, as its client names it.
    """

    terms: BudgetTerms
    key_id: str = ""
    combo: str = ""
    session: str = ""


@dataclass(frozen=True, slots=True)
class BudgetChange:
    """What can be changed of a budget: all but its period and whose it is."""

    terms: BudgetTerms


@dataclass(frozen=True, slots=True)
class BudgetJson:
    """A budget and how it stands now.

    Attributes:
        combo: what it is of instead of a key.
        session_id: the one session of its key that it is of.
        window_start_unix_s: when the current day or month began; 0 for the whole of time.
        held_usd_nanos: set aside for requests under way.
        leased_usd_nanos: set aside by processes of the gateway for their next requests; it is
            part of what is left, as any of them can call it back.
        over_usd_nanos: spent beyond the cap, as only an alert lets it be.
        state: ok, warning (past its threshold), degraded (the same, with that action),
            exhausted (nothing is left) or passed (more than the cap is spent).
    """

    budget_id: str
    key_id: str
    terms: BudgetTerms
    spent_usd_nanos: int
    held_usd_nanos: int
    leased_usd_nanos: int
    left_usd_nanos: int
    window_start_unix_s: int
    state: str
    over_usd_nanos: int = 0
    combo: str | None = None
    session_id: str | None = None


@dataclass(frozen=True, slots=True)
class BudgetsJson:
    """Every budget."""

    budgets: tuple[BudgetJson, ...]


@dataclass(frozen=True, slots=True)
class KeyJson:
    """A key of the gateway, without its secret.

    Attributes:
        models: what it may ask for; empty allows all.
        budget_ids: budgets that it is charged to beside its own, as the key that made it is.
        created_by: the key that made it; local or local-cli at the machine, start of the first.
        requests_per_minute, tokens_per_minute, concurrency_max: null bounds nothing.
        rolled_unix_s: when it last got a new secret; null when it has its first one.
        old_until_unix_s: until when the secret before that is good, too.
        keep_content: false stores nothing of what it asks; log_content: true keeps that, and
            what it is answered, in the call log.
    """

    key_id: str
    name: str
    scopes: tuple[str, ...]
    models: tuple[str, ...] = ()
    enabled: bool = True
    keep_content: bool = True
    log_content: bool = False
    created_unix_s: float = 0.0
    expires_unix_s: float | None = None
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    concurrency_max: int | None = None
    budget_ids: tuple[str, ...] = ()
    created_by: str = ""
    rolled_unix_s: float | None = None
    old_until_unix_s: float | None = None


@dataclass(frozen=True, slots=True)
class KeysJson:
    """Every key."""

    keys: tuple[KeyJson, ...]


@dataclass(frozen=True, slots=True)
class KeyWish:
    """A key to make, with a budget from its first request on where one is named.

    `scopes` are names, aliases or presets, as routing/access.py knows them; None leaves them to
    the gateway, and none at all makes a key that may do nothing. What is bounded is as in KeyJson.
    """

    name: str = ""
    scopes: tuple[str, ...] | None = None
    models: tuple[str, ...] = ()
    expires_unix_s: float | None = None
    keep_content: bool = True
    log_content: bool = False
    budget: BudgetTerms | None = None
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    concurrency_max: int | None = None


class KeyChange(Struct, frozen=True, forbid_unknown_fields=True):
    """What is to change of a key; what is left out stays. Null lifts a bound."""

    name: str | UnsetType = UNSET
    scopes: tuple[str, ...] | UnsetType = UNSET
    models: tuple[str, ...] | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET
    keep_content: bool | UnsetType = UNSET
    log_content: bool | UnsetType = UNSET
    expires_unix_s: float | UnsetType | None = UNSET
    requests_per_minute: int | UnsetType | None = UNSET
    tokens_per_minute: int | UnsetType | None = UNSET
    concurrency_max: int | UnsetType | None = UNSET


@dataclass(frozen=True, slots=True)
class RollWish:
    """How a key gets a new secret: for `overlap_s` seconds the one it has stays good."""

    overlap_s: float = 0.0


@dataclass(frozen=True, slots=True)
class NewKeyJson:
    """A key with a new secret; `secret` is what a client presents, shown this once."""

    key: KeyJson
    secret: str = field(repr=False)
