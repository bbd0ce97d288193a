"""What OpenAI's two dialects have in common, and how each takes it from the other.

They name the same hints alike: where an answer is cached, how quickly it is served, how long it
is. What only OpenAI's own service knows goes, from one to the other, to models of OpenAI's alone;
compatible servers refuse fields that they do not know.

Source: OpenAI API reference, "Create chat completion" and "Create a model response", read 2026-11.
"""

from collections.abc import Mapping
from hashlib import blake2s

from msgspec import structs

from ..conversation import Chat, Image, Json
from ..model import Dialect
from .dropped import Dropped
from .efforts import effort_of, nearest
from .openai_models import efforts_of, is_openai, reasons
from .parts import own

# Source: OpenAI API reference, "user" and "safety_identifier", read 2026-11.
USER_CHARS_MAX = 64

_SHARED = (
    "prompt_cache_key",
    "prompt_cache_retention",
    "prompt_cache_options",
    "safety_identifier",
    "service_tier",
    "moderation",
)
# A chat completion takes metadata only where it is stored, and what is stored of a Responses
# request is kept by us.
_CARRIED: Mapping[Dialect, tuple[str, ...]] = {
    "openai_chat": _SHARED,
    "openai_responses": (*_SHARED, "metadata", "store", "verbosity"),
}
_OTHER: Mapping[Dialect, Dialect] = {
    "openai_chat": "openai_responses",
    "openai_responses": "openai_chat",
}


def carried(chat: Chat, dialect: Dialect, model: str, dropped: Dropped) -> dict[str, object]:
    """Give the hints of the other dialect of OpenAI, and note all that is not carried."""
    source = _OTHER[dialect]
    given = dict(own(chat.rest, source))
    if not given:
        dropped.note_chat(chat, dialect)
        return {}
    found: dict[str, object] = {}
    if dialect == "openai_responses" or is_openai(model):
        found = {name: given.pop(name) for name in _CARRIED[dialect] if name in given}
        text = given.get("text")
        if dialect == "openai_chat" and isinstance(text, Mapping) and "verbosity" in text:
            found["verbosity"] = text["verbosity"]
            given["text"] = {name: text[name] for name in text if name != "verbosity"}
    dropped.note_chat(structs.replace(chat, rest={**chat.rest, source: given}), dialect)
    return found


def reasoning_effort(chat: Chat, model: str, dropped: Dropped, *, taken: bool) -> str | None:
    """Give how hard a model should think, None where it was not said or the model does not.

    Args:
        chat: asks for an effort, or for a budget of thought.
        model: stands for how its vendor names efforts.
        dropped: notes what the model is not told.
        taken: whether the model may be told an effort.
    """
    if chat.reasoning_effort is not None:
        if taken:
            return nearest(chat.reasoning_effort, efforts_of(model)) or chat.reasoning_effort
        dropped.note("reasoning_effort")
    elif chat.reasoning_tokens_max is not None:
        if reasons(model):
            return nearest(effort_of(chat.reasoning_tokens_max), efforts_of(model))
        dropped.note("reasoning_tokens_max")
    return None


def note_sampling(chat: Chat, dropped: Dropped) -> None:
    """Note the parameters of sampling for a model that refuses them; 1 is what it does."""
    for name, value in (("temperature", chat.temperature), ("top_p", chat.top_p)):
        if value != 1:
            dropped.note_if(name, value)


def user_name(user: str | None) -> str | None:
    """Give who asks; of a longer name its digest, which says the same to whom it matters."""
    if user is None or len(user) <= USER_CHARS_MAX:
        return user
    return blake2s(user.encode("utf-8", "surrogatepass")).hexdigest()


def breakpoint_of(rest: Json) -> dict[str, object]:
    """Give the mark at which what comes before is cached, from either of the dialects."""
    for dialect in _OTHER if rest else ():
        fields = own(rest, dialect)
        if "type" not in fields and fields.get("prompt_cache_breakpoint") is not None:
            return {"prompt_cache_breakpoint": fields["prompt_cache_breakpoint"]}
    return {}


def image_detail(image: Image) -> object:
    """Give how closely an image is looked at, from whichever of the dialects it came in."""
    if not image.rest:
        return "auto"
    looked = own(image.rest, "openai_chat").get("image_url")
    found = looked.get("detail") if isinstance(looked, Mapping) else None
    return found or own(image.rest, "openai_responses").get("detail") or "auto"
