"""The first tables.

What they are for is said in tables.py. A migration is never changed after its release, so it
repeats what it makes instead of importing it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make every table, and the one row that counts versions of the configuration."""
    _make_secrets()
    _make_configuration()
    _make_outcomes()
    _make_records()
    _make_audits()
    _make_money()
    _make_tasks()
    op.execute("INSERT INTO config_version (only_row, version) VALUES (1, 1)")


def _text(name: str, *, null: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=null)


def _integer(name: str, *, null: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=null)


def _seconds(name: str, *, null: bool = False) -> sa.Column[float]:
    return sa.Column(name, sa.Double(), nullable=null)


def _bytes(name: str, *, null: bool = False) -> sa.Column[bytes]:
    return sa.Column(name, sa.LargeBinary(), nullable=null)


def _yes_no(name: str) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean(), nullable=False)


def _check(rule: str, name: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(rule, name=op.f(name))


def _make_secrets() -> None:
    op.create_table(
        "accounts",
        _text("account_id"),
        _text("provider"),
        _text("name"),
        _text("dialect"),
        _text("base_url"),
        _bytes("secret", null=True),
        _text("models"),
        _yes_no("enabled"),
        _yes_no("simulated"),
        _yes_no("local"),
        _seconds("created_unix_s"),
        _seconds("changed_unix_s"),
        _text("changed_by"),
        sa.PrimaryKeyConstraint("account_id", name="pk_accounts"),
    )
    op.create_table(
        "keys",
        _text("key_id"),
        _text("name"),
        _bytes("digest"),
        _text("pepper_id"),
        _text("scopes"),
        _text("models"),
        _text("budget_ids"),
        _yes_no("keep_content"),
        _yes_no("enabled"),
        _seconds("expires_unix_s", null=True),
        _seconds("created_unix_s"),
        _text("created_by"),
        sa.PrimaryKeyConstraint("key_id", name="pk_keys"),
    )


def _make_configuration() -> None:
    op.create_table(
        "combos",
        _text("combo_id"),
        _text("name"),
        _text("models"),
        _text("strategy"),
        _yes_no("active"),
        _integer("attempts_max", null=True),
        _seconds("first_byte_s", null=True),
        _seconds("total_s", null=True),
        _text("description"),
        _seconds("created_unix_s"),
        _seconds("changed_unix_s"),
        _text("changed_by"),
        sa.PrimaryKeyConstraint("combo_id", name="pk_combos"),
        sa.UniqueConstraint("name", name="uq_combos_name"),
    )
    op.create_table(
        "aliases",
        _text("name"),
        _text("target"),
        _seconds("changed_unix_s"),
        _text("changed_by"),
        sa.PrimaryKeyConstraint("name", name="pk_aliases"),
    )
    op.create_table(
        "settings",
        _text("name"),
        _text("value"),
        _seconds("changed_unix_s"),
        _text("changed_by"),
        sa.PrimaryKeyConstraint("name", name="pk_settings"),
    )
    op.create_table(
        "config_version",
        _integer("only_row"),
        _integer("version"),
        sa.PrimaryKeyConstraint("only_row", name="pk_config_version"),
        _check("only_row = 1", "ck_config_version_only_row"),
    )
    op.create_table(
        "boots",
        _text("boot_id"),
        _text("machine"),
        _integer("process_id"),
        _text("process"),
        _text("version"),
        _seconds("started_unix_s"),
        _seconds("seen_unix_s"),
        _seconds("ended_unix_s", null=True),
        sa.PrimaryKeyConstraint("boot_id", name="pk_boots"),
    )


def _make_outcomes() -> None:
    op.create_table(
        "outcomes",
        _text("request_id"),
        _text("key_id"),
        _text("door"),
        _seconds("at_unix_s"),
        _text("client_request_id", null=True),
        _text("session_id", null=True),
        _text("kind"),
        _text("target"),
        _text("combo", null=True),
        _yes_no("stream"),
        _text("status"),
        _text("error", null=True),
        _text("error_detail"),
        _text("finish", null=True),
        _text("provider", null=True),
        _text("account_id", null=True),
        _text("model", null=True),
        _text("model_served", null=True),
        _yes_no("simulated"),
        _integer("attempts"),
        _seconds("first_content_s", null=True),
        _seconds("total_s"),
        _integer("input_tokens"),
        _integer("output_tokens"),
        _integer("cached_input_tokens"),
        _integer("cache_write_tokens"),
        _integer("reasoning_tokens"),
        _text("usage_source"),
        _integer("cost_usd_nanos", null=True),
        _integer("reserved_usd_nanos"),
        _text("decision_id", null=True),
        _integer("config_version", null=True),
        _text("request", null=True),
        sa.PrimaryKeyConstraint("request_id", name="pk_outcomes"),
    )
    op.create_index("ix_outcomes_at_unix_s", "outcomes", ["at_unix_s"])
    op.create_index("ix_outcomes_key_id_at_unix_s", "outcomes", ["key_id", "at_unix_s"])
    op.create_index("ix_outcomes_session_id", "outcomes", ["session_id"])


def _make_records() -> None:
    op.create_table(
        "attempts",
        _text("request_id"),
        _integer("number"),
        _text("key_id"),
        _text("provider"),
        _text("account_id"),
        _text("model"),
        _text("dialect"),
        _seconds("started_s"),
        _seconds("ended_s"),
        _seconds("first_byte_s", null=True),
        _text("failure", null=True),
        _text("detail"),
        _integer("provider_status", null=True),
        _text("model_served", null=True),
        sa.PrimaryKeyConstraint("request_id", "number", name="pk_attempts"),
        sa.ForeignKeyConstraint(
            ["request_id"],
            ["outcomes.request_id"],
            name="fk_attempts_request_id",
            ondelete="CASCADE",
        ),
    )
    op.create_table(
        "snapshots",
        _text("snapshot_id"),
        _bytes("body"),
        sa.PrimaryKeyConstraint("snapshot_id", name="pk_snapshots"),
    )
    op.create_table(
        "decisions",
        _text("request_id"),
        _text("key_id"),
        _text("snapshot_id"),
        _bytes("record"),
        _text("chain_id"),
        _integer("seq"),
        _bytes("mac"),
        sa.PrimaryKeyConstraint("request_id", name="pk_decisions"),
        sa.ForeignKeyConstraint(
            ["snapshot_id"], ["snapshots.snapshot_id"], name="fk_decisions_snapshot_id"
        ),
    )
    op.create_index("ix_decisions_chain_id_seq", "decisions", ["chain_id", "seq"], unique=True)


def _make_audits() -> None:
    op.create_table(
        "audit",
        _text("chain_id"),
        _integer("seq"),
        _seconds("at_unix_s"),
        _text("actor"),
        _text("action"),
        _text("target"),
        _text("detail"),
        _bytes("mac"),
        sa.PrimaryKeyConstraint("chain_id", "seq", name="pk_audit"),
    )
    op.create_index("ix_audit_at_unix_s", "audit", ["at_unix_s"])
    op.create_table(
        "chains",
        _text("chain_id"),
        _text("kind"),
        _text("mac_key_id"),
        _integer("seq"),
        _bytes("mac"),
        _bytes("signature"),
        sa.PrimaryKeyConstraint("chain_id", "kind", name="pk_chains"),
    )
    op.create_table(
        "mcp_tool_audit",
        _text("call_id"),
        _text("key_id"),
        _text("tool"),
        _seconds("at_unix_s"),
        _integer("duration_ms"),
        _yes_no("success"),
        _text("error", null=True),
        _text("input_hash"),
        _text("output_summary"),
        sa.PrimaryKeyConstraint("call_id", name="pk_mcp_tool_audit"),
    )
    op.create_index("ix_mcp_tool_audit_at_unix_s", "mcp_tool_audit", ["at_unix_s"])
    op.create_index("ix_mcp_tool_audit_key_id_at_unix_s", "mcp_tool_audit", ["key_id", "at_unix_s"])


def _make_money() -> None:
    op.create_table(
        "budgets",
        _text("budget_id"),
        _text("key_id"),
        _text("name"),
        _integer("cap_usd_nanos"),
        _text("period"),
        _seconds("created_unix_s"),
        sa.PrimaryKeyConstraint("budget_id", name="pk_budgets"),
        _check("cap_usd_nanos >= 0", "ck_budgets_cap"),
    )
    op.create_index("ix_budgets_key_id", "budgets", ["key_id"])
    op.create_table(
        "budget_windows",
        _text("budget_id"),
        _integer("window_start"),
        _integer("cap_usd_nanos"),
        _integer("spent_usd_nanos"),
        _integer("held_usd_nanos"),
        _yes_no("cap_passed"),
        sa.PrimaryKeyConstraint("budget_id", "window_start", name="pk_budget_windows"),
        _check("spent_usd_nanos >= 0", "ck_budget_windows_spent"),
        sa.ForeignKeyConstraint(
            ["budget_id"],
            ["budgets.budget_id"],
            name="fk_budget_windows_budget_id",
            ondelete="CASCADE",
        ),
        _check(
            "cap_passed OR spent_usd_nanos + held_usd_nanos <= cap_usd_nanos",
            "ck_budget_windows_cap",
        ),
        _check("held_usd_nanos >= 0", "ck_budget_windows_held"),
    )
    op.create_table(
        "reservations",
        _text("hold_id"),
        _text("key_id"),
        _text("lines"),
        _integer("bound_usd_nanos"),
        _integer("actual_usd_nanos", null=True),
        _yes_no("abandoned"),
        _text("boot_id"),
        _seconds("lease_until_unix_s"),
        _seconds("created_unix_s"),
        _seconds("settled_unix_s", null=True),
        sa.PrimaryKeyConstraint("hold_id", name="pk_reservations"),
    )
    still_open = sa.text("actual_usd_nanos IS NULL")
    op.create_index(
        "ix_reservations_open",
        "reservations",
        ["boot_id"],
        sqlite_where=still_open,
        postgresql_where=still_open,
    )


def _make_tasks() -> None:
    op.create_table(
        "tasks",
        _text("task_id"),
        _text("key_id"),
        _text("context_id"),
        _text("skill"),
        _text("state"),
        _seconds("created_unix_s"),
        _seconds("updated_unix_s"),
        _seconds("expires_unix_s"),
        _text("payload"),
        _integer("events"),
        sa.PrimaryKeyConstraint("task_id", name="pk_tasks"),
    )
    op.create_index("ix_tasks_expires_unix_s", "tasks", ["expires_unix_s"])
    op.create_table(
        "task_events",
        _text("task_id"),
        _integer("seq"),
        _text("payload"),
        sa.PrimaryKeyConstraint("task_id", "seq", name="pk_task_events"),
        sa.ForeignKeyConstraint(
            ["task_id"], ["tasks.task_id"], name="fk_task_events_task_id", ondelete="CASCADE"
        ),
    )
