"""Bodies and streams that something has damaged: for tests that nothing may break on.

Every damage is drawn from a number alone, so that a failure names all that is needed to see it
again.
"""

import json
import random
from collections.abc import Callable
from typing import Any

HUGE = (10**400, -(10**30), 1e308, -0.0, 2**63, 0)
ODD: tuple[Any, ...] = (None, True, False, "", "x", [], {}, [[]], {"": None}, "\ud800", *HUGE)
DEPTHS = (50, 500, 2_000, 20_000)


def damaged(sample: bytes, draw: random.Random) -> bytes:
    """Give a sample with one to three damages."""
    for _ in range(draw.randint(1, 3)):
        sample = draw.choice(_DAMAGES)(sample, draw)
    return sample


def chunks_of(data: bytes, draw: random.Random) -> list[bytes]:
    """Cut bytes into some pieces, anywhere."""
    cuts = sorted(draw.randrange(len(data) + 1) for _ in range(draw.randint(0, 4)))
    return [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True)]


def _bits(data: bytes, draw: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(draw.randint(1, 4)):
        if changed:
            changed[draw.randrange(len(changed))] ^= 1 << draw.randrange(8)
    return bytes(changed)


def _cut(data: bytes, draw: random.Random) -> bytes:
    return data[: draw.randrange(len(data) + 1)]


def _left_out(data: bytes, draw: random.Random) -> bytes:
    start = draw.randrange(len(data) + 1)
    return data[:start] + data[start + draw.randint(1, 40) :]


def _repeated(data: bytes, draw: random.Random) -> bytes:
    start = draw.randrange(len(data) + 1)
    piece = data[start : start + draw.randint(1, 400)]
    return data[:start] + piece * draw.randint(2, 3) + data[start:]


def _moved(data: bytes, draw: random.Random) -> bytes:
    """Put lines in another order: events that come too late, or twice."""
    lines = data.split(b"\n\n")
    first, second = draw.randrange(len(lines)), draw.randrange(len(lines))
    lines[first], lines[second] = lines[second], lines[first]
    return b"\n\n".join(lines)


def _other_value(data: bytes, draw: random.Random) -> bytes:
    return _with_json(data, draw, lambda value: _changed(value, draw))


def _nested(data: bytes, draw: random.Random) -> bytes:
    """Put deep brackets in the place of a value."""
    depth = draw.choice(DEPTHS)
    opening, closing = draw.choice((("[", "]"), ('{"a":', "}")))
    deep = opening * depth + "1" + closing * draw.choice((depth, depth - 1))
    at = data.find(b":", draw.randrange(len(data) + 1))
    return data if at < 0 else data[: at + 1] + deep.encode() + b"," + data[at + 1 :]


def _named_twice(data: bytes, draw: random.Random) -> bytes:
    """Say a field again with another value, as JSON allows."""
    names = ("model", "messages", "stream", "content", "type", "choices", "delta", "usage", "input")
    value = json.dumps(draw.choice(ODD[:10]))
    field = f'"{draw.choice(names)}":{value},'
    at = data.find(b"{", draw.randrange(len(data) + 1))
    return data if at < 0 else data[: at + 1] + field.encode() + data[at + 1 :]


def _with_json(data: bytes, draw: random.Random, change: Callable[[Any], Any]) -> bytes:
    """Change the JSON of a body, or of one event of a stream."""
    lines = data.split(b"\n")
    at = draw.randrange(len(lines))
    prefix = b"data: " if lines[at].startswith(b"data: ") else b""
    try:
        value = json.loads(lines[at][len(prefix) :] if prefix else data)
    except (ValueError, RecursionError):
        return data
    written = json.dumps(change(value), separators=(",", ":")).encode("utf-8", "surrogatepass")
    if not prefix:
        return written
    lines[at] = prefix + written
    return b"\n".join(lines)


def _changed(value: Any, draw: random.Random) -> Any:
    """Give a value in which one place holds another one, none, or what another place holds."""
    places = list(_places(value))
    if not places:
        return draw.choice(ODD)
    owner, key = draw.choice(places)
    match draw.randrange(4):
        case 0:
            owner[key] = draw.choice(ODD)
        case 1:
            del owner[key]
        case 2:
            other, name = draw.choice(places)
            owner[key] = json.loads(json.dumps(other.get(name) if isinstance(other, dict) else 1))
        case _:
            owner[key] = [owner[key]] * draw.randint(1, 3)
    return value


def _places(value: Any) -> list[tuple[Any, Any]]:
    found: list[tuple[Any, Any]] = []
    waiting = [value]
    while waiting:
        one = waiting.pop()
        keys = list(one) if isinstance(one, dict) else range(len(one))
        for key in keys if isinstance(one, dict | list) else ():
            found.append((one, key))
            if isinstance(one[key], dict | list):
                waiting.append(one[key])
    return found


_DAMAGES: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    _bits,
    _cut,
    _left_out,
    _repeated,
    _moved,
    _other_value,
    _other_value,
    _other_value,
    _nested,
    _named_twice,
)
