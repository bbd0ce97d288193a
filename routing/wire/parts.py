"""What all dialects share about the parts of a message.

`rest` of a Text, an Image, a Tool and a Chat is keyed by the dialect it came in:
`{"anthropic": {"cache_control": {...}}}`; a renderer writes back only its own. A block that
no value carries (a document, a server tool's result) is a Text whose rest holds the whole
block, with its "type": it goes out whole in its own dialect and as its text in others; where
it has none it is refused, with a message that names it, unless it is OMISSIBLE.
"""

import re
from collections.abc import Mapping
from hashlib import blake2s
from urllib.parse import unquote_to_bytes

import msgspec

from ..conversation import Chat, Image, Json, Text, Tool
from ..errors import BadRequest, Inexpressible
from ..model import Dialect
from .fields import encode_text

OMISSIBLE = "omissible"
"""In the rest of a block that no value carries: other dialects may leave it out without harm."""

# Anthropic documents this key for tool input that is no valid JSON object.
# Source: Anthropic's "Fine-grained tool streaming" page, read 2026-11.
INVALID_JSON = "INVALID_JSON"

# Anthropic accepts these characters in a tool_use id, OpenAI at most 40 of any.
# Source: both vendors' API references, read 2026-11.
_TOOL_ID = re.compile(r"[A-Za-z0-9_-]{1,40}\Z")
_TOOL_ID_BAD = re.compile(r"[^A-Za-z0-9_-]")
ID_PREFIXES: Mapping[Dialect, str] = {
    "openai_chat": "chatcmpl-",
    "openai_responses": "resp_",
    "anthropic": "msg_",
    "gemini": "",
}
"""How the ids of each vendor's answers begin, as their API references show them."""

_DATA_URL = re.compile(r"data:([^;,]*)((?:;[^;,]*)*),", re.IGNORECASE)

# Fields that change what an answer is: dropping them silently would answer another request.
# All others that a dialect lacks are hints, and are left out. The value is what is neutral.
_REFUSED: dict[Dialect, dict[str, tuple[object, ...]]] = {
    "openai_chat": {
        "n": (1,),
        "audio": (),
        "modalities": (["text"],),
        "functions": ([],),
        "web_search_options": (),
    },
    "openai_responses": {
        "previous_response_id": (),
        "conversation": (),
        "prompt": (),
        "background": (False,),
    },
    "anthropic": {
        "container": (),
        "mcp_servers": ([],),
        "thread": (),
        "compaction": (),
        "prefill": (),
    },
    "gemini": {
        "cachedContent": (),
        "generationConfig.candidateCount": (1,),
        "generationConfig.responseModalities": (["TEXT"], ["text"], []),
        "generationConfig.responseMimeType": ("text/plain",),
        "generationConfig.responseFormat": ([],),
    },
}

# Fields of a rest that no client writes: what they stand for, and which field says it.
_MEANT = {"prefill": ("an answer to go on from, the assistant's last turn,", "messages")}

# They tell nobody how likely a token was.
_NO_LOGPROBS: tuple[Dialect, ...] = ("anthropic",)


def own(rest: Json, dialect: Dialect) -> Mapping[str, object]:
    """Give what a rest keeps for a dialect."""
    kept = rest.get(dialect) if rest else None
    return kept if isinstance(kept, Mapping) else {}


def kept(dialect: Dialect, values: dict[str, object]) -> dict[str, object]:
    """Give a rest that keeps values for a dialect; empty when there are none."""
    return {dialect: values} if values else {}


def opaque(dialect: Dialect, block: Mapping[str, object], text: str = "") -> Text:
    """Give a block that no value carries; `text` is what it says to other dialects."""
    return Text(text, rest={dialect: dict(block)})


def own_block(part: Text, dialect: Dialect) -> Mapping[str, object] | None:
    """Give the whole block that a Text stands for in this dialect, None when it is plain text.

    Raises:
        BadRequest: it stands for another dialect's block that has no text.
    """
    if not part.rest:
        return None
    block = own(part.rest, dialect)
    if "type" in block:
        return block
    if not part.text:
        for source, other in part.rest.items():
            if isinstance(other, Mapping) and "type" in other and OMISSIBLE not in other:
                raise inexpressible(f"a part of type {other['type']!r} of {source}", dialect)
    return None


def is_omitted(part: Text, dialect: Dialect) -> bool:
    """Whether a Text is a block of another dialect's alone that may be left out."""
    return not part.text and any(
        source != dialect and isinstance(block, Mapping) and OMISSIBLE in block
        for source, block in part.rest.items()
    )


def require_function(tool: Tool, dialect: Dialect) -> None:
    """Raise BadRequest when a tool is another dialect's own kind and no function.

    One that its client runs itself has parameters, and goes elsewhere as a function.
    """
    if tool.parameters or tool.kind == "custom":
        return
    for source, other in tool.rest.items():
        if source != dialect and isinstance(other, Mapping) and "type" in other:
            raise inexpressible(f"a tool of type {other['type']!r} of {source}", dialect, "tools")


