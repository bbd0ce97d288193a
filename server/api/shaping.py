"""What is added to chats before they are routed: a system prompt, and how much may be thought."""

from msgspec import Struct
from starlette.requests import Request

from omniroute.routing.gateway import Gateway
from omniroute.routing.model import Caller
from omniroute.routing.shaping import EFFORT_TOKENS, Thinking, ThinkingMode

from .editing import Thing
from .rows import Row, body_as

PROMPT_PATH = "/api/settings/system-prompt"
THINKING_PATH = "/api/settings/thinking-budget"


class SystemPromptJson(Struct, frozen=True):
    """The text that stands before every chat's own system prompt; "" is none."""

    prompt: str


class ThinkingJson(Struct, frozen=True):
    """How much chats that ask for thinking may think.

    `customBudget` is in tokens: of mode custom exactly, of mode adaptive for a plain question.
    """

    mode: ThinkingMode
    customBudget: int = EFFORT_TOKENS["medium"]  # noqa: N815 - the documented name


def rows(gateway: Gateway) -> tuple[Row, ...]:
    """Give the routes."""

    async def prompt(request: Request, caller: Caller) -> SystemPromptJson:
        return SystemPromptJson(gateway.view.shaping(caller).system_prompt)

    async def put_prompt(request: Request, caller: Caller) -> SystemPromptJson:
        wish = await body_as(request, SystemPromptJson)
        kept = await gateway.control.set_system_prompt(wish.prompt, caller)
        return SystemPromptJson(kept.system_prompt)

    async def thinking(request: Request, caller: Caller) -> ThinkingJson:
        kept = gateway.view.shaping(caller).thinking
        return ThinkingJson(kept.mode, kept.tokens)

    async def put_thinking(request: Request, caller: Caller) -> ThinkingJson:
        wish = await body_as(request, ThinkingJson)
        policy = Thinking(wish.mode, wish.customBudget)
        kept = (await gateway.control.set_thinking(policy, caller)).thinking
        return ThinkingJson(kept.mode, kept.tokens)

    text, bound = Thing(prompt), Thing(thinking)
    return (
        Row("GET", PROMPT_PATH, "admin", "The text before every chat's own", prompt, thing=text),
        Row(
            *("PUT", PROMPT_PATH, "admin", "Put a text before every chat's own", put_prompt),
            body=SystemPromptJson,
            thing=text,
        ),
        Row("GET", THINKING_PATH, "admin", "How much models may think", thinking, thing=bound),
        Row(
            *("PUT", THINKING_PATH, "admin", "Bound how much models think", put_thinking),
            body=ThinkingJson,
            thing=bound,
        ),
    )
