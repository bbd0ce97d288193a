"""The command `omniroute simulator`: the simulated provider as a server of its own."""

import argparse
import asyncio
import signal
import sys
from collections.abc import Sequence

from .routes import BASES
from .simulator import Simulator, serve

HOST_DEFAULT = "127.0.0.1"
PORT_DEFAULT = 20_129


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until interrupted; give the exit code."""
    parser = argparse.ArgumentParser(prog="omniroute simulator", description=__doc__)
    parser.add_argument("--host", default=HOST_DEFAULT, help="address to listen on")
    parser.add_argument("--port", type=int, default=PORT_DEFAULT, help="0 takes any free port")
    asked = parser.parse_args(argv)
    return run(asked.host, asked.port)


def run(host: str, port: int) -> int:
    """Serve until interrupted; give the exit code: 0, or 1 when it cannot listen there."""
    try:
        asyncio.run(_until_stopped(host, port))
    except OSError as error:
        sys.stderr.write(
            f"omniroute simulator: cannot listen on {host}:{port}: {error.strerror or error}; "
            "choose another --port\n"
        )
        return 1
    except KeyboardInterrupt:
        pass
    return 0


async def _until_stopped(host: str, port: int) -> None:
    """Serve until SIGTERM, where there is one, or until an interrupt cancels it."""
    serving = asyncio.ensure_future(serve(host, port, ready=_announce))
    if sys.platform != "win32":
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, serving.cancel)
    try:
        await serving
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise


def _announce(simulator: Simulator) -> None:
    lines = [f"The simulated provider listens on {simulator.url} (any API key is accepted)."]
    lines += [f"  {dialect:<16} {simulator.url}{base}" for dialect, base in BASES.items()]
    lines.append(f"  {'Anthropic SDKs':<16} {simulator.url} (they add /v1 themselves)")
    lines.append(f"  control          {simulator.url}/control")
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
