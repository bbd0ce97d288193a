"""The tables, declared once. `migrations/` makes them; a test holds the two equal.

What runs uses plain SQL (see database.py) and never imports this module: SQLModel and
SQLAlchemy would cost every start 0.3 s. It is for migrations, and for reading by people.

Money is integer nano-dollars, times are seconds since 1970 unless a column says otherwise, lists
and payloads are JSON text. `key_id` is the owner: whose request, budget or task a row is.
"""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Double,
    Index,
    LargeBinary,
    PrimaryKeyConstraint,
    Text,
    false,
    text,
)
from sqlmodel import Field

from .table import Table


class AccountRow(Table, table=True):
    """One credential at one provider. `secret` is a sealed envelope, see vault.py."""

    __tablename__ = "accounts"

    account_id: str = Field(primary_key=True, sa_type=Text)
    provider: str = Field(sa_type=Text)
    name: str = Field(sa_type=Text)
    dialect: str = Field(sa_type=Text)
    base_url: str = Field(sa_type=Text)
    secret: bytes | None = Field(sa_type=LargeBinary)
    models: str = Field(sa_type=Text)
    enabled: bool
    simulated: bool
    local: bool
    created_unix_s: float = Field(sa_type=Double)
    changed_unix_s: float = Field(sa_type=Double)
    changed_by: str = Field(sa_type=Text)


class KeyRow(Table, table=True):
    """A virtual key: its public id and a MAC of the rest, never the key itself.

    `old_digest` is of the secret that it had before it was rolled, while that is still good.
    """

    __tablename__ = "keys"

    key_id: str = Field(primary_key=True, sa_type=Text)
    name: str = Field(sa_type=Text)
    digest: bytes = Field(sa_type=LargeBinary)
    pepper_id: str = Field(sa_type=Text)
    scopes: str = Field(sa_type=Text)
    models: str = Field(sa_type=Text)
    budget_ids: str = Field(sa_type=Text)
    keep_content: bool
    enabled: bool
    expires_unix_s: float | None = Field(sa_type=Double)
    created_unix_s: float = Field(sa_type=Double)
    created_by: str = Field(sa_type=Text)
    requests_per_minute: int | None = Field(sa_type=BigInteger)
    tokens_per_minute: int | None = Field(sa_type=BigInteger)
    concurrency_max: int | None = Field(sa_type=BigInteger)
    rolled_unix_s: float | None = Field(sa_type=Double)
    old_digest: bytes | None = Field(sa_type=LargeBinary)
    old_pepper_id: str | None = Field(sa_type=Text)
    old_until_unix_s: float | None = Field(sa_type=Double)
    log_content: bool = Field(sa_column_kwargs={"server_default": false()})


class ComboRow(Table, table=True):
    """A named, ordered list of models. `models` is a list of {target, weight}."""

    __tablename__ = "combos"

    combo_id: str = Field(primary_key=True, sa_type=Text)
    name: str = Field(sa_type=Text, unique=True)
    models: str = Field(sa_type=Text)
    strategy: str = Field(sa_type=Text)
    active: bool
    attempts_max: int | None = Field(sa_type=BigInteger)
    first_byte_s: float | None = Field(sa_type=Double)
    total_s: float | None = Field(sa_type=Double)
    description: str = Field(sa_type=Text)
    created_unix_s: float = Field(sa_type=Double)
    changed_unix_s: float = Field(sa_type=Double)
    changed_by: str = Field(sa_type=Text)
    retries: int | None = Field(sa_type=BigInteger)
    retry_delay_s: float | None = Field(sa_type=Double)
    concurrency_per_model: int | None = Field(sa_type=BigInteger)
    queue_s: float | None = Field(sa_type=Double)
    hedge_percentile: int | None = Field(sa_type=BigInteger)
    preference: str | None = Field(sa_type=Text)
    session_s: float | None = Field(sa_type=Double)


class ComboCountRow(Table, table=True):
    """One counter of a combo: calls of a candidate, or with both names empty its turns.

    `good_unix_s` is when the candidate last answered; 0 that it failed since, or never did.
    """

    __tablename__ = "combo_counts"
    __table_args__ = (PrimaryKeyConstraint("combo", "account_id", "model"),)

    combo: str = Field(sa_type=Text)
    account_id: str = Field(sa_type=Text)
    model: str = Field(sa_type=Text)
    number: int = Field(sa_type=BigInteger)
    good_unix_s: float = Field(sa_type=Double)
    changed_unix_s: float = Field(sa_type=Double)


