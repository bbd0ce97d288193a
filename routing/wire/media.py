"""Files and sounds as OpenAI's dialects write them: data URLs, file names, formats.

Source: OpenAI API reference, "File inputs" and "Audio", and OpenRouter's "PDF inputs", read
2026-11.
"""

import re

from ..conversation import Audio, Document, Json
from ..errors import BadRequest
from .fields import Fields

MEDIA_TYPE = "application/pdf"
"""Of a file that says nothing of itself: what models read is mostly that."""

_DATA_URL = re.compile(r"data:([^;,]*)((?:;[^;,]*)*),", re.IGNORECASE)
_MEDIA_BY_FORMAT = {"mp3": "audio/mpeg", "pcm16": "audio/pcm"}
_FORMAT_BY_MEDIA = {
    "audio/mpeg": "mp3",
    "audio/x-wav": "wav",
    "audio/wave": "wav",
    "audio/vnd.wave": "wav",
    "audio/pcm": "pcm16",
    "audio/x-m4a": "m4a",
}
_MEDIA_BY_ENDING = {
    "pdf": "application/pdf",
    "txt": "text/plain",
    "md": "text/markdown",
    "csv": "text/csv",
    "html": "text/html",
    "json": "application/json",
    "xml": "application/xml",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
_ENDING_BY_MEDIA = {media_type: ending for ending, media_type in _MEDIA_BY_ENDING.items()}


def data_url(data: str, name: str | None, path: str) -> tuple[str, str]:
    """Give media type and base64 data of a data URL, or of base64 data alone.

    Args:
        data: `data:application/pdf;base64,...`, or what stands after the comma.
        name: the file's name, which tells the type where nothing else does.
        path: the field's path, for errors.

    Raises:
        BadRequest: a data URL without base64 data.
    """
    if data[:5].lower() != "data:":
        return media_type_of(name), data
    head = _DATA_URL.match(data)
    if head is None or not head[2].lower().endswith(";base64"):
        raise BadRequest(f"`{path}` must be a data URL with base64 data", field=path)
    return head[1].lower() or media_type_of(name), data[head.end() :]


def media_type_of(name: str | None) -> str:
    """Give the media type that a file's name tells."""
    return _MEDIA_BY_ENDING.get((name or "").rpartition(".")[2].lower(), MEDIA_TYPE)


def file_data(document: Document) -> str:
    """Give a file's data URL."""
    media_type = document.media_type or media_type_of(document.title)
    return f"data:{media_type};base64,{document.data or ''}"


def file_name(document: Document) -> str:
    """Give a file's name, which OpenAI demands beside its data."""
    if document.title:
        return document.title
    ending = _ENDING_BY_MEDIA.get(document.media_type or MEDIA_TYPE)
    return f"document.{ending}" if ending else "document"


def document_text(document: Document) -> str:
    """Give a document of text as a text, with its title before it."""
    text = document.text or ""
    return f"{document.title}\n\n{text}" if document.title else text


def audio_of(fields: Fields, rest: Json) -> Audio:
    """Give the sound of an `input_audio` object.

    Raises:
        BadRequest: a field is missing; names it.
    """
    kind = fields.text("format").lower()
    media_type = _MEDIA_BY_FORMAT.get(kind, f"audio/{kind}")
    return Audio(media_type=media_type, data=fields.text("data"), rest=rest)


def audio_format(audio: Audio) -> str:
    """Give the name of a sound's format."""
    media_type = (audio.media_type or "audio/wav").partition(";")[0].strip().lower()
    return _FORMAT_BY_MEDIA.get(media_type) or media_type.rpartition("/")[2]
