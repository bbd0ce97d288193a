"""provider-discovery: who serves what, found by what a model can do, costs or is called."""

import re
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from omniroute.routing.catalog.listing import ModelRow
from omniroute.routing.model import Capability
from omniroute.routing.views import Views

from ..dialects.common import dollars
from ..task import Json
from .report import ROWS_MAX, Asked, Question, Told
from .words import has_word, lines, money, plural, providers_in, words_of

WHICH_MODEL = (
    "Which model do you mean? Send its name or the beginning of it, as `omniroute models` and "
    "GET /v1/models list them."
)

_A_PICTURE = r"(?:an? )?(?:images?|pictures?)\b"
CAPABILITIES: tuple[tuple[Capability, str], ...] = (
    ("embedding", r"\bembed\w*|\bvectors?\b"),
    ("rerank", r"\bre-?rank\w*"),
    ("moderation", r"\bmoderat\w*"),
    ("image", rf"\bimage (?:gen|model)\w*|\b(?:generat\w*|draw\w*|mak\w*|paint\w*) {_A_PICTURE}"),
    ("transcription", r"\btranscri\w*|\bspeech[- ]to[- ]text\b"),
    ("speech", r"\btext[- ]to[- ]speech\b|\btts\b|\bspeech\b(?![- ]to)"),
    ("audio", r"\baudio\b"),
    ("video", r"\bvideos?\b"),
    ("music", r"\bmusic\b|\bsongs?\b"),
)
"""How questions ask for what a model can do; the first that fits counts."""
_ROOM = re.compile(
    r"\b(\d{1,5})\s*(k|m|,?000)?\s*(?:tokens?|context)|\bcontext\D{0,20}(\d{1,5})\s*(k|m)\b"
)
_TIMES = {"k": 1_000, ",000": 1_000, "000": 1_000, "m": 1_000_000}
_VISION = re.compile(r"\bvision\b|\b(?:see|read|understand)\w* (?:images?|pictures?|photos?)\b")
_TOOLS = re.compile(r"\b(?:tools?|functions?)(?:[- ]call\w*)?\b")
_ASKS_FOR_ONE = re.compile(r"\b(?:this|that|the|my|a certain)\s+model\b")
_NAME = re.compile(r"[a-z][\w.+]*[-/:][\w.:/+-]*")
_CHARS_MIN = 3
_COMMON = frozenset(
    words_of(
        "all and any are audio can chat cheap cheapest context cost costs embed embedding "
        "embeddings for free from gateway has have how image images know list local long many "
        "mini model models much music name names one open price provider providers rerank run "
        "runs serve serves show speech tell text that the them there this tokens tool tools use "
        "video vision what where which who with you"
    )
)
"""Words of a question that are no model's name, though a name may begin with one."""


Holds = Callable[[ModelRow], bool | None]
"""Says whether something holds of a model; None when that is not known."""


@dataclass(frozen=True, slots=True)
class Search:
    """What a question looks for. Each test is a reason in words, and what keeps a model.

    Attributes:
        unknown: what looks like a model's name, and is none's.
        cheapest: the cheapest come first.
    """

    tests: tuple[tuple[str, Holds], ...] = ()
    unknown: tuple[str, ...] = ()
    cheapest: bool = False

    @property
    def found(self) -> bool:
        return bool(self.tests or self.unknown or self.cheapest)


async def tell(view: Views, question: Question) -> Told | Asked:
    """Answer a question about providers and their models."""
    rows = [one for one in view.models(question.caller) if one.kind == "model"]
    searches = [_search(text, rows) for text in question.texts]
    search = next((one for one in searches if one.found), Search())
    if not search.found:
        if len(question.texts) > 1:
            search = Search(unknown=(question.text[:64],))
        elif _ASKS_FOR_ONE.search(question.text.lower()):
            return Asked(WHICH_MODEL)
        else:
            return _providers(rows)
    return _models(search, rows)


def _search(text: str, rows: Sequence[ModelRow]) -> Search:
    plain = text.lower()
    tests: list[tuple[str, Holds]] = []
    named = providers_in(text, (one.owned_by for one in rows))
    if named:
        tests.append((f"at {' or '.join(named)}", lambda row: row.owned_by in named))
    models, unknown = _names(text, rows, named)
    if models:
        tests.append((f"called {' or '.join(models)}", lambda row: _goes_by(row, models)))
    for capability, pattern in CAPABILITIES:
        if re.search(pattern, plain):
            tests.append((f"for {capability}", _can(capability)))
            break
    if _VISION.search(plain):
        tests.append(("that read images", lambda row: row.facts.images))
    if _TOOLS.search(plain):
        tests.append(("that call tools", lambda row: row.facts.tools))
    if has_word(plain, "local"):
        tests.append(("on this machine", lambda row: row.local))
    if has_word(plain, "free", "gratis"):
        tests.append(("that cost nothing", _is_free))
    room = _room(plain)
    if room is not None:
        tests.append((f"with a context of {room:,} tokens", _holds(room)))
    return Search(tuple(tests), unknown, has_word(plain, "cheap", "price", "cost"))


