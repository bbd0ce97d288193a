"""Sizes as settings have them: a number with its unit."""

import re

BODY_BYTES_MIN = 1024
BODY_BYTES_MAX = 2**30
_UNITS = {
    "": 1,
    "b": 1,
    "kb": 1000,
    "mb": 1000**2,
    "gb": 1000**3,
    "tb": 1000**4,
    "k": 2**10,
    "m": 2**20,
    "g": 2**30,
    "t": 2**40,
    "kib": 2**10,
    "mib": 2**20,
    "gib": 2**30,
    "tib": 2**40,
}

_SIZE = re.compile(r"([0-9]{1,18})\s*([a-zA-Z]{0,3})")


def read_size(text: str) -> int:
    """Give a number of bytes, from 1 KiB to 1 GiB."""
    size = bytes_of(text)
    if not BODY_BYTES_MIN <= size <= BODY_BYTES_MAX:
        raise ValueError("give a number of bytes from 1KiB to 1GiB, such as 33554432 or 32MiB")
    return size


def bytes_of(text: str) -> int:
    """Give a number of bytes with its unit, 0 for what is none."""
    found = _SIZE.fullmatch(text.strip())
    unit = _UNITS.get(found[2].lower()) if found else None
    return int(found[1]) * unit if found and unit else 0
