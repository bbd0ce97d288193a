"""A chat completion request as a provider with quirks takes it.

Only what the provider would refuse is touched; all else keeps the client's own bytes. What is
said by another name or role is no loss. What is left out is named, and what would change the
meaning of the request is not sent there: a schema that the answer must follow, where none is
known. Another candidate may know it.
"""

from collections.abc import Iterator
from hashlib import blake2b

import msgspec

from ..errors import Inexpressible
from .dropped import Dropped
from .quirks import Quirks
from .splice import fields_of

Message = dict[str, msgspec.Raw]

_NULL = msgspec.Raw(b"null")
_DEVELOPER = msgspec.Raw(b'"developer"')
_DEVELOPER_BYTES = bytes(_DEVELOPER)
_TURNS = (msgspec.Raw(b'"user"'), msgspec.Raw(b'"assistant"'))
_LETTERS = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

_messages = msgspec.json.Decoder(list[Message])
_calls = msgspec.json.Decoder(list[Message])
_text = msgspec.json.Decoder(str)
_encode = msgspec.json.Encoder().encode


class _Schema(msgspec.Struct):
    strict: bool | None = None


class _Format(msgspec.Struct):
    type: str
    json_schema: _Schema | None = None


class _TextPart(msgspec.Struct):
    type: str
    text: str


def fitted(body: bytes, quirks: Quirks) -> tuple[bytes, tuple[str, ...]]:
    """Give the body for the provider, and the names of what it is not told.

    Raises:
        Inexpressible: the request demands what the provider cannot do.
    """
    if quirks.only_the_role and _DEVELOPER_BYTES not in body:
        return body, ()
    before = fields_of(body)
    fields = dict(before)
    dropped = Dropped()
    for name in quirks.refused:
        _leave_out(fields, name, dropped, name)
    for old, new in quirks.renamed:
        if old in fields:
            value = fields.pop(old)
            fields.setdefault(new, value)
    if quirks.schema == "json_object" and "response_format" in fields:
        fields["response_format"] = _format(fields["response_format"], dropped)
    if "messages" in fields and _may_touch_messages(body, quirks):
        fields["messages"] = _fitted_messages(fields["messages"], quirks, dropped)
    return (body if fields == before else _encode(fields)), dropped.names


def framed(body: bytes, more: tuple[tuple[str, str], ...]) -> bytes:
    """Give the body without the model's name, which stands in the path, and with more fields."""
    fields = fields_of(body)
    fields.pop("model", None)
    for name, value in more:
        fields.setdefault(name, msgspec.Raw(_encode(value)))
    return _encode(fields)


def _leave_out(owner: Message, name: str, dropped: Dropped, path: str) -> None:
    value = owner.pop(name, None)
    if value is not None and value != _NULL:
        dropped.note(path)


def _format(given: msgspec.Raw, dropped: Dropped) -> msgspec.Raw:
    try:
        wanted = msgspec.json.decode(given, type=_Format)
    except msgspec.MsgspecError:
        return given  # The provider says what it thinks of it.
    if wanted.type != "json_schema":
        return given
    if wanted.json_schema is not None and wanted.json_schema.strict:
        raise Inexpressible(
            "the provider gives JSON but follows no schema, and `strict` demands it: leave "
            "`strict` out, or ask for another model",
            field="response_format",
        )
    dropped.note("response_format.json_schema")
    return msgspec.Raw(b'{"type":"json_object"}')


def _may_touch_messages(body: bytes, quirks: Quirks) -> bool:
    """Whether the messages have to be taken apart: a look at the bytes costs a hundredth of it."""
    return (
        quirks.alternates
        or quirks.text_only
        or (quirks.developer != "developer" and _DEVELOPER_BYTES in body)
        or (quirks.tool_id_chars is not None and b'"tool_call' in body)
        or any(f'"{name}"'.encode() in body for name in quirks.message_fields_refused)
    )


def _fitted_messages(given: msgspec.Raw, quirks: Quirks, dropped: Dropped) -> msgspec.Raw:
    try:
        before = _messages.decode(given)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return given  # The provider says what it thinks of it.
    after = [_message(one, quirks, dropped) for one in before]
    if quirks.alternates:
        after = list(_alternating(after))
    return given if after == before else msgspec.Raw(_encode(after))


def _message(given: Message, quirks: Quirks, dropped: Dropped) -> Message:
    message = dict(given)
    if message.get("role") == _DEVELOPER and quirks.developer != "developer":
        message["role"] = msgspec.Raw(_encode(quirks.developer))
    for name in quirks.message_fields_refused:
        _leave_out(message, name, dropped, f"messages.{name}")
    if quirks.text_only and "content" in message:
        message["content"] = _plain(message["content"])
    if quirks.tool_id_chars is not None:
        _fit_ids(message, quirks.tool_id_chars)
    return message


def _plain(content: msgspec.Raw) -> msgspec.Raw:
    """Give parts of text as one string; what has other parts stays, for the provider to refuse."""
    try:
        parts = msgspec.json.decode(content, type=list[_TextPart])
    except msgspec.MsgspecError:
        return content
    if any(part.type != "text" for part in parts):
        return content
    return msgspec.Raw(_encode("\n".join(part.text for part in parts)))


def _fit_ids(message: Message, chars: int) -> None:
    if "tool_call_id" in message:
        message["tool_call_id"] = _fitting_id(message["tool_call_id"], chars)
    if "tool_calls" in message:
        try:
            calls = _calls.decode(message["tool_calls"])
        except msgspec.MsgspecError:
            return
        for call in calls:
            if "id" in call:
                call["id"] = _fitting_id(call["id"], chars)
        message["tool_calls"] = msgspec.Raw(_encode(calls))


def _fitting_id(given: msgspec.Raw, chars: int) -> msgspec.Raw:
    """Give the id, or one of the right length that the same id always gives."""
    try:
        text = _text.decode(given)
    except msgspec.MsgspecError:
        return given
    if len(text) == chars and text.isascii() and text.isalnum():
        return given
    number = int.from_bytes(blake2b(text.encode(), digest_size=16).digest(), "big")
    letters: list[str] = []
    for _ in range(chars):
        number, place = divmod(number, len(_LETTERS))
        letters.append(_LETTERS[place])
    return msgspec.Raw(_encode("".join(letters)))


def _alternating(messages: list[Message]) -> Iterator[Message]:
    """Give the messages with neighbours of one role as one, unless one of them calls tools."""
    last: Message | None = None
    for message in messages:
        if last is None:
            last = message
            continue
        joined = _joined(last, message)
        if joined is None:
            yield last
            last = message
        else:
            last = joined
    if last is not None:
        yield last


def _joined(first: Message, second: Message) -> Message | None:
    role = first.get("role")
    if role not in _TURNS or second.get("role") != role:
        return None
    if "tool_calls" in first or "tool_calls" in second:
        return None
    contents = [_value(one.get("content")) for one in (first, second)]
    texts = [one for one in contents if isinstance(one, str)]
    if len(texts) == len(contents):
        return {**first, "content": msgspec.Raw(_encode("\n\n".join(filter(None, texts))))}
    parts = [part for one in contents for part in _parts(one)]
    return {**first, "content": msgspec.Raw(_encode(parts))}


def _value(content: msgspec.Raw | None) -> object:
    value = None if content is None else msgspec.json.decode(content)
    return "" if value is None else value


def _parts(value: object) -> list[object]:
    """Give a content as a list of parts."""
    if isinstance(value, list):
        return value
    return [{"type": "text", "text": value}] if value else []
