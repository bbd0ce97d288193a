"""Requests that were priced anew are found by their time; of all others the index has nothing."""

import sqlalchemy as sa
from alembic import op

revision = "0037"
down_revision = "0036"


def upgrade() -> None:
    """Add the index."""
    named = sa.text("repriced_usd_nanos IS NOT NULL")
    op.create_index(
        "ix_outcomes_repriced",
        "outcomes",
        ["at_unix_s", "repriced_usd_nanos"],
        sqlite_where=named,
        postgresql_where=named,
    )
