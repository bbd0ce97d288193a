"""`omniroute system-info`: a report for a person who helps, without secrets."""

from argparse import Namespace
from pathlib import Path

from ..doctor import settings_in_force
from ..settings import Settings, Sources
from ..system_info import SystemInfo, gather
from .doctor import gathered
from .exits import OK, Stop
from .output import fields, show, show_json, size, table


def system_info(arguments: Namespace, settings: Settings, sources: Sources) -> int:
    """Write the report to a file, or to standard output for `-`."""
    facts = gathered(settings, sources)
    running = facts.running
    alive = running is not None and running.answers and not running.stale
    report = gather(
        gateway=f"runs at {running.url}" if running is not None and alive else "does not run",
        settings=settings_in_force(facts),
        servers=facts.servers,
        environment=settings.environment,
        data_dir=settings.data_dir,
    )
    if arguments.json:
        show_json(report)
    elif arguments.out == "-":
        show(page(report))
    else:
        _write(Path(arguments.out), page(report))
        show(
            f"Wrote {arguments.out}. It holds no keys; look through it before you send it, as it "
            "names folders and hosts."
        )
    return OK


def page(report: SystemInfo) -> str:
    """Give the report as text."""
    versions = fields(
        (
            ("OmniRoute", report.version),
            ("Python", f"{report.python} ({report.executable})"),
            ("system", report.system),
            ("SQLite", report.sqlite),
            ("TLS", report.openssl),
            ("gateway", report.gateway),
        )
    )
    settings = [(one.name, one.value, one.source) for one in report.settings]
    parts = (
        ("Versions", versions),
        ("Packages", fields(tuple(report.packages.items()))),
        ("Settings", table(("NAME", "VALUE", "FROM"), settings)),
        ("Variables that are set (names only)", "\n".join(report.variables)),
        (
            "Local model servers",
            "\n".join(
                f"{one.provider} at {one.base_url}, {one.models} models" for one in report.servers
            ),
        ),
        ("Command line tools on PATH", fields(tuple(report.tools.items()))),
        (
            f"Data folder {report.data_dir}",
            fields(tuple((one.name, size(one.size_bytes)) for one in report.data)),
        ),
    )
    return (
        "\n\n".join(f"{name}\n{'-' * len(name)}\n{text or 'none'}" for name, text in parts) + "\n"
    )


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Stop(
            f"cannot write {path}: {error.strerror or error}; name another file with --out"
        ) from error
