"""What a request may ask of the simulator beside its answer, in the model's name or by control.

    fast@fault=stall,after=3,seconds=0.5        a stall of half a second after three pieces
    smart@latency=0,pace=0,chunk=7              no waiting, sent in pieces of seven bytes
    cheap@input_tokens=1000,output_tokens=500   exactly this usage

`name@directive=value,...`: the fields of Directives are all there are. Unknown names, values
out of bounds and repeated names are refused, with a message that lists what is known.
"""

import math
from typing import Annotated, Literal

import msgspec

from ..catalog.simulated import DIRECTIVES_MARK
from ..errors import BadRequest
from .faults import FAULTS
from .script import Saying

SECONDS_MAX = 3_600.0
TOKENS_MAX = 10**12

_Count = Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]
_Seconds = Annotated[float, msgspec.Meta(ge=0, le=SECONDS_MAX)]
_Tokens = Annotated[int, msgspec.Meta(ge=0, le=TOKENS_MAX)]


class Directives(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """All directives; None leaves the model's or the fault's own value.

    Attributes:
        fault: the name of a row in faults.FAULTS.
        after: pieces of the answer sent before the fault.
        seconds: how long the fault lasts.
        latency: seconds until the first byte.
        pace: seconds before each further piece.
        chunk: bytes per write, so that events are split anywhere.
        words: length of the answer, instead of an echo.
        retry: seconds in Retry-After.
        size: bytes of the huge event.
        input_tokens: reported usage, instead of the counted one.
        output_tokens: the same for the output.
        cached_tokens: how many input tokens are reported as read from a cache.
        written_tokens: how many as written to one.
        written_1h_tokens: how many of those as kept for an hour.
        reasoning_tokens: how many output tokens are reported as thoughts.
        says: a refusal instead of the text, an image after it, before it a thought that only the
            provider can read, or one between tags.
        finish: why the answer ends, instead of its own reason.
    """

    fault: str | None = None
    after: _Count | None = None
    seconds: _Seconds | None = None
    latency: _Seconds | None = None
    pace: _Seconds | None = None
    chunk: Annotated[int, msgspec.Meta(ge=1, le=2**24)] | None = None
    words: Annotated[int, msgspec.Meta(ge=0, le=100_000)] | None = None
    retry: Annotated[int, msgspec.Meta(ge=0, le=10**6)] | None = None
    size: Annotated[int, msgspec.Meta(ge=1, le=2**26)] | None = None
    input_tokens: _Tokens | None = None
    output_tokens: _Tokens | None = None
    cached_tokens: _Tokens | None = None
    written_tokens: _Tokens | None = None
    written_1h_tokens: _Tokens | None = None
    reasoning_tokens: _Tokens | None = None
    says: Saying | None = None
    finish: Literal["length", "content_filter"] | None = None

    def over(self, base: "Directives") -> "Directives":
        """Give these directives, with those of `base` where none is given."""
        chosen = {
            name: getattr(base, name) if getattr(self, name) is None else getattr(self, name)
            for name in self.__struct_fields__
        }
        return Directives(**chosen)


NONE = Directives()


def split_name(model: str) -> tuple[str, Directives]:
    """Give a model's name without its directives, and those.

    Raises:
        BadRequest: the part after the mark is not a list of known directives.
    """
    name, mark, written = model.partition(DIRECTIVES_MARK)
    if not mark:
        return name, NONE
    values: dict[str, object] = {}
    for item in written.split(","):
        key, equals, value = item.strip().partition("=")
        if not equals or not key or not value:
            raise _refused(f"{item!r} is not of the form directive=value")
        if key in values:
            raise _refused(f"{key!r} is given twice")
        values[key] = value
    return name, read_directives(values)


def read_directives(values: dict[str, object]) -> Directives:
    """Give checked directives of a JSON object or of the strings in a model's name.

    Raises:
        BadRequest: a name is unknown, or a value is of the wrong kind or out of bounds.
    """
    try:
        read = msgspec.convert(values, Directives, strict=False)
    except msgspec.ValidationError as error:
        raise _refused(str(error)) from error
    if read.fault is not None and read.fault not in FAULTS:
        raise _refused(f"no fault is named {read.fault!r}; faults are {', '.join(FAULTS)}")
    for name in ("seconds", "latency", "pace"):
        if math.isnan(getattr(read, name) or 0.0):
            raise _refused(f"{name!r} is not a number")
    return read


def _refused(why: str) -> BadRequest:
    known = ", ".join(Directives.__struct_fields__)
    return BadRequest(
        f"the simulator does not understand the directives: {why}; known are {known}, "
        f"as in fast{DIRECTIVES_MARK}fault=stall,after=3",
        field="model",
    )
