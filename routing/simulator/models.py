"""The simulated provider's models: how each answers. Their facts are the catalogue's."""

from dataclasses import dataclass

from ..catalog.simulated import DIRECTIVES_MARK, SIMULATED_MODELS, SIMULATED_PROVIDER
from ..model import ModelFacts
from .script import Timing

PROVIDER = SIMULATED_PROVIDER


@dataclass(frozen=True, slots=True)
class SimulatedModel:
    """One model of the simulated provider.

    Attributes:
        does: what it is there for, in one sentence.
        thinks: it reasons before it answers.
        long: it says more than an echo.
    """

    name: str
    does: str
    facts: ModelFacts
    timing: Timing
    thinks: bool = False
    long: bool = False


FAST = SimulatedModel(
    "fast",
    "Echoes at once.",
    SIMULATED_MODELS["fast"],
    Timing(first_byte_s=0.02, piece_s=0.002),
)
SMART = SimulatedModel(
    "smart",
    "Reasons first and says more.",
    SIMULATED_MODELS["smart"],
    Timing(first_byte_s=0.15, piece_s=0.01),
    thinks=True,
    long=True,
)
CHEAP = SimulatedModel(
    "cheap",
    "Echoes, a little slower, for half the price.",
    SIMULATED_MODELS["cheap"],
    Timing(first_byte_s=0.06, piece_s=0.004),
)
EMBED = SimulatedModel(
    "embed",
    "Gives unit vectors that depend on the text alone.",
    SIMULATED_MODELS["embed"],
    Timing(first_byte_s=0.01),
)


def _at_once(name: str, does: str) -> SimulatedModel:
    return SimulatedModel(name, does, SIMULATED_MODELS[name], Timing(first_byte_s=0.01))


MODELS = (
    *(FAST, SMART, CHEAP, EMBED),
    _at_once("moderation", "Flags a text that names a category."),
    _at_once("rerank", "Ranks documents by the words they share with the query."),
    _at_once("image", "Gives pictures of one colour."),
    _at_once("speech", "Gives a tone, or silence, as long as the words."),
    _at_once("transcription", "Says how many bytes were heard."),
    _at_once("video", "Gives a film of some colours."),
    _at_once("music", "Gives a tone."),
)
_BY_NAME = {model.name: model for model in MODELS}


def find_model(name: str) -> SimulatedModel | None:
    """Give the model of a name such as `fast`, `sim/fast` or `fast@latency=0`, or None.

    The directives are not judged here: a wrong one is refused, with its message, when the
    model is called.
    """
    return _BY_NAME.get(short_name(name))


def short_name(name: str) -> str:
    """Give a model's name without provider and directives."""
    return name.partition(DIRECTIVES_MARK)[0].rpartition("/")[2]
