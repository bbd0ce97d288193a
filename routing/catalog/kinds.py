"""What a model is for, told from its name, where nobody says it.

Lists of models (a local server's, a price table's) name what they hold without saying what
kind it is. The names are telling: an embedding model has "embed" in it. What no row fits is
a chat model. A user's override says otherwise where a name misleads (see prices.py).
"""

from ..model import Capability

# The first row that fits counts: "bge-reranker" reranks although "bge-" embeds. "audio" is speech
# or transcription, of a name that does not say which.
_MARKS: tuple[tuple[Capability, tuple[str, ...]], ...] = (
    ("rerank", ("rerank",)),
    ("moderation", ("moderation",)),
    ("embedding", ("embed", "^bge-", "^gte-", "^e5-", "^all-minilm", "^voyage-")),
    ("music", ("^lyria", "musicgen", "stable-audio", "^music-", "^suno")),
    ("audio", ("realtime",)),
    ("transcription", ("whisper", "transcri", "-asr", "parakeet")),
    ("speech", ("tts", "orpheus", "kokoro", "^aura-", "^eleven_", "^sonic-", "^speech-")),
    ("audio", ("voxtral",)),
    (
        "image",
        ("dall-e", "gpt-image", "imagen", "stable-diffusion", "sdxl", "^flux", "grok-imagine"),
    ),
    ("video", ("^sora", "^veo-", "^kling", "animatediff", "hailuo", "^t2v-", "^svd")),
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
