"""The management routes that OmniRoute documents and that are no noun's own, joined."""

from ..parts import Parts
from . import account_trials, call_log, keeping, model_catalog, monitoring, pricing
from .rows import Row


def rows(parts: Parts) -> tuple[Row, ...]:
    """Give the routes."""
    gateway, settings = parts.gateway, parts.settings
    kept = keeping.Kept(
        gateway=gateway,
        settings=settings,
        storage=parts.storage,
        authenticator=parts.authenticator,
        cache=parts.response_cache,
        peers=parts.peers,
    )
    return (
        *monitoring.rows(gateway),
        *model_catalog.rows(gateway),
        *account_trials.rows(gateway, parts.upstream, own_urls=settings.own_urls),
        *keeping.rows(kept),
        *call_log.rows(gateway, parts.storage),
        *pricing.rows(gateway, parts.storage.database, parts.storage.changes),
    )
