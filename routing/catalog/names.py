"""The names that are ours or not a model's own: `auto` and its kin, aliases, old names.

Old names are documented ones that their vendors have retired, with what stands in for each.
They count only when nobody serves the old name itself, and `Resolved.renamed` and the header
x-omniroute-replaced say so: a model is never swapped in silence. Source: OmniRoute's reference,
section 3.2. Where that leads to what its vendor has retired since, or to another kind of model,
the vendors' own pages on deprecations (OpenAI's for what was shut down on 2026-10-23, Anthropic's
for Haiku; read 2026-11-22).
"""

from collections.abc import Iterable, Sequence

from ..errors import BadRequest

OWN_NAMES: dict[str, str | None] = {
    "auto": None,
    "auto/coding": "coding",
    "auto/fast": "fast",
    "auto/cheap": "cheap",
    "auto/smart": "smart",
    "auto/offline": "offline",
    # The documented six-factor score with its default weights, and its mode packs.
    "auto/classic": "classic-6f",
    "auto/ship-fast": "ship-fast",
    "auto/cost-saver": "cost-saver",
    "auto/quality-first": "quality-first",
    "auto/offline-friendly": "offline-friendly",
    # Some clients list only names that begin with "claude".
    "claude-auto": None,
}
"""Our own names with their mode; None is the configured one."""

OLD_NAMES: dict[str, str] = {
    "gemini-pro": "gemini-2.5-pro",
    "gemini-pro-vision": "gemini-2.5-pro",
    "gemini-1.5-pro": "gemini-2.5-pro",
    "gemini-1.0-pro": "gemini-2.5-pro",
    "gemini-1.5-flash": "gemini-2.5-flash",
    "gemini-2.0-flash": "gemini-2.5-flash",
    "claude-3-opus-20240229": "claude-opus-4-20250514",
    "claude-3-sonnet-20240229": "claude-sonnet-4-20250514",
    "claude-3-5-sonnet-latest": "claude-sonnet-4-20250514",
    "claude-3-haiku-20240307": "claude-haiku-4-5",
    "claude-3-5-haiku-20241022": "claude-haiku-4-5",
    "claude-3-5-haiku-latest": "claude-haiku-4-5",
    "gpt-4": "gpt-5.6-sol",
    "gpt-4-turbo-preview": "gpt-5.6-sol",
    "gpt-4-0125-preview": "gpt-5.6-sol",
    "gpt-4-1106-preview": "gpt-5.6-sol",
    "gpt-3.5-turbo": "gpt-5.6-terra",
    "gpt-3.5-turbo-0125": "gpt-5.6-terra",
    "o3-mini": "gpt-5.6-sol",
    "o4-mini": "gpt-5.6-terra",
    "kimi-k2p5": "moonshotai/Kimi-K2.5",
    "accounts/fireworks/models/kimi-k2p5": "moonshotai/Kimi-K2.5",
    "kimi-k2": "moonshotai/Kimi-K2",
    "accounts/fireworks/models/kimi-k2": "moonshotai/Kimi-K2",
    "mistral-large": "mistral-large-latest",
    "mistral-small": "mistral-small-latest",
    "codestral": "codestral-latest",
    "llama-3.3": "llama-3.3-70b-versatile",
    "llama-3-70b": "llama-3.3-70b-versatile",
    "llama-3-8b": "llama3-8b-8192",
}

ALIAS_CHARS_MAX = 256
ALIASES_MAX = 500
"""Each request looks through all of them, and wildcards cost a match each."""

PREFIX = "omniroute/"
LONG_CONTEXT = "[1m]"


def spelled(target: str) -> str:
    """Give the name without what clients put around it.

    A trailing `[1m]` asks a client of Anthropic's for its long context, and some clients
    send the gateway's own name before the model's.
    """
    name = target.strip().removesuffix(LONG_CONTEXT)
    return name.removeprefix(PREFIX)


def replaced(target: str, model: str) -> bool:
    """Whether a model answers in place of the one that was asked for, which is retired."""
    return OLD_NAMES.get(target) == model


