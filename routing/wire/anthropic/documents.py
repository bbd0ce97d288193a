"""Files that Anthropic reads: PDFs, by data or URL, and plain text.

Source: Anthropic's documentation, "PDF support" and "Citations", read 2026-11.
"""

import binascii
from base64 import b64decode

from ...conversation import Document
from ..parts import inexpressible
from .blocks import DIALECT, PDF, PLAIN

_TEXTS = ("application/json", "application/xml", "application/x-yaml", "application/yaml")


def document_source(document: Document) -> dict[str, object]:
    """Give where a document is; the data of a file that is text goes as its text.

    Raises:
        BadRequest: it is a file of a kind that Anthropic does not read.
    """
    if document.text is not None:
        return {"type": "text", "media_type": PLAIN, "data": document.text}
    media_type = (document.media_type or PDF).partition(";")[0].strip().lower()
    if document.url is not None and media_type == PDF:
        return {"type": "url", "url": document.url}
    if document.data is not None and media_type == PDF:
        return {"type": "base64", "media_type": PDF, "data": document.data}
    text = _text_of(document.data) if _is_text(media_type) else None
    if text is None:
        raise inexpressible(f"a file of type {media_type!r}", DIALECT)
    return {"type": "text", "media_type": PLAIN, "data": text}


def _is_text(media_type: str) -> bool:
    return media_type.startswith("text/") or media_type in _TEXTS


def _text_of(data: str | None) -> str | None:
    try:
        return None if data is None else b64decode(data, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
