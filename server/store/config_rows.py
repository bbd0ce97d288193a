"""The rows of the configuration, as values."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from omniroute.routing.errors import BadRequest
from omniroute.routing.health.profiles import BALANCED, profile_named
from omniroute.routing.model import Account, Combo
from omniroute.routing.preference import ProfileName

from .database import Row, Rows, Statement, Steps
from .proxies import ALL_PROXIES
from .ring_standing import ALL_RING_KEYS
from .vault import SecretLost, Vault

ACCOUNTS = "accounts"
RESILIENCE = "resilience"
"""The setting that names the resilience profile."""

ALL_ACCOUNTS = Statement(
    "SELECT account_id, provider, name, dialect, base_url, secret, models, enabled, simulated, "
    "local FROM accounts ORDER BY created_unix_s, account_id"
)
ALL_COMBOS = Statement(
    "SELECT combo_id, name, models, strategy, active, attempts_max, first_byte_s, total_s, "
    "description, retries, retry_delay_s, concurrency_per_model, queue_s, preference, session_s, "
    "hedge_percentile FROM combos ORDER BY created_unix_s, combo_id"
)


class _Secret(msgspec.Struct):
    """What is sealed of an account: its credential, and how a server is reached with it."""

    credential: str | None
    headers: tuple[tuple[str, str], ...]
    proxy: str | None = None
    http2: bool = False


@dataclass(frozen=True, slots=True)
class StoredConfig:
    """All rows of the configuration, at one version."""

    version: int
    accounts: Rows
    combos: Rows
    aliases: Rows
    settings: Rows
    ring_keys: Rows
    proxies: Rows


def read_all() -> Steps[StoredConfig]:
    """Read every row of the configuration."""
    (version,) = yield Statement("SELECT version FROM config_version")
    return StoredConfig(
        version=int(version["version"]),
        accounts=(yield ALL_ACCOUNTS),
        combos=(yield ALL_COMBOS),
        aliases=(yield Statement("SELECT name, target FROM aliases ORDER BY name")),
        settings=(yield Statement("SELECT name, value FROM settings")),
        ring_keys=(yield ALL_RING_KEYS),
        proxies=(yield ALL_PROXIES),
    )


def sealed_secret(account: Account, vault: Vault) -> bytes:
    """Give the envelope of an account's credential, headers and way."""
    secret = msgspec.json.encode(
        _Secret(account.credential, account.headers, account.proxy, account.http2)
    )
    return vault.seal(secret, table=ACCOUNTS, row_id=account.account_id)


def accounts_of(rows: Rows, vault: Vault, problems: list[str]) -> tuple[Account, ...]:
    """Give the accounts; one whose secret is lost is there, but not enabled.

    Args:
        rows: as ALL_ACCOUNTS reads them.
        vault: opens their secrets.
        problems: gets what is wrong with those that cannot be used.
    """
    found: list[Account] = []
    for row in rows:
        secret, enabled = _Secret(None, ()), bool(row["enabled"])
        try:
            if row["secret"] is not None:
                place = {"table": ACCOUNTS, "row_id": str(row["account_id"])}
                plain = vault.open(bytes(row["secret"]), **place)
                secret = msgspec.json.decode(plain, type=_Secret)
        except SecretLost as error:
            problems.append(str(error))
            enabled = False
        try:
            found.append(_account(row, secret, enabled=enabled))
        except (msgspec.ValidationError, msgspec.DecodeError) as error:
            problems.append(f"account {row['account_id']!r} cannot be used: {error}")
    return tuple(found)


def combos_of(rows: Rows, problems: list[str]) -> tuple[Combo, ...]:
    """Give the combos; what is wrong with those that cannot be used goes to `problems`."""
    found: list[Combo] = []
    for row in rows:
        try:
            found.append(_combo(row))
        except (msgspec.ValidationError, msgspec.DecodeError) as error:
            problems.append(f"combo {row['name']!r} cannot be used: {error}")
    return tuple(found)


def resilience_of(value: object, problems: list[str]) -> ProfileName:
    """Give the profile that the setting names, balanced where it was never set."""
    if value is None:
        return BALANCED.name
    try:
        return profile_named(str(value)).name
    except BadRequest as error:
        problems.append(f"the setting {RESILIENCE!r} cannot be used: {error}")
        return BALANCED.name


def combo_row(combo: Combo, now: float, actor: str) -> Statement:
    """Give what stores a combo, in the place of the one of its id."""
    preference = None if combo.preference is None else msgspec.json.encode(combo.preference)
    return Statement(
        "INSERT INTO combos (combo_id, name, models, strategy, active, attempts_max, "
        "first_byte_s, total_s, description, created_unix_s, changed_unix_s, changed_by, "
        "retries, retry_delay_s, concurrency_per_model, queue_s, preference, session_s, "
        "hedge_percentile) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10, $11, $12, $13, $14, $15, "
        "$16, $17, $18) "
        "ON CONFLICT (combo_id) DO UPDATE SET name = excluded.name, "
        "models = excluded.models, strategy = excluded.strategy, "
        "active = excluded.active, attempts_max = excluded.attempts_max, "
        "first_byte_s = excluded.first_byte_s, total_s = excluded.total_s, "
        "description = excluded.description, retries = excluded.retries, "
        "retry_delay_s = excluded.retry_delay_s, "
        "concurrency_per_model = excluded.concurrency_per_model, "
        "queue_s = excluded.queue_s, preference = excluded.preference, "
        "session_s = excluded.session_s, "
        "hedge_percentile = excluded.hedge_percentile, "
        "changed_unix_s = excluded.changed_unix_s, changed_by = excluded.changed_by",
        (
            *(combo.combo_id, combo.name, msgspec.json.encode(combo.models).decode()),
            *(combo.strategy, combo.active, combo.attempts_max, combo.first_byte_s),
            *(combo.total_s, combo.description, now, actor, combo.retries),
            *(combo.retry_delay_s, combo.concurrency_per_model, combo.queue_s),
            preference if preference is None else preference.decode(),
            *(combo.session_s, combo.hedge_percentile),
        ),
    )


def other_combos(rows: Rows, combo_id: str) -> Sequence[Combo]:
    """Give the combos but one."""
    return combos_of([row for row in rows if row["combo_id"] != combo_id], [])


def _account(row: Row, secret: _Secret, *, enabled: bool) -> Account:
    return msgspec.convert(
        {
            "account_id": row["account_id"],
            "provider": row["provider"],
            "dialect": row["dialect"],
            "base_url": row["base_url"],
            "credential": secret.credential,
            "headers": secret.headers,
            "proxy": secret.proxy,
            "http2": secret.http2,
            "models": msgspec.json.decode(row["models"]),
            "enabled": enabled,
            "simulated": bool(row["simulated"]),
            "local": bool(row["local"]),
            "name": row["name"],
        },
        Account,
    )


def _combo(row: Row) -> Combo:
    return msgspec.convert(
        {
            "combo_id": row["combo_id"],
            "name": row["name"],
            "models": msgspec.json.decode(row["models"]),
            "strategy": row["strategy"],
            "active": bool(row["active"]),
            "attempts_max": row["attempts_max"],
            "first_byte_s": row["first_byte_s"],
            "total_s": row["total_s"],
            "description": row["description"],
            "retries": row["retries"],
            "retry_delay_s": row["retry_delay_s"],
            "concurrency_per_model": row["concurrency_per_model"],
            "queue_s": row["queue_s"],
            "hedge_percentile": row["hedge_percentile"],
            "preference": row["preference"] and msgspec.json.decode(row["preference"]),
            "session_s": row["session_s"],
        },
        Combo,
    )
