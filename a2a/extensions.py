"""The A2A-Extensions header: which extensions a client asks for, and which of them it gets.

Ours only adds metadata that other clients pass over, so it is in every answer of the standards
whether it was asked for or not; who asks is told that it is.

Source: A2A 1.0.1, section 3.2.6, and its guide to extensions, "Extension Activation" (read
2026-11-23); in 0.3 the header began with X-.
"""

from collections.abc import Mapping

from starlette.datastructures import Headers

from .dialects.codec import EXTENSION

NAMES = ("a2a-extensions", "x-a2a-extensions")


def activated(asked: Headers) -> Mapping[str, str]:
    """Give the headers of an answer that tell what is active, by the names that were asked by."""
    return {
        name: EXTENSION
        for name in NAMES
        for value in asked.getlist(name)
        if EXTENSION in map(str.strip, value.split(","))
    }
