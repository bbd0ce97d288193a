"""What the documented routes on what is kept speak, as values; see management.py."""

from typing import Literal

from msgspec import Struct


class RetentionDaysJson(Struct, frozen=True):
    """How many days what is kept: requests as `call`; null is for ever."""

    call: float | None


class StorageHealthJson(Struct, frozen=True, rename="camel"):
    """Where the gateway keeps what it knows, and how much that is.

    `dbPath` is the file, or the server and the name without user and password.
    """

    driver: Literal["sqlite", "postgres"]
    db_path: str
    size_bytes: int
    requests: int
    oldest_request_at: str | None
    last_backup_at: str | None
    retention_days: RetentionDaysJson
    data_dir: str
    problems: tuple[str, ...]


class InitJson(Struct, frozen=True, rename="camel"):
    """What a gateway has to begin with: `setupComplete` once a real account is there."""

    initialized: bool
    setup_complete: bool
    version: str
    require_api_key: bool
    providers: int
    combos: int
    api_keys: int


class AnswerCacheJson(Struct, frozen=True, rename="camel"):
    """Answers that are given again to the same question, of all workers.

    They are told apart by all of their question, not by its sense. `hitRate` is null before
    anybody asked.
    """

    enabled: bool
    entries: int
    size_bytes: int
    max_size_bytes: int
    hits: int
    misses: int
    hit_rate: float | None


class IdempotencyJson(Struct, frozen=True, rename="camel"):
    """Answers that are kept for requests which are repeated under one idempotency key."""

    entries: int


class CacheJson(Struct, frozen=True, rename="camel"):
    """The answers that are kept to be given again."""

    semantic_cache: AnswerCacheJson
    idempotency: IdempotencyJson


class CacheClearedJson(Struct, frozen=True, rename="camel"):
    """How many answers were forgotten, and how many of them had run out."""

    ok: bool
    removed: int
    expired_removed: int


class PromptCacheJson(Struct, frozen=True, rename="camel"):
    """What providers read from their caches of prompts in a range.

    `cacheHitRate` is the share of the input that was read from a cache, null without input.
    """

    range: str
    since: str
    requests: int
    input_tokens: int
    cached_input_tokens: int
    cache_write_tokens: int
    cache_hit_rate: float | None
