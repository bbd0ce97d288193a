"""The sockets that the gateway listens on, and the words for when it cannot."""

import socket

from .port_holder import holder_of
from .runtime_file import process_lives, read_running
from .settings import Settings

MCP_HOST, MCP_PORT = "127.0.0.1", 20130
"""Where `--dev` also listens, for MCP alone."""
BACKLOG = 2048


class CannotListen(Exception):
    """An address is not to be had. Says which, why, and what to do."""


def listen(settings: Settings) -> list[socket.socket]:
    """Give the gateway's listener, and with `--dev` the one for MCP after it.

    Raises:
        CannotListen: one of them is not to be had; then there is none.
    """
    sockets: list[socket.socket] = []
    try:
        sockets.append(_bound(settings.host, settings.port))
    except OSError as error:
        raise CannotListen(_words(settings, error)) from error
    if settings.dev:
        try:
            sockets.append(_bound(MCP_HOST, MCP_PORT))
        except OSError as error:
            sockets[0].close()
            raise CannotListen(
                f"Cannot listen on {MCP_HOST}:{MCP_PORT}, where --dev serves MCP: "
                f"{error.strerror or error}{holder_of(MCP_PORT)}. Leave out --dev (OMNIROUTE_DEV): "
                "MCP is served at /mcp of the gateway's own port as well. Or end what holds it."
            ) from error
    return sockets


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    one = socket.socket(family, socket.SOCK_STREAM)
    try:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.bind((host, port))
        one.listen(BACKLOG)
        one.setblocking(False)
    except OSError:
        one.close()
        raise
    return one


def _words(settings: Settings, error: OSError) -> str:
    other = read_running(settings.data_dir)
    if other is not None and process_lives(other.pid) and other.url == settings.local_url:
        return (
            f"A gateway of this data folder already runs at {other.url} (process {other.pid}). "
            "Use it as it is, or stop it first."
        )
    return (
        f"Cannot listen on {settings.host}:{settings.port}: {error.strerror or error}. Choose "
        "another port with --port, or end what holds it (`omniroute doctor` looks)."
    )
