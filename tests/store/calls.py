"""Calls of tools to keep."""

from msgspec import structs

from omniroute.tools.audit import ToolCall

HASH = "0" * 64


def called(call_id: str, **changes: object) -> ToolCall:
    """Give an answered call, with changes."""
    call = ToolCall(
        call_id=call_id,
        key_id="key-1",
        tool="omniroute_get_health",
        at_unix_s=1_700_000_000.0,
        duration_ms=20,
        outcome="answered",
        error=None,
        arguments_hash=HASH,
        arguments=None,
        summary='{"version":"1"}',
        era="2026-07-28",
        transport="http",
    )
    return structs.replace(call, **changes)
