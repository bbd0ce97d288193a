"""What the simulated provider gives for what is no chat, by the words of the request alone.

Vectors carry no meaning, a text is flagged when it names a category, a document is as relevant as
the share of the query's words in it, and pictures, sounds and films are small files (media.py).
Directives in the model's name hold as for a chat, faults too.

Source of the shapes: OpenAI API reference (moderations, images, audio), and for rerank Cohere's
API reference v2, read 2026-11-22.
"""

import base64
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import orjson

from ..conversation import Delta
from ..errors import BadRequest, UpstreamFailure
from ..model import Operation, Piece
from ..wire.services.openai import answered, spoken
from ..wire.services.reading import answer_for
from ..wire.services.sounds import seconds_max
from ..wire.services.steps import JSON_TYPE, Asked, Got, Made
from . import media
from .directives import NONE, Directives
from .director import script_for
from .embeddings import answer_embeddings, read_embeddings
from .performance import Performance
from .script import Asked as Said
from .script import Script
from .stage import perform
from .voices import openai_chat
from .voices.voice import Occasion

CATEGORIES = (
    *("harassment", "harassment/threatening", "hate", "hate/threatening", "illicit"),
    *("illicit/violent", "self-harm", "self-harm/intent", "self-harm/instructions", "sexual"),
    *("sexual/minors", "violence", "violence/graphic"),
)
SPEECH_TYPES: Mapping[str, tuple[str, Callable[[str], bytes]]] = {
    "mp3": ("audio/mpeg", media.silence),
    "wav": ("audio/wav", media.tone),
    "pcm": ("audio/pcm", media.samples_of),
}
_WORDS = re.compile(r"\w+")

Answer = tuple[bytes, str]
Play = Callable[[Asked, Script, Occasion], Answer]


def perform_service(asked: Asked, occasion: Occasion, control: Directives = NONE) -> Performance:
    """Give what is sent for a request of what is no chat.

    Raises:
        BadRequest: a field, or the directives in the model's name, are not valid.
    """
    script = script_for(Said(asked.model, said="", input_bytes=_size(asked)), control)
    body, content_type = _PLAYS[asked.endpoint](asked, script, occasion)
    if script.breakdown is None:
        script = replace(script, steps=())
    played = perform(script, openai_chat, occasion, stream=False, body=body)
    head = played.head
    if head is None or head.status != 200:
        return played
    headers = tuple(
        (name, content_type if (name, value) == ("content-type", JSON_TYPE) else value)
        for name, value in head.headers
    )
    return replace(played, head=replace(head, headers=headers))


class ServiceReader:
    """Turns the body of an answer into one Piece, as wire.pieces does for chats.

    Args:
        asked: what it answers.
        operation: as the client wrote it.
        content_type: of the body.
        bytes_max: the most bytes that are kept.
    """

    def __init__(
        self, asked: Asked, operation: Operation, content_type: str, bytes_max: int
    ) -> None:
        self._asked = asked
        self._operation = operation
        self._content_type = content_type
        self._bytes_max = bytes_max
        self._body = bytearray()

    def feed(self, data: bytes) -> Sequence[Piece]:
        """Keep the bytes.

        Raises:
            UpstreamFailure: they are too many.
        """
        if len(self._body) + len(data) > self._bytes_max:
            raise UpstreamFailure(
                f"the answer is larger than {self._bytes_max} bytes", kind="too_large"
            )
        self._body += data
        return ()

    def end(self) -> Sequence[Piece]:
        """Give the answer.

        Raises:
            UpstreamFailure: the bytes are none.
        """
        body, asked = bytes(self._body), self._asked
        if asked.endpoint == "audio/speech":
            made = Made(body, self._content_type, spoken(asked))
        else:
            made = answered(asked, Got(body, {b"content-type": self._content_type.encode()}))
        body = answer_for(self._operation, made)
        return (Piece(body, Delta(content=True, usage=made.usage, model=made.model, ended=True)),)


def _embeddings(asked: Asked, script: Script, occasion: Occasion) -> Answer:
    return answer_embeddings(read_embeddings(asked.body), script), JSON_TYPE


def _moderations(asked: Asked, script: Script, occasion: Occasion) -> Answer:
    given = asked.fields.get("input")
    items = [given] if isinstance(given, str) else given if isinstance(given, list) else []
    if items and not isinstance(items[0], str):
        items = [" ".join(str(one.get("text", "")) for one in items if isinstance(one, dict))]
    results = [_judged(str(one)) for one in items]
    return _json(id=occasion.name("modr-"), model=script.model, results=results)


