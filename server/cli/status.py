"""`omniroute status`: whether a gateway runs on the data folder, and how it is."""

from argparse import Namespace

from ..management import CircuitJson, CooldownJson, HeldJson, StatusJson
from ..runtime_file import Running
from ..settings import Settings, Sources
from .client import HttpClient, call, decoded, find_gateway
from .exits import OK, UNAVAILABLE
from .output import complain, duration, fields, show, show_json


def status(arguments: Namespace, settings: Settings, sources: Sources) -> int:
    """Say how the running gateway is; the status is 69 when none runs."""
    running = find_gateway(settings)
    if running is None:
        if arguments.json:
            show_json({"running": False, "data_dir": str(settings.data_dir)})
        else:
            complain(
                f"No gateway runs on the data folder {settings.data_dir}. `omniroute` starts one."
            )
        return UNAVAILABLE
    data = call(HttpClient(running.url, running.token), "GET", "/api/status")
    found = decoded(data, StatusJson)
    if arguments.json:
        show_json(
            {
                "running": True,
                "url": running.url,
                "pid": running.pid,
                "data_dir": str(settings.data_dir),
                "status": found,
            }
        )
    else:
        show(_page(running, settings, found))
    return OK


def _page(running: Running, settings: Settings, found: StatusJson) -> str:
    keys = f"{found.keys}, needed from every caller" if found.needs_key else "not needed from here"
    accounts = "none: answers come from the simulator" if found.simulated_only else found.accounts
    return fields(
        (
            ("gateway", f"OmniRoute {found.version} at {running.url}, process {running.pid}"),
            *((("workers", _workers(found.workers)),) if found.workers else ()),
            ("running for", duration(found.uptime_s)),
            ("data folder", str(settings.data_dir)),
            ("accounts", str(accounts)),
            ("keys", keys),
            ("configuration", f"version {found.config_version}"),
            *(("circuit", _circuit(one)) for one in found.circuits),
            *(("resting", _cooldown(one)) for one in found.cooldowns),
            *(("held", _held(one)) for one in found.held),
            *((("alerts", f"{found.alerts}, see `omniroute alerts`"),) if found.alerts else ()),
        )
    )


def _workers(process_ids: tuple[int, ...]) -> str:
    return f"{len(process_ids)}, processes {', '.join(map(str, process_ids))}"


def _circuit(one: CircuitJson) -> str:
    next_try = "" if not one.next_try_s else f", next try in {duration(one.next_try_s)}"
    return f"{_where(one)} is {one.state} after {one.failures} failures{next_try}"


def _cooldown(one: CooldownJson) -> str:
    return f"{_where(one)} rests for {duration(one.remaining_s)} ({one.reason})"


def _held(one: HeldJson) -> str:
    return (
        f"{one.provider} to {one.requests_per_minute} requests a minute, "
        f"for {duration(one.remaining_s)}"
    )


def _where(one: CircuitJson | CooldownJson) -> str:
    return f"{one.provider}/{one.model}" if one.model else one.provider
