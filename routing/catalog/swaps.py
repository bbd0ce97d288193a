"""Whether a provider answered with another model than it was asked for.

Providers name the model that answers in their own way: with the vendor's path in front, with
the day of its making behind, or in place of `latest`. Those are the same model. Any other
difference is a swap: the answer is given as it is, and the attempt (`swapped`), `explain` and
the health view say so. What it is taken to cost is in accounting/billed.py.
"""

import re

_DATED = re.compile(r"[-@:](?:latest|\d{4}-\d{2}-\d{2}|\d{8}|\d{6}|\d{4}|\d{3}|\d{2}-\d{2})$")
_VARIANT = re.compile(r":[a-z][a-z0-9_-]*$")


def told_swap(asked: str, served: str | None) -> str:
    """Give the swap in words, "" where the model is the one asked for or is not named."""
    if not served or served == asked or _plain(asked) == _plain(served):
        return ""
    return f"the provider answered with {served}, not the model asked for"


def _plain(name: str) -> str:
    """Give a name without its path, variant and date."""
    plain = name.strip().lower().rpartition("/")[2]
    if not _DATED.search(plain):
        plain = _VARIANT.sub("", plain)
    return _DATED.sub("", plain)
