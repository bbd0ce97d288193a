"""What each Effect does to an answer: one function a row.

An effect is *placed*, before one piece of the answer, or *overall*.
"""

import gzip
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from .performance import Cut, Frame, Head, Wait
from .script import Disturbance, Effect, Refusal
from .voices.voice import Event, Occasion, Voice

KEEP_ALIVE_S = 0.25
KEEP_ALIVE = b": keep-alive\n\n"
HTML = b"<!DOCTYPE html><html><head><title>Simulated gateway page</title></head></html>\n"


@dataclass(frozen=True, slots=True)
class Scene:
    """An answer before its disturbance."""

    wait_s: float
    head: Head
    frames: Iterable[Frame]
    disturbance: Disturbance
    voice: Voice
    occasion: Occasion


@dataclass(frozen=True, slots=True)
class Disturbed:
    """An answer after it; no head: the connection is reset before a byte."""

    wait_s: float
    head: Head | None
    frames: Iterable[Frame]


def disturbed(scene: Scene) -> Disturbed:
    """Give the answer with an overall effect."""
    return OVERALL[scene.disturbance.effect](scene)


def paced(events: Iterable[Event], piece_s: float) -> Iterator[Frame]:
    """Give the events with a wait before every piece but the first."""
    begun = False
    for event in events:
        if event.content and piece_s:
            if begun:
                yield Wait(piece_s)
            begun = True
        yield event.data


def interrupted(events: list[Event], disturbance: Disturbance, piece_s: float) -> Iterator[Frame]:
    """Give the events with a placed effect before the piece it belongs to.

    In an answer with fewer pieces it comes before the last one, so that it always happens.
    """
    places = [index for index, event in enumerate(events) if event.content]
    place = places[min(disturbance.after, len(places) - 1)] if places else 0
    frames, resumes_at = PLACED[disturbance.effect](events[place].data, disturbance)
    yield from paced(events[:place], piece_s)
    yield from frames
    if resumes_at is not None:
        yield from paced(events[place + resumes_at :], piece_s)


def _stall(data: bytes, disturbance: Disturbance) -> tuple[list[Frame], int | None]:
    return [Wait(disturbance.seconds, stall=True)], 0


def _reset(data: bytes, disturbance: Disturbance) -> tuple[list[Frame], int | None]:
    return [Cut(reset=True)], None


def _hang_up(data: bytes, disturbance: Disturbance) -> tuple[list[Frame], int | None]:
    return [Cut(reset=False)], None


def _stop_early(data: bytes, disturbance: Disturbance) -> tuple[list[Frame], int | None]:
    return [], None


def _bad_line(data: bytes, disturbance: Disturbance) -> tuple[list[Frame], int | None]:
    return [data[max(data.find(b"{"), 0) :]], 1


def _bad_json(data: bytes, disturbance: Disturbance) -> tuple[list[Frame], int | None]:
    return [data[: len(data) // 2] + b"\n\n"], 1


# What happens before a piece, given that piece's bytes: the frames, and how many events
# after the place the answer goes on, None when it does not.
PLACED: dict[Effect, Callable[[bytes, Disturbance], tuple[list[Frame], int | None]]] = {
    "stall": _stall,
    "reset": _reset,
    "hang_up": _hang_up,
    "stop_early": _stop_early,
    "bad_line": _bad_line,
    "bad_json": _bad_json,
}


def _refuse_connection(scene: Scene) -> Disturbed:
    return Disturbed(0.0, None, ())


def _slow_head(scene: Scene) -> Disturbed:
    return Disturbed(scene.wait_s + scene.disturbance.seconds, scene.head, scene.frames)


def _slow_event(scene: Scene) -> Disturbed:
    def frames() -> Iterator[Frame]:
        yield Wait(scene.disturbance.seconds, stall=True)
        yield from scene.frames

    return Disturbed(scene.wait_s, scene.head, frames())


def _keep_alives(scene: Scene) -> Disturbed:
    # Before a JSON body, servers keep a connection alive with white space.
    streams_events = scene.head.length is None and scene.occasion.sse
    beat = KEEP_ALIVE if streams_events else b"\n"

    def frames() -> Iterator[Frame]:
        for _ in range(int(scene.disturbance.seconds / KEEP_ALIVE_S)):
            yield beat
            yield Wait(KEEP_ALIVE_S, stall=True)
        yield from scene.frames

    return Disturbed(scene.wait_s, replace(scene.head, length=None), frames())


def _short_body(scene: Scene) -> Disturbed:
    whole = b"".join(frame for frame in scene.frames if isinstance(frame, bytes))
    head = replace(scene.head, length=len(whole))
    return Disturbed(scene.wait_s, head, (whole[: len(whole) // 2], Cut(reset=False)))


def _html(scene: Scene) -> Disturbed:
    status = 502 if scene.disturbance.effect == "html_502" else 200
    head = Head(status, (("content-type", "text/html; charset=utf-8"),), len(HTML))
    return Disturbed(scene.wait_s, head, (HTML,))


def _error_as_200(scene: Scene) -> Disturbed:
    refusal = Refusal("server", 500, "the simulated provider had an internal error")
    reply = scene.voice.refuse(refusal, scene.occasion)
    return Disturbed(scene.wait_s, Head(200, reply.headers, len(reply.body)), (reply.body,))


def _gzip(scene: Scene) -> Disturbed:
    head = replace(scene.head, headers=(*scene.head.headers, ("content-encoding", "gzip")))
    if head.length is None:
        return Disturbed(scene.wait_s, head, _zipped(scene.frames))
    body = gzip.compress(b"".join(one for one in scene.frames if isinstance(one, bytes)), mtime=0)
    return Disturbed(scene.wait_s, replace(head, length=len(body)), (body,))


def _zipped(frames: Iterable[Frame]) -> Iterator[Frame]:
    """Compress what is sent, flushed after every event as a streaming proxy does."""
    squeeze = zlib.compressobj(wbits=31)
    for frame in frames:
        if isinstance(frame, bytes):
            yield squeeze.compress(frame) + squeeze.flush(zlib.Z_SYNC_FLUSH)
        else:
            yield frame
    yield squeeze.flush()


def _early_hints(scene: Scene) -> Disturbed:
    return Disturbed(scene.wait_s, replace(scene.head, early=True), scene.frames)


def _close_after_head(scene: Scene) -> Disturbed:
    return Disturbed(scene.wait_s, scene.head, (Cut(reset=False),))


# What concerns the answer as a whole.
OVERALL: dict[Effect, Callable[[Scene], Disturbed]] = {
    "refuse_connection": _refuse_connection,
    "slow_head": _slow_head,
    "slow_event": _slow_event,
    "keep_alives": _keep_alives,
    "short_body": _short_body,
    "html": _html,
    "html_502": _html,
    "error_as_200": _error_as_200,
    "gzip": _gzip,
    "early_hints": _early_hints,
    "close_after_head": _close_after_head,
}
