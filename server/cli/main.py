"""The `omniroute` command: reads the command line and runs one command.

Nothing is imported here but what every command needs: `omniroute --help` must answer at once.
Whatever goes wrong ends as one message on standard error and an exit status of exits.py; a
traceback is shown only to those who ask for it with OMNIROUTE_LOG_LEVEL=debug.
"""

import argparse
import io
import os
import sys
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and give its exit status.

    Args:
        argv: the words after the program's name; None takes the process's own.
    """
    from .parser import build_parser, given_settings

    if isinstance(sys.stdout, io.TextIOWrapper):
        # A name that the terminal's encoding lacks must not end a command.
        sys.stdout.reconfigure(errors="replace")
    arguments = build_parser().parse_args(argv)
    if arguments.version:
        from importlib.metadata import version

        sys.stdout.write(f"omniroute {version('omniroute')}\n")
        return 0
    try:
        status = _run(arguments, given_settings(arguments))
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read our output has seen enough, as `head` does. Python would complain once
        # more when it flushes at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130
    except Exception as error:  # noqa: BLE001 - the one place where every error ends as a message
        return _failed(error)
    return status


def _run(arguments: argparse.Namespace, given: dict[str, str]) -> int:
    from importlib import import_module
    from pathlib import Path

    from ..settings import load_settings

    if arguments.mcp:
        from .relay_stdio import claim_stdio

        # First of all: nothing that is loaded from here on may print into the protocol.
        stdio = claim_stdio()
        from .relay import run

        run(load_settings(given, os.environ, Path.cwd())[0], stdio)
    settings, sources = load_settings(given, os.environ, Path.cwd())
    module, _, function = arguments.target.partition(":")
    command = getattr(import_module(f"omniroute.server.cli.{module}"), function)
    return int(command(arguments, settings, sources))


def _failed(error: Exception) -> int:
    """Say what went wrong and give the exit status."""
    from omniroute.routing.errors import RoutingError, StorageUnavailable

    from ..settings import SettingsError
    from .exits import CONFIGURATION, FAILED, Stop, exit_status
    from .output import complain

    if os.environ.get("OMNIROUTE_LOG_LEVEL", "").lower() == "debug":
        import traceback

        traceback.print_exception(error)
    while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    match error:
        case Stop():
            status, words = error.status, str(error)
        case SettingsError():
            status, words = CONFIGURATION, str(error)
        case StorageUnavailable():
            status, words = CONFIGURATION, str(error)
        case RoutingError():
            status, words = exit_status(error.status), str(error)
        case OSError():
            status, words = FAILED, str(error)
        case _:
            status = FAILED
            words = (
                f"unexpected {type(error).__name__}: {error}\n"
                "This is a fault of OmniRoute. OMNIROUTE_LOG_LEVEL=debug shows where it was."
            )
    complain(f"omniroute: {words}")
    return status


if __name__ == "__main__":
    sys.exit(main())
