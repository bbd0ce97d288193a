"""An outcome says how many pictures, seconds and the like were used, where no tokens are paid."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    """Add the column; outcomes of before used tokens alone."""
    op.add_column("outcomes", sa.Column("units", sa.BigInteger(), nullable=True))
