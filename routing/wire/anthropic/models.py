"""What each of Anthropic's models takes, told by its name.

The fields of a request mean the same to all their models, but not every model takes every field:
one refuses a thinking budget, another a temperature. Names come as Anthropic writes them or as
resellers do (`anthropic.claude-opus-4-6-v1:0`, `anthropic/claude-opus-4.6`). A model of another
vendor that speaks this dialect is taken to know what all of Anthropic's once knew.

Sources: Anthropic's documentation, "Adaptive thinking", "Extended thinking", "Effort", "Migration
guide", "Mid-conversation system messages", "Structured outputs" and "Errors", read 2026-11; which
models take a system turn, a prefill or a temperature is in part from Anthropic's SDK 2.12 and from
reports of its users, and was not tried with each model.
"""

import re
from functools import lru_cache

from msgspec import Struct

NAMES_MAX = 256
"""How many names' facts are kept."""

_CLAUDE = re.compile(r"claude-(?:([a-z]+)-)?(\d{1,2})(?!\d)(?:[.-](\d{1,2})(?!\d))?", re.IGNORECASE)
_ALWAYS_THINKING = ("fable", "mythos")


class Facts(Struct, frozen=True):
    """What a model takes.

    Attributes:
        adaptive: thinking as much as it finds right.
        budget: thinking within a number of tokens.
        idle: to be asked not to think.
        efforts: the words of `output_config.effort`, from the least.
        sampling: temperature, top_p and top_k.
        sampling_pair: temperature and top_p in one request.
        prefill: a last turn of the assistant that it goes on from.
        system_inside: a turn of the role system after the user's.
        schemas: a schema that the answer follows.
    """

    adaptive: bool = False
    budget: bool = True
    idle: bool = True
    efforts: tuple[str, ...] = ()
    sampling: bool = True
    sampling_pair: bool = True
    prefill: bool = True
    system_inside: bool = False
    schemas: bool = True


@lru_cache(NAMES_MAX)
def facts_of(model: str) -> Facts:
    """Give what a model takes."""
    found = _CLAUDE.search(model)
    if found is None:
        known = "claude" not in model.lower()  # a name without a version may be of any
        return Facts(budget=known, idle=known)
    family = (found[1] or "").lower()
    version = (int(found[2]), int(found[3] or 0))
    thinks = version >= (3, 7)
    return Facts(
        adaptive=version >= (4, 6),
        budget=thinks and version < (4, 7),
        idle=thinks and family not in _ALWAYS_THINKING,
        efforts=_efforts(family, version),
        sampling=version < (4, 7),
        sampling_pair=version < (4, 1),
        prefill=version < (4, 6),
        system_inside=_takes_system(family, version),
        schemas=version >= ((4, 1) if family == "opus" else (4, 5)),
    )


def _efforts(family: str, version: tuple[int, int]) -> tuple[str, ...]:
    if version >= (4, 7):
        return ("low", "medium", "high", "xhigh", "max")
    if version == (4, 6):
        return ("low", "medium", "high", "max")
    return ("low", "medium", "high") if (family, version) == ("opus", (4, 5)) else ()


def _takes_system(family: str, version: tuple[int, int]) -> bool:
    if family == "sonnet":
        return version >= (5, 5)
    return family in ("opus", *_ALWAYS_THINKING) and version >= (4, 8)