def _judged(text: str) -> dict[str, object]:
    said = text.lower()
    found = {name: name.replace("/", " ") in said or name in said for name in CATEGORIES}
    scores = {name: 0.9 if hit else 0.01 for name, hit in found.items()}
    return {"flagged": any(found.values()), "categories": found, "category_scores": scores}


def _rerank(asked: Asked, script: Script, occasion: Occasion) -> Answer:
    fields = asked.fields
    wanted = set(_WORDS.findall(str(fields.get("query")).lower()))
    documents = fields.get("documents")
    rows: list[dict[str, object]] = []
    for index, one in enumerate(documents if isinstance(documents, list) else []):
        text = str(one.get("text", "")) if isinstance(one, dict) else str(one)
        shared = len(wanted & set(_WORDS.findall(text.lower())))
        row: dict[str, object] = {"index": index, "relevance_score": shared / max(len(wanted), 1)}
        if fields.get("return_documents") is True:
            row["document"] = {"text": text}
        rows.append(row)
    rows.sort(key=lambda row: -float(str(row["relevance_score"])))
    top = fields.get("top_n")
    kept = rows[:top] if isinstance(top, int) else rows
    meta = {"billed_units": {"search_units": 1}}
    return _json(id=occasion.name("rerank-"), model=script.model, results=kept, meta=meta)


def _images(asked: Asked, script: Script, occasion: Occasion) -> Answer:
    prompt, count = str(asked.fields.get("prompt", "")), int(str(asked.fields.get("n") or 1))
    made = [base64.b64encode(media.picture(prompt, at)).decode() for at in range(count)]
    if asked.fields.get("response_format") == "url":
        data = [{"url": f"data:image/png;base64,{one}"} for one in made]
    else:
        data = [{"b64_json": one} for one in made]
    return _json(created=occasion.created_unix_s, data=data)


def _speech(asked: Asked, script: Script, occasion: Occasion) -> Answer:
    wanted = str(asked.fields.get("response_format") or "mp3")
    if wanted not in SPEECH_TYPES:
        raise BadRequest(
            f"the simulator's `response_format` is one of {', '.join(SPEECH_TYPES)}",
            field="response_format",
        )
    content_type, play = SPEECH_TYPES[wanted]
    return play(str(asked.fields.get("input"))), content_type


def _transcription(asked: Asked, script: Script, occasion: Occasion) -> Answer:
    sound = memoryview(b"") if asked.file is None else asked.file.data
    text = f"[simulated by sim/transcription] {len(sound)} bytes were heard."
    seconds = seconds_max(sound)
    match asked.fields.get("response_format"):
        case "text":
            return f"{text}\n".encode(), "text/plain; charset=utf-8"
        case "srt":
            return f"1\n{_clock(0)} --> {_clock(seconds)}\n{text}\n".encode(), "text/plain"
        case "vtt":
            begin, end = _clock(0).replace(",", "."), _clock(seconds).replace(",", ".")
            return f"WEBVTT\n\n{begin} --> {end}\n{text}\n".encode(), "text/vtt"
        case "verbose_json":
            segment = {"id": 0, "start": 0.0, "end": float(seconds), "text": text}
            told: dict[str, object] = {"task": "transcribe", "language": "english"}
            return _json(**told, duration=float(seconds), text=text, segments=[segment])
        case _:
            return _json(text=text, usage={"type": "duration", "seconds": seconds})


def _clock(seconds: int) -> str:
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d},000"


def _video(asked: Asked, script: Script, occasion: Occasion) -> Answer:
    made = base64.b64encode(media.film(str(asked.fields.get("prompt")))).decode()
    return _json(created=occasion.created_unix_s, data=[{"b64_json": made, "format": "gif"}])


def _music(asked: Asked, script: Script, occasion: Occasion) -> Answer:
    made = base64.b64encode(media.tone(str(asked.fields.get("prompt")))).decode()
    return _json(created=occasion.created_unix_s, data=[{"b64_json": made, "format": "wav"}])


def _json(**fields: object) -> Answer:
    return orjson.dumps(fields), JSON_TYPE


def _size(asked: Asked) -> int:
    given = asked.fields.get("input")
    if isinstance(given, list) and all(isinstance(one, str) for one in given):
        return sum(len(str(one).encode()) for one in given)
    if isinstance(given, list):
        return sum(4 * len(one) if isinstance(one, list) else 4 for one in given)
    return len(str(given or "").encode())


_PLAYS: Mapping[str, Play] = {
    "embeddings": _embeddings,
    "moderations": _moderations,
    "rerank": _rerank,
    "images/generations": _images,
    "images/edits": _images,
    "audio/speech": _speech,
    "audio/transcriptions": _transcription,
    "audio/translations": _transcription,
    "videos/generations": _video,
    "music/generations": _music,
}
