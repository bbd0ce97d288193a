"""`omniroute audit`: whether what is on record is what happened."""

import sys
from argparse import Namespace
from urllib.parse import urlencode

from ..audits import AuditJson, AuditPageJson, ChainsJson, DifferenceJson, LogJson
from ..settings import Settings, Sources
from .client import Client, call, decoded, with_gateway
from .exits import FAILED, OK, USAGE, Stop
from .output import fields, moment, safe_text, show, show_json, table

SHOWN_MAX = 20
"""Differences that are shown; all are counted."""
VERIFY_S_MAX = 600.0


def route(arguments: Namespace, settings: Settings, sources: Sources) -> int:
    """Decide stored decisions again and verify their chains; the status is 1 if any differs."""
    if bool(arguments.since) == arguments.all:
        raise Stop("give --since with a request's id, or --all", USAGE)
    with with_gateway(settings, sources) as gateway:
        found = _audit(gateway, arguments.since or "")
    if arguments.json:
        show_json(found)
    else:
        show(page(found))
    return FAILED if found.different or found.chains.broken else OK


def log(arguments: Namespace, settings: Settings, sources: Sources) -> int:
    """List the changes of the configuration; the status is 1 if one was tampered with."""
    query = urlencode(
        {
            name: value
            for name, value in (("target", arguments.of), ("limit", arguments.limit))
            if value
        }
    )
    with with_gateway(settings, sources) as gateway:
        data = call(gateway, "GET", f"/api/audit/log?{query}", timeout_s=VERIFY_S_MAX)
    found = decoded(data, LogJson)
    if arguments.json:
        show_json(found)
    else:
        show(log_page(found))
    return FAILED if found.chains.broken else OK


def log_page(found: LogJson) -> str:
    """Give the changes as text, the newest first."""
    chains = found.chains
    parts = ["Nothing was changed yet."]
    if found.entries:
        rows = [
            (moment(one.at_unix_s), one.actor, one.action, one.target, one.detail)
            for one in found.entries
        ]
        parts = [table(("WHEN", "WHO", "WHAT", "OF", "DETAIL"), rows)]
    parts.append(
        f"{chains.rows:,} changes in {chains.chains:,} chains verified, "
        f"{len(chains.broken):,} broken"
    )
    if chains.removed:
        parts.append(
            f"{chains.removed:,} older ones were removed for their age, behind signed checkpoints"
        )
    return "\n\n".join([*parts, *broken(chains)])


def page(audit: AuditJson) -> str:
    """Give what an audit found as text."""
    chains = audit.chains
    parts = [
        fields(
            (
                ("decisions decided again", f"{audit.decisions:,}"),
                ("equal, bit for bit", f"{audit.equal:,}"),
                ("different", f"{audit.different:,}"),
                ("chains", f"{chains.chains:,} with {chains.rows:,} decisions"),
                ("broken", f"{len(chains.broken):,}"),
            )
        )
    ]
    if audit.differences:
        rows = [(f"  {one.request_id}", one.what) for one in audit.differences[:SHOWN_MAX]]
        parts.append("Different\n" + table(("  REQUEST", "WHAT"), rows))
    return "\n\n".join([*parts, *broken(chains)])


def broken(chains: ChainsJson) -> list[str]:
    """Give the broken places as paragraphs, none where nothing is."""
    if not chains.broken:
        return []
    rows = [(f"  {one.chain_id}", str(one.seq), one.reason) for one in chains.broken[:SHOWN_MAX]]
    return ["Broken\n" + table(("  WHERE", "ROW", "WHAT"), rows, right=("ROW",))]


def _audit(gateway: Client, since: str) -> AuditJson:
    checked = different = 0
    total: int | None = None
    first: list[DifferenceJson] = []
    after = ""
    while True:
        query = urlencode({"since": since, "after": after})
        found = decoded(call(gateway, "GET", f"/api/audit/route?{query}"), AuditPageJson)
        total = found.total if total is None else total
        checked, different = checked + found.checked, different + found.different
        first += found.differences[: SHOWN_MAX - len(first)]
        progress(f"{checked:,} of {total:,} decisions decided again" if total else "")
        after = found.last
        if not after:
            break
    progress("verifying the chains")
    data = call(gateway, "GET", "/api/audit/chains", timeout_s=VERIFY_S_MAX)
    progress("")
    return AuditJson(
        checked, checked - different, different, tuple(first), decoded(data, ChainsJson)
    )


def progress(words: str) -> None:
    """Show how far it is, on a terminal's last line; "" takes the line away."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{safe_text(words)}")
        sys.stderr.flush()
