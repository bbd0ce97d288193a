"""`omniroute doctor`: what is in force, from where, and what is wrong."""

import platform
from argparse import Namespace
from dataclasses import replace
from importlib.metadata import version
from urllib.parse import urlsplit

from omniroute.routing.errors import RoutingError

from ..discovery import accounts_from_environment
from ..doctor import Finding, findings, has_error, settings_in_force
from ..doctor_facts import (
    DatabaseFacts,
    Facts,
    RunningFacts,
    look_at_database,
    look_at_folder,
    look_at_port,
    look_at_tls,
    look_for_servers,
    now_unix_s,
)
from ..management import GatewayFacts, NoteJson, account_json
from ..runtime_file import process_lives, read_running
from ..settings import Settings, Sources
from .client import HttpClient, call, decoded, find_gateway, with_gateway
from .exits import FAILED, OK, Stop
from .output import listed, one_line, show, show_json, table


def doctor(arguments: Namespace, settings: Settings, sources: Sources) -> int:
    """Look at everything and say what was found; the status is 1 when an error was."""
    facts = gathered(settings, sources)
    if arguments.security:
        from .doctor_security import tell

        return tell(arguments, facts, settings, sources)
    found = findings(facts)
    in_force = settings_in_force(facts)
    if arguments.json:
        show_json({"findings": found, "settings": in_force})
    else:
        rows = [(one.name, one.value, one.source) for one in in_force]
        show("Settings in force\n" + table(("NAME", "VALUE", "FROM"), rows))
        show("\nFindings\n" + "\n".join(map(_paragraph, found)))
        show(f"\n{_summary(found)}")
    return FAILED if has_error(found) else OK


def gathered(settings: Settings, sources: Sources) -> Facts:
    """Give the facts about this machine and the gateway of its data folder."""
    running = _running(settings)
    database = look_at_database(settings)
    own = running.facts if running is not None else None
    if own is None:
        own, database = _without_gateway(settings, sources, database)
    listens = running is not None and running.answers and not running.stale
    now = now_unix_s()
    return Facts(
        settings=settings,
        sources=sources,
        version=version("omniroute"),
        python=platform.python_version(),
        folder=look_at_folder(settings.data_dir, now),
        database=database,
        port=look_at_port(settings, urlsplit(running.url).port if running and listens else None),
        tls=look_at_tls(),
        now_unix_s=now,
        running=running,
        accounts=own.accounts,
        ignored=tuple((one.variable, one.words) for one in own.ignored),
        servers=look_for_servers(settings.environment, own_urls(settings)),
        keys=own.keys,
        problems=own.problems,
    )


def own_urls(settings: Settings) -> tuple[str, ...]:
    """Give the URLs by which this gateway is reached."""
    public = () if settings.public_url is None else (settings.public_url,)
    return (settings.local_url, *public)


def _running(settings: Settings) -> RunningFacts | None:
    claimed = read_running(settings.data_dir)
    if claimed is None:
        return None
    found = RunningFacts(claimed.pid, claimed.url, claimed.version)
    try:
        if not process_lives(claimed.pid) or find_gateway(settings) is None:
            return replace(found, stale=True)
        data = call(HttpClient(claimed.url, claimed.token), "GET", "/api/doctor")
        return replace(found, facts=decoded(data, GatewayFacts))
    except Stop as problem:
        return replace(found, answers=False, problem=str(problem))


def _without_gateway(
    settings: Settings, sources: Sources, database: DatabaseFacts
) -> tuple[GatewayFacts, DatabaseFacts]:
    """Give what a start would find: from the store where there is one, else the environment."""
    ready = database.exists and database.revision == database.newest and not database.problem
    if ready:
        try:
            with with_gateway(settings, sources) as gateway:
                return decoded(call(gateway, "GET", "/api/doctor"), GatewayFacts), database
        except (RoutingError, Stop) as problem:
            database = replace(database, problem=str(problem))
    accounts, notes = accounts_from_environment(settings.environment, own_urls=own_urls(settings))
    found = GatewayFacts(
        version=version("omniroute"),
        needs_key=settings.require_key == "always" or not settings.on_loopback,
        keys=0,
        accounts=tuple(account_json(one, settings.environment) for one in accounts),
        ignored=tuple(NoteJson(one.variable, one.message) for one in notes),
    )
    return found, database


def _paragraph(one: Finding) -> str:
    lines = [f"  {one.level.upper():<7}  {one_line(one.what)}"]
    if one.why:
        lines.append(f"           why: {one_line(one.why)}")
    if one.next:
        lines.append(f"           do:  {one_line(one.next)}")
    return "\n".join(lines)


def _summary(found: tuple[Finding, ...]) -> str:
    counts = [
        f"{number} {level}{'' if number == 1 else 's'}"
        for level in ("error", "warning", "note")
        if (number := sum(1 for one in found if one.level == level))
    ]
    return f"{listed(counts, empty='Nothing to mend')}."
