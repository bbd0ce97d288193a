"""What a model is for, told from its name, where nobody says it.

Lists of models (a local server's, a price table's) name what they hold without saying what
kind it is. The names are telling: an embedding model has "embed" in it. What no row fits is
a chat model. A user's override says otherwise where a name misleads (see prices.py).
"""

from ..model import Capability

# The first row that fits counts: "bge-reranker" reranks although "bge-" embeds.
_MARKS: tuple[tuple[Capability, tuple[str, ...]], ...] = (
    ("rerank", ("rerank",)),
    ("moderation", ("moderation",)),
    ("embedding", ("embed", "^bge-", "^gte-", "^e5-", "^all-minilm", "^voyage-")),
    ("audio", ("whisper", "transcribe", "tts", "orpheus", "voxtral", "^lyria", "realtime")),
    ("image", ("dall-e", "gpt-image", "imagen", "stable-diffusion", "sdxl", "^flux")),
    ("video", ("^sora", "^veo-", "^kling")),
)


def kind_of(model: str) -> Capability:
    """Give the kind that a model's name tells of; "chat" when it tells of none."""
    name = model.lower().rsplit("/", 1)[-1]
    for kind, marks in _MARKS:
        if any(_fits(name, mark) for mark in marks):
            return kind
    return "chat"


def _fits(name: str, mark: str) -> bool:
    return name.startswith(mark[1:]) if mark.startswith("^") else mark in name
