"""`omniroute audit verify` and `export`: every chain of records, and the log of changes whole."""

import sys
from argparse import Namespace
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from ..audits import BeginJson, ExportedJson, VerifiedJson
from ..settings import Settings, Sources
from .audit import VERIFY_S_MAX, broken, progress
from .client import Client, call, decoded, read_whole, refusal, with_gateway
from .exits import FAILED, OK, USAGE, Stop
from .output import show, show_json, table
from .trials import lines_of

MISSING_SHOWN_MAX = 20
WORDS = {"audit": "changes", "decisions": "decisions", "mcp_tool_audit": "calls of MCP tools"}


class _Answer(msgspec.Struct):
    """What `--json` prints."""

    sound: bool
    verified: VerifiedJson
    missing: list[ExportedJson] | None


def verify(arguments: Namespace, settings: Settings, sources: Sources) -> int:
    """Verify all chains; the status is 1 when something is not as it was."""
    kept = None if arguments.against is None else list(_kept(Path(arguments.against)))
    with with_gateway(settings, sources) as gateway:
        progress("verifying the chains")
        data = call(gateway, "GET", "/api/audit/verify", timeout_s=VERIFY_S_MAX)
        progress("")
        found = decoded(data, VerifiedJson)
        missing = None if kept is None else _missing(kept, found, gateway)
    answer = _Answer(found.sound and not missing, found, missing)
    if arguments.json:
        show_json(answer)
    else:
        show(page(found, kept, missing))
    return OK if answer.sound else FAILED


def export(arguments: Namespace, settings: Settings, sources: Sources) -> int:
    """Write the log of changes, oldest first in each chain."""
    with with_gateway(settings, sources) as gateway:
        if arguments.file is None:
            for line in _lines(gateway):
                sys.stdout.write(f"{line.decode()}\n")
            return OK
        # Never over an older export: that is what later ones are compared with.
        with Path(arguments.file).open("xb") as file:
            count = 0
            for line in _lines(gateway):
                file.write(line + b"\n")
                count += 1
    show(f"{count:,} changes written to {arguments.file}")
    return OK


def page(
    found: VerifiedJson, kept: list[ExportedJson] | None, missing: list[ExportedJson] | None
) -> str:
    """Give what was found as text."""
    headings = ("RECORDS", "ROWS", "CHAINS", "REMOVED", "BROKEN")
    rows = [
        (
            WORDS.get(one.records, one.records),
            f"{one.chains.rows:,}",
            f"{one.chains.chains:,}",
            f"{one.chains.removed:,}",
            f"{len(one.chains.broken):,}",
        )
        for one in found.verified
    ]
    parts = [table(headings, rows, right=headings[1:])]
    for one in found.verified:
        parts += broken(one.chains)
    if kept is not None and missing is not None:
        parts.append(f"{len(kept):,} changes in the export, {len(missing):,} not on record as such")
    if missing:
        shown = [(f"  {one.chain_id}", str(one.seq), one.action) for one in missing]
        parts.append("Missing\n" + table(("  WHERE", "ROW", "WHAT"), shown[:MISSING_SHOWN_MAX]))
    return "\n\n".join(parts)


def _missing(kept: list[ExportedJson], found: VerifiedJson, gateway: Client) -> list[ExportedJson]:
    """Give what is not on record any more as it was exported, and was not removed for its age."""
    now = set(map(_entry, _lines(gateway)))
    begins = {
        one.chain_id: one
        for records in found.verified
        for one in records.chains.begins
        if records.records == "audit"
    }
    return [one for one in kept if one not in now and not _is_before(begins, one)]


def _is_before(begins: Mapping[str, BeginJson], one: ExportedJson) -> bool:
    """Whether a change was removed behind a checkpoint; the last of them has its MAC."""
    begin = begins.get(one.chain_id)
    return begin is not None and (
        one.seq < begin.seq or (one.seq == begin.seq and one.mac == begin.mac)
    )


def _kept(path: Path) -> Iterator[ExportedJson]:
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        try:
            yield _entry(line)
        except msgspec.MsgspecError as error:
            raise Stop(
                f"line {number} of {path} is no line of an export: {error}", USAGE
            ) from error


def _entry(line: bytes) -> ExportedJson:
    return msgspec.json.decode(line, type=ExportedJson)


def _lines(gateway: Client) -> Iterator[bytes]:
    with gateway.open("GET", "/api/audit/export", None, timeout_s=VERIFY_S_MAX) as answer:
        if answer.status != 200:
            raise refusal(answer.status, read_whole(answer))
        yield from lines_of(answer.chunks)