class AliasRow(Table, table=True):
    """Another name for a target."""

    __tablename__ = "aliases"

    name: str = Field(primary_key=True, sa_type=Text)
    target: str = Field(sa_type=Text)
    changed_unix_s: float = Field(sa_type=Double)
    changed_by: str = Field(sa_type=Text)


class SettingRow(Table, table=True):
    """One setting of the gateway; `value` is JSON."""

    __tablename__ = "settings"

    name: str = Field(primary_key=True, sa_type=Text)
    value: str = Field(sa_type=Text)
    changed_unix_s: float = Field(sa_type=Double)
    changed_by: str = Field(sa_type=Text)


class ConfigVersionRow(Table, table=True):
    """The one row whose number rises with every change of the configuration or a key."""

    __tablename__ = "config_version"
    __table_args__ = (CheckConstraint("only_row = 1", name="only_row"),)

    only_row: int = Field(primary_key=True, sa_type=BigInteger)
    version: int = Field(sa_type=BigInteger)


class BootRow(Table, table=True):
    """One run of one process. Holds and hash chains name the boot they belong to.

    `gateway` is the same for all workers of one gateway, and null of who only runs a command.
    """

    __tablename__ = "boots"

    boot_id: str = Field(primary_key=True, sa_type=Text)
    machine: str = Field(sa_type=Text)
    process_id: int = Field(sa_type=BigInteger)
    process: str = Field(sa_type=Text)
    version: str = Field(sa_type=Text)
    started_unix_s: float = Field(sa_type=Double)
    seen_unix_s: float = Field(sa_type=Double)
    ended_unix_s: float | None = Field(sa_type=Double)
    gateway: str | None = Field(sa_type=Text)


class OutcomeRow(Table, table=True):
    """One request, whole: who asked for what, who answered, how long it took, what it cost.

    `request` is set only when no decision was made; else the decision's record has it. `tried` is
    a list of its attempts, of which `attempts` is the number; their times are of the engine's
    monotonic clock, good for differences. `written_seq` rises with each row that the boot
    `written_by` commits: who has seen one of them misses none that comes later.
    """

    __tablename__ = "outcomes"
    __table_args__ = (
        Index("ix_outcomes_at_unix_s", "at_unix_s"),
        Index("ix_outcomes_key_id_at_unix_s", "key_id", "at_unix_s"),
        Index("ix_outcomes_written_by_written_seq", "written_by", "written_seq"),
        Index(
            "ix_outcomes_repriced",
            *("at_unix_s", "repriced_usd_nanos"),
            sqlite_where=text("repriced_usd_nanos IS NOT NULL"),
            postgresql_where=text("repriced_usd_nanos IS NOT NULL"),
        ),
    )

    request_id: str = Field(primary_key=True, sa_type=Text)
    key_id: str = Field(sa_type=Text)
    door: str = Field(sa_type=Text)
    at_unix_s: float = Field(sa_type=Double)
    client_request_id: str | None = Field(sa_type=Text)
    session_id: str | None = Field(sa_type=Text)
    kind: str = Field(sa_type=Text)
    target: str = Field(sa_type=Text)
    combo: str | None = Field(sa_type=Text)
    stream: bool
    status: str = Field(sa_type=Text)
    error: str | None = Field(sa_type=Text)
    error_detail: str = Field(sa_type=Text)
    finish: str | None = Field(sa_type=Text)
    provider: str | None = Field(sa_type=Text)
    account_id: str | None = Field(sa_type=Text)
    model: str | None = Field(sa_type=Text)
    model_served: str | None = Field(sa_type=Text)
    simulated: bool
    attempts: int = Field(sa_type=BigInteger)
    first_content_s: float | None = Field(sa_type=Double)
    total_s: float = Field(sa_type=Double)
    input_tokens: int = Field(sa_type=BigInteger)
    output_tokens: int = Field(sa_type=BigInteger)
    cached_input_tokens: int = Field(sa_type=BigInteger)
    cache_write_tokens: int = Field(sa_type=BigInteger)
    reasoning_tokens: int = Field(sa_type=BigInteger)
    usage_source: str = Field(sa_type=Text)
    cost_usd_nanos: int | None = Field(sa_type=BigInteger)
    reserved_usd_nanos: int = Field(sa_type=BigInteger)
    output_tokens_clamp: int | None = Field(sa_type=BigInteger)
    config_version: int | None = Field(sa_type=BigInteger)
    request: str | None = Field(sa_type=Text)
    tried: str = Field(sa_type=Text, sa_column_kwargs={"server_default": text("'[]'")})
    units: int | None = Field(sa_type=BigInteger)
    repriced_usd_nanos: int | None = Field(sa_type=BigInteger)
    written_by: str | None = Field(sa_type=Text)
    written_seq: int | None = Field(sa_type=BigInteger)


