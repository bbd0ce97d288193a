"""A network of this process's own in which every address is here, and what was sent in it.

Whoever connects anywhere gets as far as this machine, and the packet that asked is on record:
not by what a program says of itself, but by what the kernel was given to send.

Sources: packet(7); ip-route(8) on routes of type local; RFC 9293, section 3.1; RFC 8200.
"""

import contextlib
import ipaddress
import socket
import subprocess

ANY_PROTOCOL = 3
IPV4, IPV6 = 0x0800, 0x86DD
TCP, UDP = 6, 17
BUFFER_BYTES = 8 * 2**20
COMMAND = ("unshare", "--user", "--map-root-user", "--net")
SET_UP = (
    "ip link set lo up",
    "ip route add local 0.0.0.0/0 dev lo",
    "ip -6 route add local ::/0 dev lo",
)


class Sink:
    """Sees every packet of the network that it is made in."""

    def __init__(self) -> None:
        for line in SET_UP:
            subprocess.run(line.split(), check=True, capture_output=True, timeout=10)
        self._packets = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ANY_PROTOCOL))
        self._packets.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
        self._packets.setblocking(False)

    def asked(self) -> set[tuple[str, int]]:
        """Give where somebody has asked for a connection, or sent a datagram, since last time."""
        found: set[tuple[str, int]] = set()
        with contextlib.suppress(BlockingIOError):
            while True:
                place = _destination(self._packets.recv(65_536))
                if place is not None:
                    found.add(place)
        return found

    def close(self) -> None:
        self._packets.close()


def _destination(frame: bytes) -> tuple[str, int] | None:
    """Give where a packet leads that begins something; None for all others."""
    kind = int.from_bytes(frame[12:14], "big")
    packet = frame[14:]
    if kind == IPV4:
        protocol, address = packet[9], packet[16:20]
        inner = packet[(packet[0] & 0xF) * 4 :]
    elif kind == IPV6:
        protocol, address, inner = packet[6], packet[24:40], packet[40:]
    else:
        return None
    begins = protocol == UDP or (protocol == TCP and inner[13] & 0x12 == 0x02)
    port = int.from_bytes(inner[2:4], "big")
    return (str(ipaddress.ip_address(address)), port) if begins else None
