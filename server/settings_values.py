"""The text of a setting into its value: one pure function a kind.

Each raises ValueError with words that say what would be right; settings.py puts in front of
them which variable it was and where that came from. No function repeats a secret.
"""

import math
import re
import sys
from collections.abc import Callable, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any
from urllib.parse import urlsplit

from .setting import Kind
from .settings_sizes import bytes_of, read_size

Network = IPv4Network | IPv6Network

KEPT_MAX = 1_000_000_000
KEPT_BYTES_MIN, KEPT_BYTES_MAX = 2**20, 2**50
WORKERS_MAX = 64
COUNT_MAX = 1_000_000
SECONDS_MAX = 86_400.0
DAYS_MAX = 36_500
MEMORY_BYTES_MIN = 64 * 2**20
MEMORY_BYTES_MAX = 2**40
SECRET_CHARS_MIN = 32
"""Of each of several; store/keyring.py asks for the same."""
ITEMS_MAX = 100
"""Entries of a list, such as trusted proxies."""

_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})
_LEVELS = {
    "trace": "debug",
    "debug": "debug",
    "info": "info",
    "warn": "warning",
    "warning": "warning",
    "error": "error",
    "fatal": "error",
}
_HOST = re.compile(r"[a-z0-9_]([a-z0-9_.-]{0,252})")


class NotMeantForUs(ValueError):
    """The variable holds something that others put there; it is passed over with a note."""


def read_address(text: str) -> str:
    """Give an IP address; localhost is 127.0.0.1."""
    name = text.strip().strip("[]").lower()
    if name == "localhost":
        return "127.0.0.1"
    try:
        return str(ip_address(name))
    except ValueError:
        raise ValueError(
            "give an IP address of this machine, or localhost; 0.0.0.0 listens on every address"
        ) from None


def read_machine_name(text: str) -> str:
    """Give the address of a HOSTNAME that was meant as one.

    Raises:
        NotMeantForUs: it is a machine's name, as shells and containers set it.
    """
    try:
        return read_address(text)
    except ValueError:
        raise NotMeantForUs(
            "it is a machine's name, no IP address; set OMNIROUTE_HOST or --host to choose "
            "where to listen"
        ) from None


def read_port(text: str) -> int:
    """Give a port number, 0 for any free one."""
    if not re.fullmatch(r"[0-9]{1,5}", text.strip()) or int(text) > 65_535:
        raise ValueError("give a number from 0 to 65535, such as 20128")
    return int(text)


def read_workers(text: str) -> int:
    """Give a number of processes."""
    if not re.fullmatch(r"[0-9]{1,3}", text.strip()) or not 1 <= int(text) <= WORKERS_MAX:
        raise ValueError(f"give a number from 1 to {WORKERS_MAX}, such as one for each core")
    if int(text) > 1 and sys.platform != "linux":
        raise ValueError("several processes on one port are to be had on Linux alone; give 1")
    return int(text)


def read_folder(text: str) -> str:
    """Give a path as it was written."""
    return _path(text, "a folder")


def read_file(text: str) -> str:
    """Give a path as it was written."""
    return _path(text, "a file")


def read_url(text: str) -> str:
    """Give an http(s) URL without the slash at its end."""
    url = text.strip().rstrip("/")
    words = "give a whole URL such as https://gateway.example.com"
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ValueError(words) from None
    if parts.scheme not in ("http", "https") or not host:
        raise ValueError(words)
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError(f"{words}, with no user, query or fragment")
    if parts.path.endswith("/v1"):
        raise ValueError("give the URL without /v1: clients add it themselves")
    return url


def read_networks(text: str) -> tuple[Network, ...]:
    """Give the networks of a list with commas; a plain address is a network of one."""
    found: list[Network] = []
    for item in _items(text):
        try:
            network = ip_network(item, strict=False)
        except ValueError:
            raise ValueError(
                f"{item[:64]!r} is no address and no network; give such as 10.0.0.1 or 10.0.0.0/8"
            ) from None
        if not network.prefixlen:
            raise ValueError(
                "that is every address, and whoever is trusted can say that he is somebody else: "
                "give the addresses of your proxies alone"
            )
        found.append(network)
    return tuple(found)