def _names(
    text: str, rows: Sequence[ModelRow], providers: Sequence[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Give the words that models go by, and those that look like it and are no model's."""
    known = sorted({name for row in rows for name in _begun(row)})
    whole = {row.model_id.lower() for row in rows}
    models, unknown = [], []
    for word in dict.fromkeys(words_of(text)):
        if len(word) < _CHARS_MIN or word in _COMMON or word in providers:
            continue
        at = bisect_left(known, word)
        if word in whole or (at < len(known) and known[at].startswith(word)):
            models.append(word)
        elif _NAME.fullmatch(word) and ("/" in word or any(map(str.isdigit, word))):
            unknown.append(word)
    return tuple(models), tuple(unknown)


def _goes_by(row: ModelRow, names: tuple[str, ...]) -> bool:
    return row.model_id.lower() in names or any(one.startswith(names) for one in _begun(row))


def _begun(row: ModelRow) -> tuple[str, str]:
    """Give what a name may be the beginning of: the model's without its provider, or maker."""
    bare = row.bare_name.lower()
    return bare, bare.rpartition("/")[2]


def _can(capability: Capability) -> Holds:
    return lambda row: capability in row.facts.capabilities


def _holds(room: int) -> Holds:
    def holds(row: ModelRow) -> bool | None:
        known = row.facts.context_tokens_max
        return None if known is None else known >= room

    return holds


def _is_free(row: ModelRow) -> bool | None:
    price = row.facts.price
    if row.local:
        return True
    return None if price is None else not (price.input or price.output or price.unit)


def _room(plain: str) -> int | None:
    found = _ROOM.search(plain)
    if found is None:
        return None
    return int(found[1] or found[3]) * _TIMES.get(found[2] or found[4] or "", 1)


def _providers(rows: Sequence[ModelRow]) -> Told:
    names = list(dict.fromkeys(one.owned_by for one in rows))
    found = [_provider(name, [one for one in rows if one.owned_by == name]) for name in names]
    said = [
        f"{one['provider']}: {plural(int(str(one['models'])), 'model')}"
        f"{' (simulated)' if one['simulated'] else ''}{' (local)' if one['local'] else ''}"
        for one in found
    ]
    text = f"{plural(len(found), 'provider')} with {plural(len(rows), 'model')}."
    if said:
        text = lines(text, said)
    return Told(
        text,
        {
            "queryType": "providers",
            "providerCount": len(found),
            "modelCount": len(rows),
            "providers": found[:ROWS_MAX],
            "leftOut": max(len(found) - ROWS_MAX, 0),
        },
    )


def _provider(name: str, rows: Sequence[ModelRow]) -> Json:
    capabilities = sorted({can for one in rows for can in one.facts.capabilities})
    return {
        "provider": name,
        "models": len(rows),
        "capabilities": capabilities,
        "local": all(one.local for one in rows),
        "simulated": all(one.simulated for one in rows),
    }


def _models(search: Search, rows: Sequence[ModelRow]) -> Told:
    judged = [(one, [test(one) for _, test in search.tests]) for one in rows]
    kept = [one for one, found in judged if all(found)]
    undecided = sum(1 for _, found in judged if None in found and False not in found)
    if search.unknown and not any(why.startswith("called") for why, _ in search.tests):
        kept, undecided = [], 0
    if search.cheapest:
        kept.sort(key=lambda row: (row.facts.price is None, _price(row), row.model_id))
    asked = " ".join(why for why, _ in search.tests)
    if search.unknown:
        asked += f" called {' or '.join(search.unknown)}"
    owners = list(dict.fromkeys(one.owned_by for one in kept))
    text = f"No model {asked.strip()} is known here.".replace("  ", " ")
    if kept:
        order = ", the cheapest first" if search.cheapest else ""
        head = f"{plural(len(kept), 'model')} {asked.strip()}".rstrip()
        text = lines(
            f"{head}, at {plural(len(owners), 'provider')}{order}:", list(map(_line, kept))
        )
    if undecided:
        text += f"\nOf {plural(undecided, 'more model')} it is not known."
    return Told(
        text,
        {
            "queryType": "models",
            "criteria": [why for why, _ in search.tests],
            "unknown": list(search.unknown),
            "modelCount": len(kept),
            "undecidedCount": undecided,
            "providers": owners[:ROWS_MAX],
            "models": [_model(one) for one in kept[:ROWS_MAX]],
            "leftOut": max(len(kept) - ROWS_MAX, 0),
        },
    )


def _price(row: ModelRow) -> int:
    price = row.facts.price
    return 0 if price is None else price.input + price.output


def _line(row: ModelRow) -> str:
    price = row.facts.price
    told = "price not known"
    if price is not None:
        told = (
            f"{money(dollars(price.input))} in and {money(dollars(price.output))} out a million "
            "tokens"
        )
    room = row.facts.context_tokens_max
    holds = "" if room is None else f", {room:,} tokens of context"
    return f"{row.model_id}{' (simulated)' if row.simulated else ''}: {told}{holds}"


def _model(row: ModelRow) -> Json:
    facts = row.facts
    return {
        "id": row.model_id,
        "provider": row.owned_by,
        "capabilities": list(facts.capabilities),
        "contextTokens": facts.context_tokens_max,
        "inputPricePerMTok": None if facts.price is None else dollars(facts.price.input),
        "outputPricePerMTok": None if facts.price is None else dollars(facts.price.output),
        "tools": facts.tools,
        "images": facts.images,
        "local": row.local,
        "simulated": row.simulated,
    }
