"""What is kept, in the documented shapes: the store, the start, and answers given again."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
from starlette.requests import Request

from omniroute.routing.gateway import Gateway
from omniroute.routing.model import Caller

from ..auth import Authenticator
from ..keeping_json import (
    AnswerCacheJson,
    CacheClearedJson,
    CacheJson,
    IdempotencyJson,
    InitJson,
    PromptCacheJson,
    RetentionDaysJson,
    StorageHealthJson,
)
from ..management_usage import moment
from ..settings import DATABASE_FILE, Settings
from ..storage import Storage
from ..store.sizes import kept_answers, sizes
from ..v1.cache import CACHE_BYTES_MAX, ResponseCache
from ..workers.mail import Peers
from .rows import Row
from .usage import SELECTED, asked

CLEARED = "answers_cleared"
COUNTED = "answers_counted"
CACHE_PATH = "/api/cache"


@dataclass(frozen=True, slots=True)
class Kept:
    """What these routes tell of."""

    gateway: Gateway
    settings: Settings
    storage: Storage
    authenticator: Authenticator
    cache: ResponseCache
    peers: Peers


def rows(kept: Kept) -> tuple[Row, ...]:
    """Give the routes."""
    return (*_store_rows(kept), *_cache_rows(kept))


def _store_rows(kept: Kept) -> tuple[Row, ...]:
    gateway, storage, settings = kept.gateway, kept.storage, kept.settings

    async def health(request: Request, caller: Caller) -> StorageHealthJson:
        found = await sizes(storage.database)
        oldest, made = found.oldest_unix_s, await storage.backups.all()
        return StorageHealthJson(
            driver=storage.database.kind,
            db_path=place_of_database(settings),
            size_bytes=found.size_bytes,
            requests=found.requests,
            oldest_request_at=None if oldest is None else moment(oldest),
            last_backup_at=moment(made[0].manifest.made_unix_s) if made else None,
            retention_days=RetentionDaysJson(storage.retention.days),
            data_dir=_shown(settings.data_dir),
            problems=(*storage.configs.problems, *filter(None, (storage.backups.problem,))),
        )

    async def init(request: Request, caller: Caller) -> InitJson:
        config = storage.configs.current()
        real = [one for one in config.accounts if not one.simulated]
        return InitJson(
            initialized=True,
            setup_complete=bool(real),
            version=gateway.view.version,
            require_api_key=kept.authenticator.needs_key(),
            providers=len(real),
            combos=len(config.combos),
            api_keys=len(storage.keys),
        )

    return (
        Row("GET", "/api/storage/health", "admin", "Where data is kept, and how much", health),
        Row("GET", "/api/init", "read:health", "What the gateway has to begin with", init),
    )


def _cache_rows(kept: Kept) -> tuple[Row, ...]:
    cache, clock, view = kept.cache, kept.storage.clock, kept.gateway.view

    async def count(words: object) -> tuple[int, ...]:
        return len(cache), cache.size_bytes, cache.hits, cache.misses

    async def clear(words: object) -> tuple[int, ...]:
        return cache.clear(clock.now())

    kept.peers.on(COUNTED, count)
    kept.peers.on(CLEARED, clear)

    async def show(request: Request, caller: Caller) -> CacheJson:
        others = await kept.peers.ask(COUNTED)
        entries, size_bytes, hits, misses = _summed([await count(None), *others])
        return CacheJson(
            AnswerCacheJson(
                enabled=bool(kept.settings.response_cache_s),
                entries=entries,
                size_bytes=size_bytes,
                max_size_bytes=CACHE_BYTES_MAX * kept.peers.count,
                hits=hits,
                misses=misses,
                hit_rate=hits / (hits + misses) if hits + misses else None,
            ),
            IdempotencyJson(await kept_answers(kept.storage.database)),
        )

    async def forget(request: Request, caller: Caller) -> CacheClearedJson:
        others = await kept.peers.ask(CLEARED)
        removed, expired = _summed([await clear(None), *others])
        return CacheClearedJson(True, removed, expired)

    async def prompts(request: Request, caller: Caller) -> PromptCacheJson:
        named, selection = asked(request, view.clock.unix())
        total = (await view.usage.report(caller, selection)).whole.total
        return PromptCacheJson(
            range=named,
            since=moment(selection.since_unix_s),
            requests=total.requests,
            input_tokens=total.input_tokens,
            cached_input_tokens=total.cached_input_tokens,
            cache_write_tokens=total.cache_write_tokens,
            cache_hit_rate=total.cached_input_tokens / total.input_tokens
            if total.input_tokens
            else None,
        )

    return (
        Row("GET", CACHE_PATH, "read:health", "Answers that are given again", show),
        Row("DELETE", CACHE_PATH, "admin", "Forget the answers that are given again", forget),
        Row(
            *("GET", f"{CACHE_PATH}/stats", "read:usage", "What prompt caches saved", prompts),
            query=SELECTED,
        ),
    )


def _summed(figures: Sequence[object]) -> tuple[int, ...]:
    known = msgspec.convert(figures, list[tuple[int, ...]])
    return tuple(map(sum, zip(*known, strict=True)))


def place_of_database(settings: Settings) -> str:
    """Give where the database is, without a user's name and a password."""
    url = urlsplit(settings.store_url)
    if settings.database_url is None:
        return _shown(settings.data_dir / DATABASE_FILE)
    if url.scheme == "sqlite":
        return _shown(Path(url.path.removeprefix("/")))
    port = f":{url.port}" if url.port else ""
    return f"{url.hostname or ''}{port}{url.path}"


def _shown(path: Path) -> str:
    """Give a path with `~` for the user's own folder."""
    home = Path.home()
    return f"~/{path.relative_to(home)}" if path.is_relative_to(home) else str(path)
