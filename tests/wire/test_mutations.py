"""Damaged bodies and streams: nothing but our own errors comes of them, and it comes at once."""

import contextlib
import random
import time
from collections.abc import Callable, Sequence

import pytest
from msgspec import structs

from omniroute.routing.conversation import Delta
from omniroute.routing.errors import BadRequest, UpstreamFailure
from omniroute.routing.model import Dialect
from omniroute.routing.simulator.voices.table import VOICES
from omniroute.routing.wire.codec import Head
from omniroute.routing.wire.table import codec

from .answers import DIALECTS, GOLDEN, HEAD
from .mutations import chunks_of, damaged
from .test_splits import EVERYTHING, NOW

ROUNDS = 50_000
ROUNDS_LONG = 1_000_000
SECONDS_MAX = 1.0
Attempt = Callable[[Dialect, bytes, random.Random], None]


def _samples(dialect: Dialect, kind: str) -> tuple[bytes, ...]:
    found = [path.read_bytes() for path in sorted((GOLDEN / dialect).glob(f"*.{kind}"))]
    voice = VOICES[dialect]
    if kind == "response":
        found.append(voice.answer(EVERYTHING, NOW))
    if kind == "stream":
        found.append(b"".join(event.data for event in voice.events(EVERYTHING, NOW)))
    return tuple(found)


SAMPLES: dict[str, dict[Dialect, tuple[bytes, ...]]] = {
    kind: {dialect: _samples(dialect, kind) for dialect in DIALECTS}
    for kind in ("request", "response", "stream")
}


def _asked(dialect: Dialect, body: bytes, draw: random.Random) -> None:
    """A client's body: read for a decision, and for a provider of any dialect."""
    theirs = codec(dialect)
    with contextlib.suppress(BadRequest):
        theirs.read_features(body)
    with contextlib.suppress(BadRequest):
        chat = structs.replace(theirs.parse_request(body), stream=draw.random() < 0.5)
        codec(draw.choice(DIALECTS)).render_request(chat, model="m")
    # What an answer repeats of it, and finds in it.
    _written([Delta(text="x")], Head("a", "m", 1, asked=body), draw)


def _answered(dialect: Dialect, body: bytes, draw: random.Random) -> None:
    """A provider's whole answer: sniffed, and read for a client of any dialect."""
    theirs = codec(dialect)
    with contextlib.suppress(UpstreamFailure):
        theirs.sniffer(stream=False).feed(body)
    theirs.error_message(body)
    with contextlib.suppress(UpstreamFailure):
        _written(theirs.parse_answer(body), HEAD, draw)


def _streamed(dialect: Dialect, body: bytes, draw: random.Random) -> None:
    """A provider's stream: sniffed, and read for a client of any dialect."""
    theirs, chunks = codec(dialect), chunks_of(body, draw)
    reader, sniffer = theirs.reader(), theirs.sniffer(stream=True)
    deltas: list[Delta] = []
    with contextlib.suppress(UpstreamFailure):
        for chunk in chunks:
            sniffer.feed(chunk)
    with contextlib.suppress(UpstreamFailure):
        for chunk in chunks:
            deltas += reader.feed(chunk)
    _written(deltas, HEAD, draw)


def _written(deltas: Sequence[Delta], head: Head, draw: random.Random) -> None:
    ours = codec(draw.choice(DIALECTS))
    writer = ours.writer(head)
    for delta in deltas:
        writer.write(delta)
    writer.end()
    ours.render_answer(deltas, head)


ATTEMPTS: dict[str, Attempt] = {"request": _asked, "response": _answered, "stream": _streamed}


def _outcome(number: int) -> str | None:
    """Give what went wrong in one round, None when nothing did."""
    draw = random.Random(number)
    kind, dialect = draw.choice(list(ATTEMPTS)), draw.choice(DIALECTS)
    body = damaged(draw.choice(SAMPLES[kind][dialect]), draw)
    begun_s = time.thread_time()
    try:
        ATTEMPTS[kind](dialect, body, draw)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is what is looked for
        return f"round {number}: {kind} of {dialect}: {type(error).__name__}: {error}"
    took_s = time.thread_time() - begun_s
    return f"round {number}: {took_s:.1f} s" if took_s > SECONDS_MAX else None


def _wrong(rounds: range) -> list[str]:
    return [told for number in rounds if (told := _outcome(number)) is not None]


def test_nothing_breaks_on_damaged_bodies_and_streams() -> None:
    assert _wrong(range(ROUNDS)) == []


@pytest.mark.long
def test_nothing_breaks_on_a_million_damaged_bodies_and_streams() -> None:
    assert _wrong(range(ROUNDS, ROUNDS + ROUNDS_LONG)) == []
