"""What processes lease of budgets for their next requests."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the columns and make the table; nothing is leased yet."""
    op.add_column(
        "budget_windows",
        sa.Column("leased_usd_nanos", sa.BigInteger(), nullable=False, server_default="0"),
    )
    op.add_column(
        "budget_windows",
        sa.Column("recalled_unix_s", sa.Double(), nullable=False, server_default="0"),
    )
    op.create_table(
        "budget_leases",
        sa.Column("lease_id", sa.Text(), nullable=False),
        sa.Column("boot_id", sa.Text(), nullable=False),
        sa.Column("budget_id", sa.Text(), nullable=False),
        sa.Column("window_start", sa.BigInteger(), nullable=False),
        sa.Column("leased_usd_nanos", sa.BigInteger(), nullable=False),
        sa.Column("until_unix_s", sa.Double(), nullable=False),
        sa.Column("exposed_usd_nanos", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("lease_id", name="pk_budget_leases"),
        sa.ForeignKeyConstraint(
            ["budget_id", "window_start"],
            ["budget_windows.budget_id", "budget_windows.window_start"],
            name="fk_budget_leases_budget_id",
            ondelete="CASCADE",
        ),
    )
