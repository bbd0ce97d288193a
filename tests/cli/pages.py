"""What is made of tables: docs/settings.md, docs/cli.md, the pinned help, and ide-configs/.

Of docs/providers.md and docs/media.md the part between two marks is made.

`python -m tests.cli.pages` writes them anew; tests hold them equal to the tables.
"""

from collections.abc import Sequence
from contextlib import redirect_stdout, suppress
from functools import cache
from io import StringIO
from pathlib import Path

from omniroute.routing.catalog.providers import PROVIDERS, Provider, provider_named
from omniroute.routing.catalog.services import SERVICES, Service
from omniroute.server.cli.command import Command, Option
from omniroute.server.cli.commands import COMMANDS
from omniroute.server.cli.exits import EXITS
from omniroute.server.cli.parser import TOP, build_parser, setting_words
from omniroute.server.setting import Setting
from omniroute.server.settings_documented import DOCUMENTED, Documented
from omniroute.server.settings_names import SETTINGS
from tests.clients.ide_configs import configurations

ROOT = Path(__file__).parent.parent.parent
HELP = Path(__file__).parent / "help"
PROVIDERS_PAGE = ROOT / "docs/providers.md"
MEDIA_PAGE = ROOT / "docs/media.md"
MEDIA_SOURCE = "providers.json", "services.py"
BEGIN, END = (
    f"<!-- The rows {where} here are made by `python -m tests.cli.pages` from "
    "routing/catalog/providers.json; do not edit. -->"
    for where in ("from", "up to")
)
MADE = "<!-- Made by `python -m tests.cli.pages` from the tables in server/; do not edit. -->"


@cache
def pages() -> dict[Path, str]:
    """Give each page's path and text."""
    return {
        ROOT / "docs/settings.md": settings_page(),
        ROOT / "docs/cli.md": cli_page(),
        PROVIDERS_PAGE: providers_page(),
        MEDIA_PAGE: media_page(),
        **{HELP / f"{name}.txt": text for name, text in helps().items()},
        **configurations(),
    }


@cache
def helps() -> dict[str, str]:
    """Give the help of each command by a file's name."""
    found = {"omniroute": help_of("")}
    return found | {
        f"omniroute-{row.path.replace(' ', '-')}": help_of(row.path) for row in COMMANDS
    }


def help_of(path: str) -> str:
    """Give a command's help, as it prints it."""
    output = StringIO()
    with redirect_stdout(output), suppress(SystemExit):
        build_parser().parse_args([*path.split(), "--help"])
    return output.getvalue()


def settings_page() -> str:
    parts = [
        "# Settings",
        MADE,
        "What one process is told when it starts. Providers, keys, combos and budgets are no "
        "settings: they live in the database and are changed while the gateway runs.",
        "## Where a value comes from",
        "The first of these that has it:\n\n"
        "1. an option of the command line;\n"
        "2. an environment variable, of several the first in the setting's row;\n"
        "3. the `.env` file, which is the first one that exists of `.env` in the data folder, "
        "`~/.omniroute/.env` (Windows: `%APPDATA%\\omniroute\\.env`) and `./.env`;\n"
        "4. the default.\n\n"
        "An empty variable counts as not set, and keeps the file's value out as well: the file "
        "never overrides the environment. Values in the file are taken as they are written; "
        "`${NAME}` is not replaced. Provider keys are read from the file, too.\n\n"
        "A wrong value stops the start with exit status 78 and a message that names the variable "
        "or option, where it was found, and what would be right; several are all named at once. "
        "`omniroute doctor` shows every setting in force and from where.",
        "## The settings",
        _table(
            ("Setting", "Option", "Variables", "Default", "Unit", "Meaning"),
            [_setting(row) for row in SETTINGS],
        ),
        "A switch is `true` or `false`, also `1`/`0`, `yes`/`no`, `on`/`off`. A list has commas; "
        "its option may be given several times instead.",
        "## Documented variables that set nothing",
        "*refused*: what it asks for is not to be had, and going on as if nothing had been said "
        "would leave you less safe, or your data or listener elsewhere than you think; the start "
        "stops with exit status 78. *ignored*: it has no effect, and nothing of that kind is "
        "lost by it; `omniroute doctor` names it. *mapped*: another part reads it.",
        _table(
            ("Variable", "Outcome", "Why, or what to do instead"),
            [_documented(row) for row in DOCUMENTED],
        ),
        "A variable that begins with `OMNIROUTE_` and is on neither list is named by "
        "`omniroute doctor` with the name that was probably meant.",
        "## Provider keys",
        "A provider's key in its usual variable makes an account, without any other set-up; "
        "[providers](providers.md#the-providers) lists the variables. A value that is one of this "
        "gateway's own keys, and a base URL that leads to the gateway itself, are passed over, as "
        "the same variables also point clients at it; `omniroute doctor` says so.",
        "## The data folder",
        "`OMNIROUTE_DATA_DIR` or `DATA_DIR` or `--data-dir`; else `$XDG_CONFIG_HOME/omniroute` "
        "(Windows: `%APPDATA%\\omniroute`); else `~/.omniroute`. It is made for its owner alone "
        "(mode 0700), and several processes may share it.",
        _table(
            ("Entry", "What it is"),
            [
                ("`storage.sqlite`", "the database, when it is SQLite"),
                ("`db_backups/`", "[backups](backup.md) of the database"),
                ("`keyring.json`", "the keys under which provider secrets are sealed; mode 0600"),
                (
                    "`runtime/gateway.json`",
                    "the gateway that runs on the folder and the token by which commands of the "
                    "same user reach it; mode 0600",
                ),
                ("`.env`", "settings and provider keys; yours to make"),
            ],
        ),
    ]
    return "\n\n".join(parts) + "\n"