def read_hosts(text: str) -> tuple[str, ...]:
    """Give the host names of a list with commas, in lower case."""
    return tuple(_host(item) for item in _items(text))


def read_origins(text: str) -> tuple[str, ...]:
    """Give the web origins of a list with commas, in lower case."""
    return tuple(_origin(item) for item in _items(text))


def read_require_key(text: str) -> str:
    """Give `auto` or `always`."""
    value = text.strip().lower()
    if value not in ("auto", "always"):
        raise ValueError("give auto or always")
    return value


def read_require_key_switch(text: str) -> str:
    """Give `always` for a switch that is on, else `auto`."""
    return "always" if read_switch(text) else "auto"


def read_memory(text: str) -> int:
    """Give a number of bytes, from 64 MiB to 1 TiB."""
    size = bytes_of(text)
    if not MEMORY_BYTES_MIN <= size <= MEMORY_BYTES_MAX:
        raise ValueError("give a number of bytes from 64MiB to 1024GiB, such as 512MiB")
    return size


def read_mebibytes(text: str) -> int:
    """Give the bytes of a number of mebibytes, from 64 to 1048576."""
    if not text.strip().isdecimal():
        raise ValueError("give a whole number of mebibytes from 64 to 1048576, such as 512")
    return read_memory(f"{text.strip()}MiB")


def read_count(text: str) -> int:
    """Read a whole number of at least 1."""
    if not text.strip().isdecimal() or not 1 <= int(text) <= COUNT_MAX:
        raise ValueError(f"give a whole number from 1 to {COUNT_MAX}")
    return int(text)


def read_seconds(text: str) -> float:
    """Give seconds, more than 0 and at most a day."""
    seconds = _number(text)
    if not 0 < seconds <= SECONDS_MAX:
        raise ValueError("give seconds, more than 0 and at most 86400, such as 60 or 2.5")
    return seconds


def read_seconds_or_never(text: str) -> float | None:
    """Give seconds, None for 0 or `never`."""
    if text.strip().lower() == "never" or _number(text) == 0:
        return None
    return read_seconds(text)


def read_days_or_never(text: str) -> float | None:
    """Give days, None for 0 or `never`."""
    days = _number(text)
    if text.strip().lower() == "never" or days == 0:
        return None
    if not 1 <= days <= DAYS_MAX:
        raise ValueError(f"give days, from 1 to {DAYS_MAX}, such as 90, or never")
    return days


def read_count_or_never(text: str) -> int | None:
    """Give a number of things that are kept, None for 0 or `never`."""
    word = text.strip().lower().replace("_", "")
    if word in ("never", "0"):
        return None
    if not (word.isascii() and word.isdecimal()) or not 1 <= int(word[:20]) <= KEPT_MAX:
        raise ValueError(f"give a number from 1 to {KEPT_MAX}, or never")
    return int(word)


def read_size_or_never(text: str) -> int | None:
    """Give a number of bytes that may be kept, at least 1 MiB; None for 0 or `never`."""
    if text.strip().lower() in ("never", "0"):
        return None
    size = bytes_of(text)
    if not KEPT_BYTES_MIN <= size <= KEPT_BYTES_MAX:
        raise ValueError("give a number of bytes from 1MiB to 1024TiB, such as 10GiB, or never")
    return size


def read_milliseconds(text: str) -> float:
    """Give the seconds of a number of milliseconds."""
    seconds = _number(text) / 1000
    if not 0 < seconds <= SECONDS_MAX:
        raise ValueError("give milliseconds, more than 0 and at most 86400000, such as 60000")
    return seconds


def read_level(text: str) -> str:
    """Give a log level's name."""
    level = _LEVELS.get(text.strip().lower())
    if level is None:
        raise ValueError("give debug, info, warning or error")
    return level


def read_log_format(text: str) -> str:
    """Give how log lines read."""
    name = text.strip().lower()
    if name not in ("text", "json"):
        raise ValueError("give text or json")
    return name


