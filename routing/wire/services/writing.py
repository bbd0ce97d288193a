"""What adapters for transcription have in common: the sound, and OpenAI's ways to write it down.

Source: OpenAI API reference, "Create transcription"; the shape as it is known, not read again.
"""

import math
from collections.abc import Sequence

import orjson
from msgspec import Struct

from ...conversation import Usage
from ...errors import BadRequest
from .form import File
from .steps import Asked, Made

CUE_WORDS_MAX = 12
CUE_S_MAX = 5.0
FORMATS = ("json", "text", "srt", "vtt", "verbose_json")


class Word(Struct, frozen=True):
    """One word, and when it is said, in seconds."""

    text: str
    begin_s: float
    end_s: float


class Heard(Struct, frozen=True):
    """What is said in a sound."""

    text: str
    seconds: float
    words: tuple[Word, ...] = ()
    language: str = ""


def file_of(asked: Asked) -> File:
    """Give the sound.

    Raises:
        BadRequest: there is none, or it is to be translated, which the provider does not do.
    """
    if asked.file is None:
        raise BadRequest("the form has no file", field="file")
    if asked.endpoint == "audio/translations":
        raise BadRequest(f"{asked.model} writes down what is said and does not translate it")
    return asked.file


def dropped(asked: Asked, *taken: str) -> tuple[str, ...]:
    """Give OpenAI's further fields that the provider is not told."""
    known = ("prompt", "temperature", "language", "stream")
    return tuple(name for name in known if name not in taken and asked.fields.get(name) is not None)


def made(asked: Asked, heard: Heard, left_out: tuple[str, ...]) -> Made:
    """Give it as the client has asked for it.

    Raises:
        BadRequest: nobody knows that format.
    """
    usage = Usage(units=math.ceil(heard.seconds))
    wanted = asked.fields.get("response_format") or "json"
    if wanted in ("srt", "vtt", "text"):
        body = f"{heard.text}\n" if wanted == "text" else _cues(heard, comma=wanted == "srt")
        kind = "text/vtt" if wanted == "vtt" else "text/plain"
        return Made(body.encode(), f"{kind}; charset=utf-8", usage, dropped=left_out)
    told: dict[str, object] = {"text": heard.text}
    if wanted == "verbose_json":
        words = [{"word": one.text, "start": one.begin_s, "end": one.end_s} for one in heard.words]
        segments = [
            {"id": at, "start": cue[0].begin_s, "end": cue[-1].end_s, "text": _said(cue)}
            for at, cue in enumerate(_grouped(heard.words))
        ]
        told |= {"task": "transcribe", "language": heard.language, "duration": heard.seconds}
        told |= {"words": words, "segments": segments}
    elif wanted != "json":
        raise BadRequest(
            f"`response_format` is one of {', '.join(FORMATS)}", field="response_format"
        )
    told["usage"] = {"type": "duration", "seconds": usage.units}
    return Made(orjson.dumps(told), usage=usage, dropped=left_out)


def _cues(heard: Heard, *, comma: bool) -> str:
    """Give subtitles: SubRip with a comma in its times, WebVTT with a point."""
    cues = _grouped(heard.words) or [(Word(heard.text, 0.0, heard.seconds),)]
    lines = [] if comma else ["WEBVTT\n"]
    for number, cue in enumerate(cues, 1):
        begin, end = (_clock(at, comma=comma) for at in (cue[0].begin_s, cue[-1].end_s))
        head = f"{number}\n" if comma else ""
        lines.append(f"{head}{begin} --> {end}\n{_said(cue)}\n")
    return "\n".join(lines)


def _grouped(words: Sequence[Word]) -> list[tuple[Word, ...]]:
    """Give words in groups that fit a line of subtitles."""
    cues: list[tuple[Word, ...]] = []
    for word in words:
        last = cues[-1] if cues else ()
        if not last or len(last) == CUE_WORDS_MAX or word.end_s - last[0].begin_s > CUE_S_MAX:
            cues.append((word,))
        else:
            cues[-1] = (*last, word)
    return cues


def _said(cue: Sequence[Word]) -> str:
    return " ".join(word.text for word in cue)


def _clock(at_s: float, *, comma: bool) -> str:
    total_ms = round(at_s * 1000)
    seconds, ms = divmod(total_ms, 1000)
    mark = "," if comma else "."
    hours, minutes = divmod(seconds // 60, 60)
    return f"{hours:02d}:{minutes:02d}:{seconds % 60:02d}{mark}{ms:03d}"
