"""What is added to requests, kept as one setting."""

import msgspec

from omniroute.routing.shaping import Shaping

SHAPING = "shaping"
"""The setting that holds it."""


def shaping_of(value: object, problems: list[str]) -> Shaping | None:
    """Give what the setting adds to requests, None where that is nothing."""
    try:
        found = Shaping() if value is None else msgspec.convert(value, Shaping)
    except msgspec.ValidationError as error:
        problems.append(f"the setting {SHAPING!r} cannot be used: {error}")
        return None
    return found if found.touches else None
