"""A request's attempts are a column of its outcome; what nothing reads is not indexed or kept."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """Move the attempts, and drop what they were in."""
    op.add_column(
        "outcomes",
        sa.Column("tried", sa.Text(), nullable=False, server_default="[]"),
    )
    op.execute(_MOVE[op.get_bind().dialect.name])
    op.drop_table("attempts")
    op.drop_index("ix_outcomes_session_id", "outcomes")
    op.execute("ALTER TABLE outcomes DROP COLUMN decision_id")


_MOVE = {
    "sqlite": """
UPDATE outcomes SET tried = (
  SELECT json_group_array(json_object('number', number, 'provider', provider,
    'account_id', account_id, 'model', model, 'dialect', dialect, 'started_s', started_s,
    'ended_s', ended_s, 'first_byte_s', first_byte_s, 'failure', failure, 'detail', detail,
    'provider_status', provider_status, 'model_served', model_served,
    'swapped', json(CASE WHEN swapped THEN 'true' ELSE 'false' END)))
  FROM (SELECT * FROM attempts WHERE attempts.request_id = outcomes.request_id ORDER BY number)
) WHERE EXISTS (SELECT 1 FROM attempts WHERE attempts.request_id = outcomes.request_id)
""",
    "postgresql": """
UPDATE outcomes SET tried = CAST(moved.tried AS TEXT) FROM (
  SELECT request_id, json_agg(json_build_object('number', number, 'provider', provider,
    'account_id', account_id, 'model', model, 'dialect', dialect, 'started_s', started_s,
    'ended_s', ended_s, 'first_byte_s', first_byte_s, 'failure', failure, 'detail', detail,
    'provider_status', provider_status, 'model_served', model_served, 'swapped', swapped)
    ORDER BY number) AS tried
  FROM attempts GROUP BY request_id
) AS moved WHERE moved.request_id = outcomes.request_id
""",
}