class SnapshotRow(Table, table=True):
    """What a decision knew. Content-addressed, so stored once for many decisions."""

    __tablename__ = "snapshots"

    snapshot_id: str = Field(primary_key=True, sa_type=Text)
    body: bytes = Field(sa_type=LargeBinary)


class DecisionRow(Table, table=True):
    """A decision as it was made, chained to the one its writer stored before."""

    __tablename__ = "decisions"
    __table_args__ = (
        Index("ix_decisions_chain_id_seq", "chain_id", "seq", unique=True),
        Index("ix_decisions_snapshot_id", "snapshot_id"),
    )

    request_id: str = Field(primary_key=True, sa_type=Text)
    key_id: str = Field(sa_type=Text)
    snapshot_id: str = Field(sa_type=Text, foreign_key="snapshots.snapshot_id")
    record: bytes = Field(sa_type=LargeBinary)
    chain_id: str = Field(sa_type=Text)
    seq: int = Field(sa_type=BigInteger)
    mac: bytes = Field(sa_type=LargeBinary)


class AuditRow(Table, table=True):
    """A change somebody made, chained to the one its writer stored before."""

    __tablename__ = "audit"
    __table_args__ = (
        PrimaryKeyConstraint("chain_id", "seq"),
        Index("ix_audit_at_unix_s", "at_unix_s"),
    )

    chain_id: str = Field(sa_type=Text)
    seq: int = Field(sa_type=BigInteger)
    at_unix_s: float = Field(sa_type=Double)
    actor: str = Field(sa_type=Text)
    action: str = Field(sa_type=Text)
    target: str = Field(sa_type=Text)
    detail: str = Field(sa_type=Text)
    mac: bytes = Field(sa_type=LargeBinary)


class ChainRow(Table, table=True):
    """The end of a hash chain, signed: rows cut off at the end are missed too.

    `kind` is the table of the chain's rows: decisions, audit or mcp_tool_audit.
    """

    __tablename__ = "chains"
    __table_args__ = (PrimaryKeyConstraint("chain_id", "kind"),)

    chain_id: str = Field(sa_type=Text)
    kind: str = Field(sa_type=Text)
    mac_key_id: str = Field(sa_type=Text)
    seq: int = Field(sa_type=BigInteger)
    mac: bytes = Field(sa_type=LargeBinary)
    signature: bytes = Field(sa_type=LargeBinary)


class TaskRow(Table, table=True):
    """One A2A task. `events` counts its log; `payload` is JSON that only the agent reads.

    `boot_id` is the run of a process that works on it, null when none does. `attempt` counts
    those that did: what an earlier one still writes is not taken.
    """

    __tablename__ = "tasks"
    __table_args__ = (
        Index("ix_tasks_expires_unix_s", "expires_unix_s"),
        Index("ix_tasks_boot_id", "boot_id"),
        Index("ix_tasks_key_id_updated_unix_s", "key_id", "updated_unix_s"),
        Index("ix_tasks_key_id_context_id", "key_id", "context_id"),
    )

    task_id: str = Field(primary_key=True, sa_type=Text)
    key_id: str = Field(sa_type=Text)
    context_id: str = Field(sa_type=Text)
    skill: str = Field(sa_type=Text)
    state: str = Field(sa_type=Text)
    created_unix_s: float = Field(sa_type=Double)
    updated_unix_s: float = Field(sa_type=Double)
    expires_unix_s: float = Field(sa_type=Double)
    payload: str = Field(sa_type=Text)
    events: int = Field(sa_type=BigInteger)
    boot_id: str | None = Field(sa_type=Text)
    attempt: int = Field(sa_type=BigInteger, sa_column_kwargs={"server_default": text("1")})
    subscriptions: int = Field(sa_type=BigInteger, sa_column_kwargs={"server_default": text("0")})


class TaskEventRow(Table, table=True):
    """One entry of a task's log."""

    __tablename__ = "task_events"
    __table_args__ = (PrimaryKeyConstraint("task_id", "seq"),)

    task_id: str = Field(sa_type=Text, foreign_key="tasks.task_id", ondelete="CASCADE")
    seq: int = Field(sa_type=BigInteger)
    payload: str = Field(sa_type=Text)
