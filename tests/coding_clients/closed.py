"""A network of this process's own, with nothing in it but loopback: nothing can call out.

Source: network_namespaces(7), netdevice(7) for the request that takes loopback up.
"""

import fcntl
import socket
import struct

_GET_FLAGS, _SET_FLAGS = 0x8913, 0x8914
_UP = 1
_REQUEST = "16sh14s"

COMMAND = ("unshare", "--user", "--map-root-user", "--net")
"""Runs a command in a network of its own (unshare(1), of util-linux)."""


def take_loopback_up() -> None:
    """Have 127.0.0.1 answer."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        asked = struct.pack(_REQUEST, b"lo", 0, b"")
        name, flags, rest = struct.unpack(_REQUEST, fcntl.ioctl(made, _GET_FLAGS, asked))
        fcntl.ioctl(made, _SET_FLAGS, struct.pack(_REQUEST, name, flags | _UP, rest))


def is_closed() -> bool:
    """Whether no address but this machine's own can be reached."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        try:
            made.connect(("192.0.2.1", 9))
        except OSError:
            return True
    return False
