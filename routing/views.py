"""What callers may read. Needs read:* scopes; changes nothing."""
