"""`omniroute shaping`: what is added to chats before they are routed."""

from argparse import Namespace
from typing import get_args

from omniroute.routing.shaping import EFFORT_TOKENS, ThinkingMode

from ..api.shaping import PROMPT_PATH, THINKING_PATH, SystemPromptJson, ThinkingJson
from ..settings import Settings, Sources
from .client import call, decoded, with_gateway
from .exits import OK, Stop
from .output import show, show_json

MODES: tuple[ThinkingMode, ...] = get_args(ThinkingMode)


def show_all(arguments: Namespace, settings: Settings, sources: Sources) -> int:
    """Show what is in force."""
    with with_gateway(settings, sources) as gateway:
        prompt = decoded(call(gateway, "GET", PROMPT_PATH), SystemPromptJson)
        thinking = decoded(call(gateway, "GET", THINKING_PATH), ThinkingJson)
    if arguments.json:
        show_json({"system_prompt": prompt.prompt, "thinking": thinking})
        return OK
    show(f"System prompt: {prompt.prompt or 'none'}")
    show(f"Thinking: {_words(thinking)}")
    return OK


def put_prompt(arguments: Namespace, settings: Settings, sources: Sources) -> int:
    """Put a system prompt before every chat's own, or none."""
    if bool(arguments.text) == arguments.off:
        raise Stop("give the text of the system prompt, or --off for none")
    with with_gateway(settings, sources) as gateway:
        wish = SystemPromptJson(" ".join(arguments.text))
        made = decoded(call(gateway, "PUT", PROMPT_PATH, wish), SystemPromptJson)
    if arguments.json:
        show_json(made)
    else:
        show(
            "Chats get this system prompt first."
            if made.prompt
            else "Chats get no system prompt from the gateway."
        )
    return OK


def put_thinking(arguments: Namespace, settings: Settings, sources: Sources) -> int:
    """Bound how much models think."""
    mode = next((one for one in MODES if one == arguments.mode), None)
    if mode is None:
        raise Stop(f"there is no mode {arguments.mode!r}; there are {', '.join(MODES)}")
    tokens = arguments.tokens or str(EFFORT_TOKENS["medium"])
    if not tokens.isdecimal():
        raise Stop(f"--tokens is a whole number such as 8000, not {tokens!r}")
    with with_gateway(settings, sources) as gateway:
        wish = ThinkingJson(mode, int(tokens))
        made = decoded(call(gateway, "PUT", THINKING_PATH, wish), ThinkingJson)
    if arguments.json:
        show_json(made)
    else:
        show(f"Thinking: {_words(made)}")
    return OK


def _words(thinking: ThinkingJson) -> str:
    match thinking.mode:
        case "passthrough":
            return "as much as each chat asks for"
        case "auto":
            return "as each provider does by itself, whatever a chat asks for"
        case "custom":
            return f"at most {thinking.customBudget} tokens, where a chat asks for it"
        case "adaptive":
            return (
                f"{thinking.customBudget} tokens for a plain question and more for a long one, "
                "where a chat asks for it"
            )