def read_switch(text: str) -> bool:
    """Give what a switch says."""
    value = text.strip().lower()
    if value not in _TRUE | _FALSE:
        raise ValueError("give true or false")
    return value in _TRUE


def read_database(text: str) -> str:
    """Give a database URL; what is wrong with one is said without repeating its password."""
    url = text.strip()
    if not re.match(r"(sqlite:///|postgres(ql)?://)", url):
        raise ValueError(
            "give postgresql://user:password@host:port/name or sqlite:////absolute/file"
        )
    return url


def read_secret(text: str) -> str:
    """Give one secret or several, each long enough to be one."""
    parts = text.replace(",", " ").split()
    if not parts or min(map(len, parts)) < SECRET_CHARS_MIN:
        raise ValueError(
            f"give at least {SECRET_CHARS_MIN} random characters, or remove it and one is made"
        )
    return text.strip()


def read_proxy(text: str) -> str:
    """Give the URL of a proxy; what is wrong with one is said without repeating it."""
    from omniroute.routing.errors import UpstreamFailure  # noqa: PLC0415 - only who sets one pays
    from omniroute.routing.upstream.tunnel import parse_proxy  # noqa: PLC0415

    try:
        parse_proxy(text.strip())
    except UpstreamFailure as refusal:
        raise ValueError(str(refusal)) from None
    return text.strip()


def read_password(text: str) -> str:
    """Give a password.

    Raises:
        NotMeantForUs: it is an example's, or too easy to guess; nobody is let in by it.
    """
    from .passwords import WeakPassword, checked_password  # noqa: PLC0415 - only who sets one pays

    try:
        return checked_password(text)
    except WeakPassword as weak:
        raise NotMeantForUs(f"no password was set with it, as {weak}") from None


READERS: Mapping[Kind, Callable[[str], Any]] = {
    "address": read_address,
    "machine_name": read_machine_name,
    "port": read_port,
    "workers": read_workers,
    "count": read_count,
    "folder": read_folder,
    "file": read_file,
    "url": read_url,
    "networks": read_networks,
    "hosts": read_hosts,
    "origins": read_origins,
    "require_key": read_require_key,
    "require_key_switch": read_require_key_switch,
    "size": read_size,
    "memory": read_memory,
    "mebibytes": read_mebibytes,
    "seconds": read_seconds,
    "seconds_or_never": read_seconds_or_never,
    "days_or_never": read_days_or_never,
    "count_or_never": read_count_or_never,
    "size_or_never": read_size_or_never,
    "milliseconds": read_milliseconds,
    "level": read_level,
    "log_format": read_log_format,
    "switch": read_switch,
    "database": read_database,
    "secret": read_secret,
    "proxy": read_proxy,
    "password": read_password,
}


def _path(text: str, kind: str) -> str:
    if not text.strip() or "\0" in text:
        raise ValueError(f"give the path of {kind}")
    return text.strip()


def _items(text: str) -> list[str]:
    items = [item.strip().lower() for item in text.split(",")]
    found = [item for item in items if item]
    if len(found) > ITEMS_MAX:
        raise ValueError(f"give at most {ITEMS_MAX} entries")
    return found


def _host(item: str) -> str:
    name = item.strip("[]")
    if _HOST.fullmatch(name):
        return name
    try:
        return str(ip_address(name))
    except ValueError:
        raise ValueError(
            f"{item[:64]!r} is no host name; give names without scheme, port or *, such as "
            "gateway.example.com"
        ) from None


def _origin(item: str) -> str:
    if item == "*":
        raise ValueError(
            "with * every web page that its user visits could spend your money: give the "
            "origins that may, such as https://app.example.com, or remove it"
        )
    words = f"{item[:64]!r} is no web origin; give such as https://app.example.com"
    try:
        parts = urlsplit(item.rstrip("/"))
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ValueError(words) from None
    # Desktop clients have origins of their own schemes, such as app://obsidian.md.
    if not parts.scheme or not host or parts.path or parts.query or parts.fragment:
        raise ValueError(words)
    return item.rstrip("/")


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        return math.nan
    return number if math.isfinite(number) else math.nan
