"""What `doctor` finds, looked at by the gateway of itself: the same findings, the same grade."""

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from .doctor import Finding, findings
from .doctor_facts import (
    Facts,
    RunningFacts,
    is_root,
    look_at_database,
    look_at_folder,
    look_at_port,
    look_at_tls,
    look_for_servers,
    now_unix_s,
)
from .facts import Facts as OwnFacts
from .management import GatewayFacts
from .management_keys import KeyJson
from .security import Check, Grade, standing
from .settings import Sources


@dataclass(frozen=True, slots=True)
class ReportJson:
    """What was looked at, the worst first, and how safe the gateway is set up, from A to F."""

    findings: tuple[Finding, ...]
    grade: Grade
    checks: tuple[Check, ...]


def report(own: OwnFacts, told: GatewayFacts, keys: Sequence[KeyJson]) -> ReportJson:
    """Look at everything. It reads files and asks ports of this machine: call it in a thread.

    Args:
        own: what the gateway is made of.
        told: what it knows of itself.
        keys: its keys.
    """
    facts = _facts(own, told)
    found = standing(facts, keys, is_root=is_root())
    return ReportJson(findings(facts), found.grade, found.checks)


def _facts(own: OwnFacts, told: GatewayFacts) -> Facts:
    settings = own.settings
    url, now = settings.local_url, now_unix_s()
    return Facts(
        settings=settings,
        sources=own.sources or Sources({}),
        version=own.version,
        python=platform.python_version(),
        folder=look_at_folder(settings.data_dir, now),
        database=look_at_database(settings),
        port=look_at_port(settings, urlsplit(url).port),
        tls=look_at_tls(),
        now_unix_s=now,
        running=RunningFacts(os.getpid(), url, own.version, facts=told),
        accounts=told.accounts,
        ignored=tuple((one.variable, one.words) for one in told.ignored),
        servers=look_for_servers(settings.environment, settings.own_urls),
        keys=told.keys,
        problems=told.problems,
    )
