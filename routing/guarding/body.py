"""A request's body as a guard leaves it: every value of every field, whatever the dialect.

The body is gone through as JSON text, token after token, and a text or number that something was
found in is written anew; every other byte stays as the client wrote it. So no dialect needs words
of its own here, and a field that nobody knows is looked at like any other. A text that is itself
JSON, as the arguments of a tool call are, is gone through in the same way. Values that only
programs read (ids, base64, signatures) are passed over: a digit in them says nothing.
"""

import json
import re

from msgspec import structs

from ..model import Operation
from .text import Watch

NESTED_MAX = 3
"""How deep JSON within texts of JSON is looked into; below it is looked at as text."""
_TOKEN = re.compile(
    rb'"(?P<text>[^"\\]*(?:\\.[^"\\]*)*)"(?P<key>[ \t\r\n]*:)?'
    rb"|(?<![\w.\-])(?P<number>\d{13,19})(?![\d.eE])",
    re.DOTALL,
)
_PASSED_OVER = re.compile(
    rb"^(?:.*_id|.*Id|id|model|type|role|data|b64_json|file_data|url|image_url|file_uri|fileUri"
    rb"|.*[sS]ignature|encrypted_content|media_type|mime_type|mimeType|prompt_cache_key)$"
)


def looked_at(operation: Operation, watch: Watch) -> Operation:
    """Give the operation as it may go out; the same one where nothing is changed.

    Its bound on tokens grows with its bytes: it holds for every tokenizer of bytes.
    """
    if operation.body.lstrip()[:1] != b"{":
        # A form with a recording or a picture; words are in no other body.
        return operation
    body = _scanned(operation.body, watch, depth=0)
    if body == operation.body or watch.mode != "redact":
        return operation
    features = operation.features
    grown = max(0, len(body) - len(operation.body))
    features = structs.replace(features, input_tokens_max=features.input_tokens_max + grown)
    return structs.replace(operation, body=body, features=features, model_at=None)


def json_text(text: str, watch: Watch, *, depth: int = 0) -> str:
    """Give a text as it may go on: as JSON where it is JSON."""
    if depth < NESTED_MAX and text.lstrip()[:1] in ("{", "["):
        try:
            json.loads(text)
        except (ValueError, RecursionError):
            return watch.text(text)
        encoded = text.encode("utf-8", "surrogatepass")
        return _scanned(encoded, watch, depth=depth).decode("utf-8", "surrogatepass")
    return watch.text(text)


def _scanned(body: bytes, watch: Watch, *, depth: int) -> bytes:
    kept: list[bytes] = []
    at, is_passed_over = 0, False
    for token in _TOKEN.finditer(body):
        if token["key"] is not None:
            is_passed_over = _PASSED_OVER.match(token["text"]) is not None
            continue
        if is_passed_over:
            continue
        shown = _value(token, watch, depth)
        if shown is not None:
            kept += (body[at : token.start()], shown)
            at = token.end()
    if not kept:
        return body
    kept.append(body[at:])
    return b"".join(kept)


def _value(token: re.Match[bytes], watch: Watch, depth: int) -> bytes | None:
    """Give what stands for a value, None where it stays."""
    if token["number"] is not None:
        number = token["number"].decode()
        shown = watch.text(number)
        return None if shown == number else json.dumps(shown).encode()
    try:
        text: str = json.loads(token[0], strict=False)
    except ValueError:
        # Whoever parses the body says what is wrong with it.
        return None
    shown = json_text(text, watch, depth=depth + 1)
    return None if shown == text else json.dumps(shown).encode()
