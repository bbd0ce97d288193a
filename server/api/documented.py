"""The management routes that OmniRoute documents and that are no noun's own, joined."""

from ..parts import Parts
from . import (
    account_trials,
    allowance,
    call_log,
    keeping,
    model_catalog,
    monitoring,
    pricing,
    settings,
    telemetry,
)
from .rows import Row


def rows(parts: Parts) -> tuple[Row, ...]:
    """Give the routes."""
    gateway = parts.gateway
    kept = keeping.Kept(
        gateway=gateway,
        settings=parts.settings,
        storage=parts.storage,
        authenticator=parts.authenticator,
        cache=parts.response_cache,
        peers=parts.peers,
    )
    return (
        *monitoring.rows(gateway),
        *model_catalog.rows(gateway),
        *account_trials.rows(gateway, parts.upstream, own_urls=parts.settings.own_urls),
        *keeping.rows(kept),
        *call_log.rows(gateway, parts.storage),
        *allowance.rows(gateway, parts.storage),
        *settings.rows(parts.storage, parts.facts),
        *telemetry.rows(parts.storage),
        *pricing.rows(gateway, parts.storage.database, parts.storage.changes),
    )
