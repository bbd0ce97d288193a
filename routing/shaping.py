"""What the gateway adds to requests before they are routed, because its administrator says so.

Nothing by default: a request reaches its provider as the client wrote it. A system prompt stands
before the client's own. A thinking policy bounds how much models think, and touches only requests
that ask for thinking: a model that cannot think is never asked to.
"""

from typing import Literal

from msgspec import Struct

from .errors import BadRequest

ThinkingMode = Literal["passthrough", "auto", "custom", "adaptive"]
"""As the client asked; not at all (the provider's own default); so many tokens; by the question."""

SYSTEM_PROMPT_CHARS_MAX = 50_000
THINKING_TOKENS_MAX = 131_072
# Source: the reference's table of efforts, "Thinking budget".
EFFORT_TOKENS = {"none": 0, "low": 1024, "medium": 10_240, "high": 131_072}


class Thinking(Struct, frozen=True, gc=False):
    """How much requests that ask for thinking may think.

    Attributes:
        tokens: of mode "custom": how much exactly; of mode "adaptive": for a plain question.
    """

    mode: ThinkingMode = "passthrough"
    tokens: int = EFFORT_TOKENS["medium"]


class Shaping(Struct, frozen=True, gc=False):
    """What is in force. A request is touched where one of the two is set."""

    system_prompt: str = ""
    thinking: Thinking = Thinking()

    @property
    def touches(self) -> bool:
        """Whether it changes any request."""
        return bool(self.system_prompt) or self.thinking.mode != "passthrough"


def check_shaping(shaping: Shaping) -> Shaping:
    """Give it back when it can be put in force.

    Raises:
        BadRequest: with the field that is wrong.
    """
    if len(shaping.system_prompt) > SYSTEM_PROMPT_CHARS_MAX:
        raise BadRequest(
            f"a system prompt has at most {SYSTEM_PROMPT_CHARS_MAX} characters", field="prompt"
        )
    if not 0 <= shaping.thinking.tokens <= THINKING_TOKENS_MAX:
        raise BadRequest(
            f"a thinking budget is 0 to {THINKING_TOKENS_MAX} tokens", field="customBudget"
        )
    return shaping
