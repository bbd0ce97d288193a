"""Keys as rows of their table, made without a database."""

from typing import Any

from omniroute.server.store.key_terms import KeyTerms, values_of

COLUMNS = (
    *("name", "scopes", "models", "budget_ids", "keep_content", "enabled", "expires_unix_s"),
    *("requests_per_minute", "tokens_per_minute", "concurrency_max", "log_content"),
)
"""Those of a key's terms, in the order of their values."""


def row_of(key_id: str, terms: KeyTerms) -> dict[str, Any]:
    """Give the row of a key that was made and never rolled, as SQLite gives it: 0 is no."""
    kept = [int(one) if isinstance(one, bool) else one for one in values_of(terms)]
    row: dict[str, Any] = dict(zip(COLUMNS, kept, strict=True))
    row |= {"key_id": key_id, "created_unix_s": 5, "created_by": "otto"}
    return row | {"rolled_unix_s": None, "old_until_unix_s": None}
