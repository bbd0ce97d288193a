"""The parser of the command line, made from the tables of commands and settings."""

import argparse
import re
import textwrap
from typing import Any, NoReturn

from ..setting import Setting
from ..settings_names import SETTINGS, setting
from .command import Command, Option
from .commands import COMMANDS
from .exits import EXITS

WIDTH = 92

MCP = Option(
    "--mcp",
    "serve MCP on standard input and output, for a client that starts us; uses the gateway of "
    "the data folder, or starts one",
    arity="switch",
)
TOP = Command(
    "",
    "One gateway for agents and people: MCP, A2A and /v1 over one routing engine.\n"
    "Without a command it serves.",
    "serve:serve",
    "[options] [command ...]",
    options=(Option("--version", "say the version and end", arity="switch"), MCP),
    examples=(
        "omniroute                          start on 127.0.0.1:20128",
        "omniroute --port 8080 --no-open    start elsewhere",
        'omniroute chat "Say hello"         ask the gateway from here',
        "omniroute explain --last           why the last request went where it went",
    ),
    more="Settings come from options, then the environment, then the first .env file of the "
    "data folder, ~/.omniroute and the working directory; docs/settings.md lists them, and "
    "`omniroute doctor` says what is in force and from where.",
    settings="all",
)
EXIT_WORDS = "exit status:\n" + "\n".join(f"  {code:>3}  {words}" for code, words in EXITS)

FOLDER = "command"
"""What an error calls the place of a command."""

_COUNTS = {"optional": "?", "any": "*", "some": "+"}


class Parser(argparse.ArgumentParser):
    """A parser that takes no abbreviations and says where help is."""

    def __init__(self, **words: Any) -> None:
        super().__init__(
            allow_abbrev=False,
            formatter_class=lambda prog: argparse.RawDescriptionHelpFormatter(
                prog, max_help_position=32, width=WIDTH
            ),
            **words,
        )

    def format_help(self) -> str:
        """Give the help without the line that argparse puts above a list of commands."""
        return re.sub(rf"\ncommands:\n +{FOLDER}\n", "\ncommands:\n", super().format_help())

    def error(self, message: str) -> NoReturn:
        """End with the message and exit status 2."""
        self.exit(2, f"{self.prog}: {message}\nRun `{self.prog} --help` for what is possible.\n")


def build_parser() -> Parser:
    """Give the parser of the whole command line.

    What it parses into has `target`, one attribute for each option of the command, and
    `set_<name>` for each setting that was given: a text, or a list of texts.
    """
    parser = Parser(
        prog="omniroute",
        usage=f"omniroute {TOP.usage}",
        description=TOP.words,
        epilog=f"{_epilog(TOP)}\n\n{EXIT_WORDS}",
    )
    _add_options(parser, TOP)
    folders = {"": _folder(parser)}
    for command in COMMANDS:
        noun, _, name = command.path.rpartition(" ")
        added = folders[noun].add_parser(
            name,
            prog=f"omniroute {command.path}",
            usage=f"omniroute {command.path} {command.usage}",
            help=command.words,
            description=command.words[0].upper() + command.words[1:] + ".",
            epilog=_epilog(command),
            aliases=command.aliases,
        )
        _add_options(added, command)
        if not command.target:
            folders[command.path] = _folder(added, required=True)
    return parser


def given_settings(arguments: argparse.Namespace) -> dict[str, str]:
    """Give the settings that the command line sets, as load_settings takes them."""
    return {
        name.removeprefix("set_"): ",".join(value) if isinstance(value, list) else value
        for name, value in vars(arguments).items()
        if name.startswith("set_")
    }


def setting_words(row: Setting) -> str:
    """Give what a setting's option does, in one sentence with its default."""
    sentence = row.meaning.partition(". ")[0].rstrip(".")
    words = row.flag_words or sentence[0].lower() + sentence[1:]
    if row.repeats:
        words += "; may be repeated"
    return f"{words} (default: {row.default})" if row.value_name else words


def _folder(parser: Parser, *, required: bool = False) -> Any:
    return parser.add_subparsers(
        title="commands", metavar=FOLDER, dest="verb" if required else "noun", required=required
    )


def _add_options(parser: Parser, command: Command) -> None:
    parser.set_defaults(target=command.target)
    for option in command.options:
        _add_option(parser, option)
    for row in SETTINGS if command.settings == "all" else (setting("data_dir"),):
        if row.flag is not None and command.settings != "none":
            _add_setting(parser, row, row.flag)


def _add_option(parser: Parser, option: Option) -> None:
    words = option.words.replace("%", "%%") or argparse.SUPPRESS
    named = option.name.startswith("--")
    match option.arity:
        case "switch":
            names = ("-v", option.name) if option.name == "--version" else (option.name,)
            parser.add_argument(*names, action="store_true", help=words)
        case "repeated":
            parser.add_argument(
                option.name, action="append", default=[], metavar=option.value, help=words
            )
        case "port":
            parser.add_argument(
                option.name, type=_port, default=option.default, metavar=option.value, help=words
            )
        case "one" if named:
            parser.add_argument(
                option.name, default=option.default, metavar=option.value, help=words
            )
        case _:
            parser.add_argument(option.name, nargs=_COUNTS.get(option.arity), help=words)


def _add_setting(parser: Parser, row: Setting, flag: str) -> None:
    words: dict[str, Any] = {
        "dest": f"set_{row.name}",
        # Absent when not given: a command without the option must not undo one before it.
        "default": argparse.SUPPRESS,
        "help": setting_words(row).replace("%", "%%"),
    }
    if not row.value_name:
        words |= {"action": "store_const", "const": "false" if flag.startswith("--no-") else "true"}
    elif row.repeats:
        words |= {"action": "append", "metavar": row.value_name}
    else:
        words |= {"metavar": row.value_name}
    parser.add_argument(flag, **words)


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65_535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port: give a number from 0 to 65535")
    return int(text)


def _epilog(command: Command) -> str | None:
    parts = []
    if command.examples:
        parts.append("examples:\n" + "\n".join(f"  {one}" for one in command.examples))
    if command.more:
        parts.append(textwrap.fill(command.more, WIDTH - 2))
    return "\n\n".join(parts) or None
