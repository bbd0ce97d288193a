"""A request's body as a guard leaves it: every value of every field, whatever the dialect.

The body is gone through as JSON text, token after token, and a text or number that something was
found in is written anew; every other byte stays as the client wrote it. So no dialect needs words
of its own here, and a field that nobody knows is looked at like any other. A text that is itself
JSON, as the arguments of a tool call are, is gone through in the same way. Values that only
programs read (ids, base64, signatures) are passed over: a digit in them says nothing.

Of a form with a recording or a picture its texts are looked at in the same way, and the heads of
its parts, in which the files' names stand; never the files themselves.
"""

import json
import re
from urllib.parse import quote_from_bytes

from msgspec import structs

from ..model import Operation
from ..wire.services.form import Part, form_in
from .text import Watch
from .turns import SLICE_CHARS, Steps, at_once

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
_ESCAPED = re.compile(rb"%(?!22|25|3[bB]|7[fF])([2-9a-fA-F][0-9a-fA-F])")
"""A character of a file's name that is none of those that would end the name."""
_EXTENDED = re.compile(rb"(\*=[ \t]*[\w\-]*'[\w\-]*')([^;\r\n]*)")
"""A value in which only some characters of ASCII may stand (RFC 8187)."""


def looked_at(operation: Operation, watch: Watch) -> Operation:
    """Give the operation as it may go out; the same one where nothing is changed.

    Its bound on tokens grows with its bytes: it holds for every tokenizer of bytes.

    Raises:
        BadRequest: it is a form that cannot be read.
    """
    return at_once(looking_at(operation, watch))


def looking_at(operation: Operation, watch: Watch) -> Steps[Operation]:
    """Do the same in turns."""
    body = operation.body
    if body.startswith(b"--"):
        body = yield from _form(body, watch)
    elif body.lstrip()[:1] == b"{":
        body = yield from _scanned(body, watch, 0)
    if body == operation.body or watch.mode != "redact":
        return operation
    features = operation.features
    grown = max(0, len(body) - len(operation.body))
    features = structs.replace(features, input_tokens_max=features.input_tokens_max + grown)
    return structs.replace(operation, body=body, features=features, model_at=None)


def json_text(text: str, watch: Watch) -> str:
    """Give a text as it may go on: as JSON where it is JSON."""
    return at_once(looking(text, watch))


def looking(text: str, watch: Watch, depth: int = 0) -> Steps[str]:
    """Do the same in turns."""
    if depth < NESTED_MAX and text.lstrip()[:1] in ("{", "["):
        try:
            json.loads(text)
        except (ValueError, RecursionError):
            return (yield from watch.looking(text))
        encoded = text.encode("utf-8", "surrogatepass")
        shown = yield from _scanned(encoded, watch, depth)
        return shown.decode("utf-8", "surrogatepass")
    return (yield from watch.looking(text))


def _scanned(body: bytes, watch: Watch, depth: int) -> Steps[bytes]:
    kept: list[bytes] = []
    at, paused_at, is_passed_over = 0, 0, False
    for token in _TOKEN.finditer(body):
        if token.end() - paused_at > SLICE_CHARS:
            paused_at = token.end()
            yield
        if token["key"] is not None:
            is_passed_over = _PASSED_OVER.match(token["text"]) is not None
            continue
        if is_passed_over:
            continue
        shown = yield from _value(token, watch, depth)
        if shown is not None:
            kept += (body[at : token.start()], shown)
            at = token.end()
    if not kept:
        return body
    kept.append(body[at:])
    return b"".join(kept)


def _value(token: re.Match[bytes], watch: Watch, depth: int) -> Steps[bytes | None]:
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
    shown = yield from looking(text, watch, depth + 1)
    return None if shown == text else json.dumps(shown).encode()


def _form(body: bytes, watch: Watch) -> Steps[bytes]:
    kept: list[bytes] = []
    at = 0
    for part in form_in(body).parts:
        kept += (body[at : part.head], _head(body[part.head : part.begin], watch))
        at = part.begin
        if _has_words(part):
            text = body[at : part.end].decode("utf-8", "surrogateescape")
            shown = yield from looking(text, watch)
            kept.append(shown.encode("utf-8", "surrogateescape"))
            at = part.end
    kept.append(body[at:])
    return b"".join(kept)


def _has_words(part: Part) -> bool:
    return not part.is_file and _PASSED_OVER.match(part.name.encode()) is None


def _head(head: bytes, watch: Watch) -> bytes:
    """Give a part's head; what is escaped in it is looked at as what it stands for."""
    plain = _ESCAPED.sub(lambda found: bytes.fromhex(found[1].decode()), head)
    text = plain.decode("utf-8", "surrogateescape")
    shown = watch.text(text)
    if shown == text:
        return head
    written = shown.encode("utf-8", "surrogateescape")
    return _EXTENDED.sub(lambda one: one[1] + quote_from_bytes(one[2], "%").encode(), written)
