"""Ways to write addresses that must not be reached: what parsers, resolvers and people accept.

Each is a URL's host, or a whole URL, with the zone of the address that somebody may read in it.
Sources: inet_aton(3) for the old forms of IPv4; RFC 4291, 6052, 3056, 4380, 2765 and 8215 for
IPv4 within IPv6; the OWASP cheat sheet on server-side request forgery (read 2026-11).
"""

import ipaddress
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Zone = Literal["never", "private"]

NEVER_V4 = (
    *("169.254.169.254", "169.254.170.2", "169.254.0.1", "100.100.100.200", "168.63.129.16"),
    *("192.0.0.192", "0.0.0.0", "0.1.2.3", "255.255.255.255", "224.0.0.1", "239.255.255.250"),
    *("240.0.0.1", "192.0.2.1", "198.51.100.1", "203.0.113.1", "192.88.99.1"),
)
PRIVATE_V4 = (
    *("127.0.0.1", "127.0.0.53", "127.255.255.254", "10.0.0.1", "10.255.255.255", "172.16.0.1"),
    *("172.31.255.254", "192.168.0.1", "192.168.255.1", "100.64.0.1", "198.18.0.1"),
)
NEVER_V6 = (
    *("fe80::1", "fe80::a9fe:a9fe", "fd00:ec2::254", "fd20:ce::254", "ff02::1", "ff05::2", "::"),
    *("2001:db8::1", "3fff::1", "100::1", "4000::1", "fec0::1", "5f00::1", "2001:0:53aa::1"),
)
PRIVATE_V6 = ("::1", "fc00::1", "fd12:3456:789a::1")
NAMES = ("localhost", "LOCALHOST", "localhost.", "a.localhost", "a.b.localhost.", "LocalHost")
MIXED = 45
"""How many mixtures of notations of one address are drawn, with a fixed seed."""


@dataclass(frozen=True)
class Spelling:
    """What somebody writes, and the zone that it leads to when it is read that way."""

    url: str
    zone: Zone


def spellings() -> tuple[Spelling, ...]:
    """Give all of them, each URL once."""
    found: dict[str, Zone] = {}
    old: tuple[tuple[Zone, tuple[str, ...]], ...] = (("never", NEVER_V4), ("private", PRIVATE_V4))
    for zone, addresses in old:
        for address in addresses:
            for host in hosts_v4(ipaddress.IPv4Address(address)):
                found.setdefault(f"https://{host}/v1", zone)
            for url in dressed(address):
                found.setdefault(url, zone)
    new: tuple[tuple[Zone, tuple[str, ...]], ...] = (("never", NEVER_V6), ("private", PRIVATE_V6))
    for zone, addresses in new:
        for address in addresses:
            for text in texts_v6(ipaddress.IPv6Address(address)):
                found.setdefault(f"https://[{text}]/v1", zone)
    for name in NAMES:
        found.setdefault(f"https://{name}/v1", "private")
    return tuple(Spelling(url, zone) for url, zone in found.items())


def hosts_v4(address: ipaddress.IPv4Address) -> Iterator[str]:
    """Give an address as hosts of URLs."""
    yield from old_forms(address)
    for inner in inside_v6(address):
        yield from (f"[{text}]" for text in texts_v6(inner))
    yield f"[::ffff:{address}]"
    yield f"[::{address}]"
    yield f"[64:ff9b::{address}]"
    yield f"[::ffff:0:{address}]"


def old_forms(address: ipaddress.IPv4Address) -> Iterator[str]:
    """Give the forms of inet_aton: one to four parts, each decimal, octal or hexadecimal."""
    a, b, c, d = address.packed
    shapes = ((a, b, c, d), (a, b, c << 8 | d), (a, b << 16 | c << 8 | d), (int(address),))
    digits = (str, hex, lambda n: f"0X{n:X}", lambda n: f"0{n:o}", lambda n: f"0x{n:010x}")
    for shape in shapes:
        for write in (*digits, lambda n: f"{n:012o}"):
            yield ".".join(write(part) for part in shape)
    drawn = random.Random(int(address))
    for _ in range(MIXED):
        yield ".".join(drawn.choice(digits)(part) for part in drawn.choice(shapes))


def inside_v6(address: ipaddress.IPv4Address) -> Iterator[ipaddress.IPv6Address]:
    """Give the IPv6 addresses that lead, or once led, to an IPv4 one."""
    number = int(address)
    for prefix in (
        "::ffff:0:0",
        "64:ff9b::",
        "::",
        "::ffff:0:0:0",
        "64:ff9b:1::",
        "fe80::5efe:0:0",
    ):
        yield ipaddress.IPv6Address(int(ipaddress.IPv6Address(prefix)) | number)
    yield ipaddress.IPv6Address(0x2002 << 112 | number << 80 | 1)
    # Teredo: the client's address with its bits turned over.
    yield ipaddress.IPv6Address(0x2001 << 112 | 0x53AA << 80 | (number ^ 0xFFFF_FFFF))


def texts_v6(address: ipaddress.IPv6Address) -> Iterator[str]:
    """Give the ways to write one IPv6 address."""
    yield address.compressed
    yield address.exploded
    yield address.compressed.upper()
    yield ":".join(part.lstrip("0") or "0" for part in address.exploded.split(":"))
    yield f"{address.compressed}%25eth0"
    yield f"{address.compressed}%1"


def dressed(address: str) -> Iterator[str]:
    """Give whole URLs in which a careless reader finds an address."""
    wide = str.maketrans(
        "0123456789.", "\uff10\uff11\uff12\uff13\uff14\uff15\uff16\uff17\uff18\uff19\u3002"
    )
    yield f"https://{address}./v1"
    yield f"https://{address}:443/v1"
    yield f"https://{address}:8443/v1"
    yield f"http://{address}/v1"
    yield f"HTTPS://{address}/v1"
    yield f"https://{address.translate(wide)}/v1"
    yield f"https://{address.replace('.', chr(0x3002))}/v1"
    yield f"https://{address.replace('.', '%2e')}/v1"
    yield "https://" + "".join(f"%{ord(one):02x}" for one in address) + "/v1"
    yield f"https://api.example.com@{address}/v1"
    yield f"https://someone:secret@{address}/v1"
    yield f"https://api.example.com%40{address}/v1"
    yield f"https://api.example.com\\@{address}/v1"
    yield f"https://{address}\\@api.example.com/v1"
    yield f"https://{address}#@api.example.com/v1"
    yield f"https://{address}?@api.example.com/v1"
    yield f"https://\t{address}/v1"
    yield f"https://{address}\r\nhost: api.example.com/v1"
    yield f"https:/{address}/v1"
    yield f"https:///{address}/v1"
    yield f"//{address}/v1"
    yield f"https://[{address}]/v1"
    yield f"gopher://{address}:443/v1"
    yield f"ftp://{address}/v1"
    yield f"file://{address}/etc/passwd"
    yield f"dict://{address}:443/v1"
    yield f"jar:https://{address}!/v1"