def providers_page() -> str:
    """Give the page as it stands, with the rows between its marks as the table has them."""
    text = PROVIDERS_PAGE.read_text(encoding="utf-8")
    before, after = text.partition(BEGIN)[0], text.partition(END)[2]
    headings = ("Provider", "Name", "Speaks", "Address", "Key", "Base URL", "Differs", "Source")
    rows = _table(headings, [_provider(row) for row in PROVIDERS])
    return f"{before}{BEGIN}\n\n{rows}\n\n{END}{after}"


def media_page() -> str:
    """Give the page as it stands, with the rows between its marks as the table has them."""
    text = MEDIA_PAGE.read_text(encoding="utf-8")
    begin, end = (mark.replace(*MEDIA_SOURCE) for mark in (BEGIN, END))
    before, after = text.partition(begin)[0], text.partition(end)[2]
    rows = _table(("Kind", "Provider", "Key", "Models"), [_service(row) for row in SERVICES])
    return f"{before}{begin}\n\n{rows}\n\n{end}{after}"


def _service(row: Service) -> tuple[str, ...]:
    known = provider_named(row.provider)
    keys = () if known is None else known.key_variables
    return row.kind, f"`{row.provider}`", _codes(keys) or "none needed", _codes(row.models) or "any"


def _provider(row: Provider) -> tuple[str, ...]:
    title = f"{row.title} (reseller)" if row.reseller else row.title
    blanks = [one for one in row.blanks if one.isupper()]
    keys = _codes(row.key_variables) or "none needed"
    return (
        _codes((row.name, *row.aliases)),
        title,
        row.dialect,
        f"`{row.base_url}`",
        f"{keys} (never unasked)" if row.broad_key else keys,
        _codes((*row.url_variables, *blanks)) or "-",
        _differences(row) or "-",
        f"[page]({row.source})" if row.source.startswith("https://") else row.source,
    )


def _differences(row: Provider) -> str:
    """Give in words what is changed for the provider."""
    quirks = row.quirks
    words = [f"`{old}` is sent as `{new}`" for old, new in quirks.renamed]
    if quirks.developer != "developer":
        words.append(f"`developer` messages are sent as `{quirks.developer}`")
    if quirks.alternates:
        words.append("neighbouring turns of one role are joined")
    if quirks.text_only:
        words.append("text parts are joined to a string")
    if quirks.schema == "json_object":
        words.append("a schema becomes `json_object`, and goes elsewhere when it is `strict`")
    if not quirks.tools:
        words.append("requests with tools go elsewhere")
    if quirks.tool_id_chars is not None:
        words.append(f"tool call ids get {quirks.tool_id_chars} letters and digits")
    left = [*quirks.refused, *(f"messages.{name}" for name in quirks.message_fields_refused)]
    if left:
        words.append(f"left out: {_codes(left)}")
    if not row.streams_usage:
        words.append("streams are not asked for usage")
    return "; ".join(words)


def cli_page() -> str:
    nouns = [row for row in COMMANDS if " " not in row.path]
    parts = [
        "# The command line",
        MADE,
        f"    omniroute {TOP.usage}",
        TOP.words,
        "A command that reads or changes something asks the gateway that runs on the data folder. "
        "When none runs it opens the data folder itself, does its work through the same routes, "
        "and closes it. Every listing takes `--json`; messages go to standard error.",
        "```console\n" + "\n".join(TOP.examples) + "\n```",
        _table(("Option", "Meaning"), [_option(one) for one in TOP.options] + _setting_options()),
        "## Exit status",
        _table(("Status", "Meaning"), [(str(code), words) for code, words in EXITS]),
    ]
    for noun in nouns:
        parts += _command_section(noun, "##")
        for row in COMMANDS:
            if row.path.startswith(f"{noun.path} "):
                parts += _command_section(row, "###")
    return "\n\n".join(parts) + "\n"


def _command_section(row: Command, level: str) -> list[str]:
    parts = [f"{level} omniroute {row.path}", f"{row.words[0].upper()}{row.words[1:]}."]
    if not row.target:
        return parts
    parts.append(f"    omniroute {row.path} {row.usage}")
    if row.aliases:
        parts.append(f"Also: {_codes(row.aliases)}.")
    options = [_option(one) for one in row.options if one.words]
    if row.settings == "all":
        options.append(("settings", "the options of settings, as above"))
    elif row.settings == "data_dir":
        options += [one for one in _setting_options() if one[0].startswith("`--data-dir")]
    if options:
        parts.append(_table(("Option", "Meaning"), options))
    if row.more:
        parts.append(row.more)
    if row.examples:
        parts.append("```console\n" + "\n".join(row.examples) + "\n```")
    return parts


def _setting(row: Setting) -> tuple[str, ...]:
    flag = f"`{row.flag}{f' {row.value_name}' if row.value_name else ''}`" if row.flag else "-"
    names = _codes([one.name for one in row.variables])
    return f"`{row.name}`", flag, names, row.default, row.unit or "-", row.meaning


def _setting_options() -> list[tuple[str, str]]:
    return [
        (f"`{row.flag}{f' {row.value_name}' if row.value_name else ''}`", setting_words(row))
        for row in SETTINGS
        if row.flag is not None
    ]


def _documented(row: Documented) -> tuple[str, ...]:
    outcome: str = row.outcome
    if row.harmless:
        outcome = f"{outcome}, unless {' or '.join(row.harmless)}"
    return f"`{row.name}`", outcome, row.words


def _option(one: Option) -> tuple[str, str]:
    name = f"`{one.name} {one.value}`" if one.value else f"`{one.name}`"
    return name, one.words


def _codes(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines
    )


def write() -> None:
    """Write every page."""
    for path, text in pages().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write()
