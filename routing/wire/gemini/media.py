"""Images, sounds and files in Gemini's parts, both ways.

Data is inline, and what has a URL is `fileData`. What Google itself keeps (an uploaded file, a
bucket, a video of YouTube) nobody else can fetch, and no value carries a video: such a part stays
whole, for Google alone.

Source: Gemini API reference, "Part", "Blob", "FileData", and "File input methods", read 2026-11.
"""

import re
from collections.abc import Mapping

from ...conversation import Audio, Document, Image, Shown, Text
from ...model import Dialect
from ..fields import Fields
from ..parts import kept, own

DIALECT: Dialect = "gemini"

_GOOGLES = re.compile(
    r"gs://|files/|https?://(?:[a-z0-9-]+\.)*"
    r"(?:generativelanguage\.googleapis\.com|youtube\.com|youtu\.be)/",
    re.IGNORECASE,
)
_NAME = "displayName"


def camel(fields: Fields) -> Fields:
    """Give an object's fields with their names in camel case."""
    values = {camel_name(name): value for name, value in fields.values.items()}
    return Fields(values, fields.path)


def camel_name(name: str) -> str:
    """Give a name in camel case."""
    if "_" not in name:
        return name
    first, *others = name.split("_")
    return first + "".join(word[:1].upper() + word[1:] for word in others)


def whole(values: Mapping[str, object], text: str = "") -> Text:
    """Give a part that no value carries; `text` is what it says to other dialects."""
    kind = next(iter(values), "part")
    return Text(text, rest={DIALECT: {"type": kind, "block": dict(values)}})


def read_media(fields: Fields) -> Shown:
    """Give the image, sound or file of a part, its fields in camel case.

    Raises:
        BadRequest: a field is missing or of the wrong type; names it.
    """
    inline = fields.child_or_none("inlineData")
    if inline is not None:
        blob = camel(inline)
        kind, data, url = blob.text("mimeType"), blob.text("data"), None
    else:
        blob = camel(fields.child("fileData"))
        kind, data, url = blob.text_or_none("mimeType") or "", None, blob.text("fileUri")
    fields.value("fileData")
    rest = kept(DIALECT, {**fields.rest(), **blob.rest()})
    media_type = kind or None
    if kind.startswith("video/") or (url is not None and _GOOGLES.match(url)):
        return whole(fields.values)
    if kind.startswith("audio/"):
        return Audio(url, media_type, data, rest)
    if kind.startswith("image/") or not kind:
        return Image(url, media_type, data, rest)
    return Document(media_type, url=url, data=data, rest=rest)


def write_media(part: Image | Document | Audio) -> dict[str, object]:
    """Give the part; a document of text is a text with its title before it."""
    rest = dict(own(part.rest, DIALECT))
    if isinstance(part, Document) and part.text is not None:
        return {"text": f"{part.title}\n\n{part.text}" if part.title else part.text, **rest}
    blob: dict[str, object] = {_NAME: rest.pop(_NAME)} if _NAME in rest else {}
    media_type = part.media_type or _usual(part)
    if part.url is not None:
        blob["fileUri"] = part.url
        if part.media_type:
            blob["mimeType"] = part.media_type
        return {"fileData": blob, **rest}
    return {"inlineData": {"mimeType": media_type, "data": part.data or "", **blob}, **rest}


def _usual(part: Image | Document | Audio) -> str:
    if isinstance(part, Image):
        return "image/png"
    return "application/pdf" if isinstance(part, Document) else "audio/wav"