def is_reserved(name: str) -> bool:
    """Whether a combo or provider must not have this name."""
    return name in OWN_NAMES or name.startswith(("auto/", PREFIX))


def alias_of(aliases: Iterable[tuple[str, str]], name: str) -> str | None:
    """Give what the user's aliases make of a name; None when none fits.

    An alias may hold `*` (any run of characters) and `?` (one). A plain one wins, then the
    most specific.
    """
    best: tuple[int, str] | None = None
    for pattern, target in aliases:
        if pattern == name:
            return target
        if ("*" in pattern or "?" in pattern) and _matches(pattern, name):
            weight = _specificity(pattern)
            if best is None or weight > best[0]:
                best = (weight, target)
    return None if best is None else best[1]


def check_parts(name: str, field: str = "name") -> None:
    """Refuse a name that no URL can end with.

    Clients take parts that are `.` or `..` out of a URL before they send it, also where they are
    percent-encoded. Source: RFC 3986, sections 5.2.4 and 6.2.2.3.

    Raises:
        BadRequest: a part of it is one of these.
    """
    if not {".", ".."}.isdisjoint(name.split("/")):
        raise BadRequest(f"no part of a {field} is . or .., as in {name[:64]!r}", field=field)


def check_alias(aliases: Sequence[tuple[str, str]], name: str, target: str) -> None:
    """Refuse an alias that could not be used.

    Args:
        aliases: those that there are.
        name: what clients ask for; `*` and `?` are wildcards.
        target: what it stands for.

    Raises:
        BadRequest: with the field that is wrong.
    """
    for field, value in (("name", name), ("target", target)):
        if not 0 < len(value) <= ALIAS_CHARS_MAX or not value.isprintable():
            raise BadRequest(
                f"{field} has 1 to {ALIAS_CHARS_MAX} printable characters", field=field
            )
    if is_reserved(name):
        raise BadRequest(f"{name!r} is a name of the gateway's own", field="name")
    check_parts(name)
    if name == target:
        raise BadRequest(f"{name!r} would stand for itself", field="target")
    if "*" in target or "?" in target:
        raise BadRequest("a target is one name, without wildcards", field="target")
    if len(aliases) >= ALIASES_MAX and name not in dict(aliases):
        raise BadRequest(f"there are at most {ALIASES_MAX} aliases", field="name")


def name_allowed(allowed: tuple[str, ...], *names: str) -> bool:
    """Whether one of the names is allowed; `*` stands for any text, no patterns allow all."""
    return not allowed or any(is_within(name, pattern) for pattern in allowed for name in names)


def is_within(name: str, pattern: str) -> bool:
    """Whether a name fits a pattern in which each `*` stands for any text.

    Of two patterns it says that the second allows all that the first does: only a `*` takes one.
    """
    stars = pattern.count("*")
    if not stars:
        return name == pattern
    first, *middle, last = pattern.split("*")
    if stars == 1:
        return (
            len(name) >= len(first) + len(last) and name.startswith(first) and name.endswith(last)
        )
    if not name.startswith(first):
        return False
    place = len(first)
    for part in middle:
        found = name.find(part, place)
        if found < 0:
            return False
        place = found + len(part)
    return len(name) - len(last) >= place and name.endswith(last)


def _specificity(pattern: str) -> int:
    """Give the reference's measure: characters that must be there count, wildcards against."""
    stars, marks = pattern.count("*"), pattern.count("?")
    return 10 * (len(pattern) - stars - marks) - 50 * stars - 5 * marks + len(pattern)


def _matches(pattern: str, name: str) -> bool:
    """Match without a regular expression: linear in memory, never exponential in time."""
    place = start = 0
    star, resume = -1, 0
    while place < len(name):
        sign = pattern[start] if start < len(pattern) else ""
        if sign == "*":
            star, resume = start, place
            start += 1
        elif sign in ("?", name[place]):
            start, place = start + 1, place + 1
        elif star >= 0:
            resume += 1
            start, place = star + 1, resume
        else:
            return False
    return all(sign == "*" for sign in pattern[start:])
