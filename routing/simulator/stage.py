"""Plays a Script in a dialect: what is sent, when, in which bytes, and what goes wrong.

Pure: a Script, a voice and an occasion give a Performance.
"""

from dataclasses import replace

from ..errors import FailureKind
from .disturbances import PLACED, Scene, disturbed, interrupted, paced
from .performance import Head, Performance, rechunk
from .script import Refusal, Script
from .voices.voice import Event, Occasion, Reply, Voice

LABEL = ("x-simulated", "1")

# A whole body cannot lose one event: it loses its second half.
_HALVED = frozenset({"stop_early", "bad_line", "bad_json"})


def perform(
    script: Script,
    voice: Voice,
    occasion: Occasion,
    *,
    stream: bool,
    body: bytes | None = None,
) -> Performance:
    """Give what is sent for a Script, in the voice's dialect.

    `body` is the answer where it is no chat: embeddings.
    """
    refusal = script.refusal
    if refusal is None and not stream and script.breakdown is not None:
        refusal = script.breakdown.refusal
    if refusal is not None:
        told = _told(voice.refuse(refusal, occasion, stream=stream), refusal)
        return replace(told, wait_s=script.timing.first_byte_s, kind=script.kind)
    if stream:
        return _perform_stream(script, voice, occasion)
    answer = voice.answer(script, occasion) if body is None else body
    return _perform_body(script, voice, occasion, answer)


def refuse(
    refusal: Refusal, voice: Voice, occasion: Occasion, *, kind: FailureKind | None = None
) -> Performance:
    """Give an answer with an error status, at once."""
    return replace(_told(voice.refuse(refusal, occasion), refusal), kind=kind)


def say(reply: Reply) -> Performance:
    """Give a whole answer as it is, at once."""
    head = Head(reply.status, (*reply.headers, LABEL), len(reply.body))
    return Performance(0.0, head, (reply.body,))


def _told(reply: Reply, refusal: Refusal) -> Performance:
    hint = refusal.retry_after_s if refusal.retry is not None else None
    return replace(say(reply), retry_after_s=hint)


def _perform_body(script: Script, voice: Voice, occasion: Occasion, body: bytes) -> Performance:
    """Give a whole body, with the Script's time, chunking and disturbance.

    It takes as long as the same answer takes streamed: models write no faster unseen.
    """
    wait_s = script.timing.first_byte_s + script.timing.piece_s * max(script.pieces - 1, 0)
    head = Head(200, (*voice.headers(occasion, stream=False), LABEL), len(body))
    middle = len(body) // 2
    effect = script.disturbance and script.disturbance.effect
    if effect in _HALVED:
        body = body[:middle]
        whole = Performance(wait_s, replace(head, length=middle), (body,), script.kind)
        return _chunked(whole, script)
    if script.disturbance is not None and effect in PLACED:
        parts = [Event(body[:middle]), Event(body[middle:], content=True)]
        frames = interrupted(parts, script.disturbance, 0.0)
        return _chunked(Performance(wait_s, head, frames, script.kind), script)
    whole = Performance(wait_s, head, (body,), script.kind)
    return _chunked(_overall(whole, head, script, voice, occasion), script)


def _perform_stream(script: Script, voice: Voice, occasion: Occasion) -> Performance:
    events = voice.events(script, occasion)
    head = Head(200, (*voice.headers(occasion, stream=True), LABEL))
    wait_s, pace = script.timing.first_byte_s, script.timing.piece_s
    if script.disturbance is not None and script.disturbance.effect in PLACED:
        frames = interrupted(list(events), script.disturbance, pace)
        return _chunked(Performance(wait_s, head, frames, script.kind), script)
    stream = Performance(wait_s, head, paced(events, pace), script.kind)
    return _chunked(_overall(stream, head, script, voice, occasion), script)


def _overall(
    plain: Performance, head: Head, script: Script, voice: Voice, occasion: Occasion
) -> Performance:
    if script.disturbance is None:
        return plain
    scene = Scene(plain.wait_s, head, plain.frames, script.disturbance, voice, occasion)
    result = disturbed(scene)
    return replace(plain, wait_s=result.wait_s, head=result.head, frames=result.frames)


def _chunked(plain: Performance, script: Script) -> Performance:
    if script.chunk_bytes is None:
        return plain
    return replace(plain, frames=rechunk(plain.frames, script.chunk_bytes))
