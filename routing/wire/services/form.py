"""A form with files (multipart/form-data) as it lies in the body: places, and no copies.

The bytes of a file are never decoded, and never leave the body that was read: a part is known
by where it begins and ends. Only what a decision needs is taken out, and only the model's name is
written anew. A file's own name is not read: nothing here needs it.

Source: RFC 7578, and RFC 2046 section 5.1 for what stands between parts.
"""

import re

from msgspec import Struct

from ...errors import BadRequest

PARTS_MAX = 64
HEAD_BYTES_MAX = 4096
TEXT_BYTES_MAX = 256 * 1024
"""The longest text field; a transcription's prompt is the longest one in use."""

FORM_TYPE = "multipart/form-data"
_BOUNDARY = re.compile(
    rb'(?i)multipart/form-data\s*;.*?\bboundary=(?:"([^"\r\n]{1,70})"|([^\s;"]{1,70}))'
)
_NAME = re.compile(rb'(?i)content-disposition:[ \t]*form-data;[^\r\n]*?\bname="([^"\r\n]*)"')
_FILE = re.compile(rb"(?i)content-disposition:[^\r\n]*;[ \t]*filename\*?=")
_TYPE = re.compile(rb"(?i)content-type:[ \t]*([!-~]+)")


class File(Struct, frozen=True):
    """A file of a form: where it lies, and what it says it is."""

    data: memoryview
    content_type: str = "application/octet-stream"


class Part(Struct, frozen=True):
    """One part: its name, and where its head and its value begin, and end, in the body."""

    name: str
    head: int
    begin: int
    end: int
    content_type: str = ""
    is_file: bool = False


class Form(Struct, frozen=True):
    """All parts of one body."""

    body: bytes
    boundary: bytes
    parts: tuple[Part, ...]

    @property
    def content_type(self) -> str:
        """The body's type, as its request says it."""
        return f'{FORM_TYPE}; boundary="{self.boundary.decode("latin-1")}"'

    def texts(self) -> dict[str, object]:
        """Give the texts by name; a name that stands more than once has a list.

        Raises:
            BadRequest: one is too long, or not UTF-8.
        """
        found: dict[str, object] = {}
        for part in self.parts:
            if part.is_file:
                continue
            text = self._text(part)
            before = found.get(part.name)
            if before is None:
                found[part.name] = text
            else:
                found[part.name] = [*before, text] if isinstance(before, list) else [before, text]
        return found

    def file(self) -> File | None:
        """Give the first file."""
        for part in self.parts:
            if part.is_file:
                view = memoryview(self.body)[part.begin : part.end]
                return File(view, part.content_type or "application/octet-stream")
        return None

    def with_text(self, name: str, value: str) -> bytes:
        """Give the body with another value of the text of that name, or with one more text."""
        view, written = memoryview(self.body), value.encode()
        for part in self.parts:
            if part.name == name and not part.is_file:
                return b"".join((view[: part.begin], written, view[part.end :]))
        head = b'--%b\r\ncontent-disposition: form-data; name="%b"\r\n\r\n%b\r\n'
        return b"".join((head % (self.boundary, name.encode(), written), view))

    def _text(self, part: Part) -> str:
        if part.end - part.begin > TEXT_BYTES_MAX:
            raise BadRequest(
                f"the form's field {part.name!r} is longer than {TEXT_BYTES_MAX} bytes",
                field=part.name,
            )
        try:
            return self.body[part.begin : part.end].decode()
        except UnicodeDecodeError:
            raise BadRequest(
                f"the form's field {part.name!r} is not UTF-8", field=part.name
            ) from None


def is_form(content_type: bytes) -> bool:
    """Whether a content type is that of a form with files."""
    return content_type.strip().lower().startswith(FORM_TYPE.encode())


def form_of(body: bytes, content_type: bytes) -> Form:
    """Give the parts of a form.

    Raises:
        BadRequest: it is no such form, has too many parts, or breaks off.
    """
    told = _BOUNDARY.match(content_type.strip())
    if told is None:
        raise _bad("its content type names no boundary")
    return _read(body, told[1] or told[2])


def form_in(body: bytes) -> Form:
    """Give the parts of a form that form_of has read before, from its body alone.

    Raises:
        BadRequest: it is no such form.
    """
    first, _, _ = body.partition(b"\r\n")
    return _read(body, first.removeprefix(b"--"))


def _read(body: bytes, boundary: bytes) -> Form:
    line = b"--" + boundary
    if not boundary or not body.startswith(line + b"\r\n"):
        raise _bad("it does not begin with its boundary")
    parts: list[Part] = []
    at, between = len(line) + 2, b"\r\n" + line
    while True:
        # What has no header has the blank line at once.
        head_end = at - 2 if body.startswith(b"\r\n", at) else body.find(b"\r\n\r\n", at)
        if head_end < 0 or head_end - at > HEAD_BYTES_MAX:
            raise _bad("a part has no end of its head")
        begin = head_end + 4
        end = body.find(between, begin - 2)
        if end < 0:
            raise _bad("it breaks off in a part")
        if len(parts) == PARTS_MAX:
            raise _bad(f"it has more than {PARTS_MAX} parts")
        parts.append(_part(body[at:begin], begin, max(end, begin)))
        at = end + len(between)
        if body.startswith(b"--", at):
            return Form(body, boundary, tuple(parts))
        if not body.startswith(b"\r\n", at):
            raise _bad("a boundary has no end of its line")
        at += 2


def _part(head: bytes, begin: int, end: int) -> Part:
    name, kind = _NAME.search(head), _TYPE.search(head)
    if name is None:
        raise _bad("a part has no name")
    return Part(
        name[1].decode("utf-8", "replace"),
        begin - len(head),
        begin,
        end,
        "" if kind is None else kind[1].decode("latin-1"),
        is_file=_FILE.search(head) is not None,
    )


def _bad(why: str) -> BadRequest:
    return BadRequest(f"the body is not a valid multipart/form-data: {why}")
