"""What adapters for pictures have in common: sizes, and answers in OpenAI's shape."""

import re
from collections.abc import Sequence

import orjson

from ...conversation import Usage
from ...errors import BadRequest, UpstreamFailure
from .steps import Asked, Made

SIZE = 1024
SIDE_MAX = 4096
_SIZE = re.compile(r"(\d{2,4})x(\d{2,4})")


def size_of(asked: Asked) -> tuple[int, int]:
    """Give width and height; `auto` and none are square.

    Raises:
        BadRequest: it is no size, or too large.
    """
    given = asked.fields.get("size")
    if given in (None, "auto"):
        return SIZE, SIZE
    found = _SIZE.fullmatch(given) if isinstance(given, str) else None
    if found is None or max(int(found[1]), int(found[2])) > SIDE_MAX:
        raise BadRequest(
            f"`size` is such as 1024x1024, and no side is over {SIDE_MAX}", field="size"
        )
    return int(found[1]), int(found[2])


def count_of(asked: Asked) -> int:
    """Give how many pictures are wanted."""
    given = str(asked.fields.get("n") or 1)
    return int(given) if given.isdecimal() else 1


def made(
    asked: Asked,
    pictures: Sequence[object],
    *,
    media_type: str = "image/png",
    dropped: tuple[str, ...] = (),
) -> Made:
    """Give pictures that came as base64 as the client has asked for them: so, or as a data URL.

    Raises:
        UpstreamFailure: there is none.
    """
    texts = [one for one in pictures if isinstance(one, str) and one]
    if not texts:
        raise UpstreamFailure("the answer holds no picture", kind="malformed")
    if asked.fields.get("response_format") == "url":
        data = [{"url": f"data:{media_type};base64,{one}"} for one in texts]
    else:
        data = [{"b64_json": one} for one in texts]
    body = orjson.dumps({"created": 0, "data": data})
    return Made(body, usage=Usage(units=len(texts)), dropped=dropped)
