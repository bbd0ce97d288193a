"""Who is told of what is put on record: the figures, and what the settings ask for."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from ..app import Front
from ..parts import Parts
from .access import log_outcome


@asynccontextmanager
async def followed(parts: Parts, front: Front) -> AsyncGenerator[None]:
    """Follow a gateway, while this is open."""
    settings, storage, telemetry = parts.settings, parts.storage, parts.telemetry
    storage.ledger.follow = telemetry.outcome
    storage.tool_calls.follow = telemetry.tool_call
    storage.tasks.follow = telemetry.task
    if settings.access_log:
        telemetry.followers.append(log_outcome)
        front.logs = True
    if not settings.otel:
        yield
        return
    # Imported here: it takes half a second and 20 MiB, which only who asks for it should pay.
    from .tracing import Tracing

    tracing = Tracing(settings.environment, version=parts.version, run=storage.boot_id)
    telemetry.followers.append(tracing.outcome)
    telemetry.tool_followers.append(tracing.tool_call)
    telemetry.task_followers.append(tracing.task)
    front.asked = tracing.asked
    try:
        yield
    finally:
        telemetry.drain()
        # It sends what is left, and may have to wait for a collector that does not answer.
        await asyncio.to_thread(tracing.close)