def refuse_foreign(chat: Chat, dialect: Dialect) -> None:
    """Raise BadRequest when the chat asks for something that only another dialect knows."""
    for source, refused in _REFUSED.items():
        if source == dialect or source not in chat.rest:
            continue
        fields = own(chat.rest, source)
        for name, neutral in refused.items():
            value = _at(fields, name)
            if value is not None and value not in neutral:
                what, field = _MEANT.get(name, (f"`{name}`", name))
                raise inexpressible(what, dialect, field)
    if chat.logprobs is not None and dialect in _NO_LOGPROBS:
        raise inexpressible("`logprobs`", dialect, "logprobs")


def inexpressible(what: str, dialect: Dialect, field: str | None = None) -> Inexpressible:
    """Give the error of a request that one dialect can say and another cannot."""
    return Inexpressible(
        f"{what} cannot be expressed in the {dialect} dialect of the model that would answer; "
        "leave it out, or ask for a model whose provider speaks the dialect of this endpoint",
        field=field,
    )


def cache_marker(rest: Json, dialect: Dialect) -> dict[str, object]:
    """Give the client's cache_control marker from whichever dialect it came in.

    OpenAI-compatible endpoints accept Anthropic's marker too, so it may come in either.
    """
    if not rest:
        return {}
    for source in (dialect, "anthropic", "openai_chat"):
        fields = rest.get(source)
        if isinstance(fields, Mapping) and fields.get("cache_control") is not None:
            return {"cache_control": fields["cache_control"]}
    return {}


def image_of(url: str, rest: Json, path: str) -> Image:
    """Give the image of a URL, which may be a data URL.

    Args:
        url: where it is, or `data:image/png;base64,...`.
        rest: kept for its dialect.
        path: the field's path, for errors.

    Raises:
        BadRequest: a data URL without base64 data.
    """
    if url[:5].lower() != "data:":
        return Image(url=url, rest=rest)
    head = _DATA_URL.match(url)
    if head is None or not head[2].lower().endswith(";base64"):
        raise BadRequest(f"`{path}` must be a data URL with base64 data", field=path)
    data = url[head.end() :]
    if "%" in data:
        data = unquote_to_bytes(data).decode("ascii", "replace")
    return Image(data=data, media_type=head[1].lower() or "image/png", rest=rest)


def image_url(image: Image) -> str:
    """Give the URL of an image, as a data URL when it has data."""
    if image.url is not None:
        return image.url
    return f"data:{image.media_type or 'image/png'};base64,{image.data or ''}"


def tool_id(call_id: str) -> str:
    """Give an id that every provider accepts; a good one stays as it is.

    The same id always gives the same, so that a result still names its call, and two
    different ids never meet.
    """
    if _TOOL_ID.match(call_id):
        return call_id
    digest = blake2s(call_id.encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()
    return f"{_TOOL_ID_BAD.sub('_', call_id)[:27]}_{digest}"


def missing_id(answer_id: str, number: int) -> str:
    """Give the id of an answer's call that came without one, from 0 on in order."""
    for prefix in ID_PREFIXES.values():
        answer_id = answer_id.removeprefix(prefix)
    return tool_id(f"call_{answer_id}_{number}")


def answer_id(request_id: str, dialect: Dialect) -> str:
    """Give the id of our answer to a request, which begins as the vendor's own do."""
    return ID_PREFIXES[dialect] + request_id.removeprefix("req_")


def arguments_object(arguments: str) -> msgspec.Raw:
    """Give a call's arguments as a JSON object, its text unchanged where it is one.

    Nothing at all is an empty object; what is no JSON object is wrapped, never repaired.
    """
    if not arguments.strip() or arguments.strip() == "null":
        return msgspec.Raw(b"{}")
    if is_object(arguments):
        return msgspec.Raw(arguments.strip().encode())
    return msgspec.Raw(encode_text({INVALID_JSON: arguments}).encode())


def image_note(image: Image) -> str:
    """Give the words that stand for a generated image where a dialect's answers hold none."""
    if image.url is not None:
        return f"[an image: {image.url}]"
    kind = image.media_type or "image"
    size = len(image.data or "") * 3 // 4
    return f"[an image, {kind}, of about {size} bytes, which this endpoint's answers cannot hold]"


def is_object(arguments: str) -> bool:
    """Whether a text is one whole JSON object."""
    try:
        return isinstance(msgspec.json.decode(arguments), dict)
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
        return False


def _at(fields: Mapping[str, object], path: str) -> object:
    name, _, below = path.partition(".")
    value = fields.get(name)
    return _at(value, below) if below and isinstance(value, Mapping) else value
