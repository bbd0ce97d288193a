"""What `/api/audit/*` gives: how stored decisions compare with deciding again, and the chains."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DifferenceJson:
    """One decision that does not come out as it was stored."""

    request_id: str
    what: str


@dataclass(frozen=True, slots=True)
class AuditPageJson:
    """One page of decisions executed again.

    Attributes:
        checked: decisions in this page.
        different: how many of them came out otherwise.
        differences: the first of those.
        last: the id to go on after; "" when there is no more.
        total: decisions in the whole range; only the first page counts them.
    """

    checked: int
    different: int
    differences: tuple[DifferenceJson, ...]
    last: str
    total: int | None = None


@dataclass(frozen=True, slots=True)
class BrokenJson:
    """Where a chain, a snapshot or an outcome is not what it was."""

    chain_id: str
    seq: int
    reason: str


@dataclass(frozen=True, slots=True)
class BeginJson:
    """Where a chain begins: the number and the MAC of the last row that was removed before."""

    chain_id: str
    seq: int
    mac: str


@dataclass(frozen=True, slots=True)
class ChainsJson:
    """What chains of records say; sound when nothing is broken.

    Attributes:
        removed: rows that were removed for their age, each behind a signed checkpoint.
        begins: the chains that they were removed from.
    """

    chains: int
    rows: int
    broken: tuple[BrokenJson, ...]
    removed: int = 0
    begins: tuple[BeginJson, ...] = ()


@dataclass(frozen=True, slots=True)
class AuditJson:
    """A whole audit, as `omniroute audit route --json` prints it."""

    decisions: int
    equal: int
    different: int
    differences: tuple[DifferenceJson, ...]
    chains: ChainsJson


@dataclass(frozen=True, slots=True)
class EntryJson:
    """One change of the configuration; `detail` is JSON text."""

    at_unix_s: float
    actor: str
    action: str
    target: str
    detail: str


@dataclass(frozen=True, slots=True)
class LogJson:
    """The newest changes first, and what the chains of all changes say."""

    entries: tuple[EntryJson, ...]
    chains: ChainsJson


@dataclass(frozen=True, slots=True)
class RecordsJson:
    """What the chains of one kind of records say: audit, decisions or mcp_tool_audit."""

    records: str
    chains: ChainsJson


@dataclass(frozen=True, slots=True)
class VerifiedJson:
    """What every chain says; `sound` when nothing is broken in any."""

    sound: bool
    verified: tuple[RecordsJson, ...]


@dataclass(frozen=True, slots=True)
class ExportedJson:
    """One line of an export: a change, where it stands in its chain, and its MAC in hex.

    The MAC of the line depends on every line of its chain before it, so an export that is kept
    elsewhere shows later whether the log is still the one that it was made of.
    """

    chain_id: str
    seq: int
    mac: str
    at_unix_s: float
    actor: str
    action: str
    target: str
    detail: str
