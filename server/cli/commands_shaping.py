"""The commands that say what is added to chats, as rows; see commands.py."""

from .command import JSON, NOUN, Command, Option

SHAPING_COMMANDS: tuple[Command, ...] = (
    Command("shaping", "a system prompt and a thinking budget for every chat", usage=NOUN),
    Command("shaping show", "show what is in force", "shaping:show_all", options=(JSON,)),
    Command(
        "shaping system-prompt",
        "put a system prompt before every chat's own",
        "shaping:put_prompt",
        "[options] [text ...]",
        options=(
            Option("text", "the prompt", arity="any"),
            Option("--off", "none", arity="switch"),
            JSON,
        ),
        examples=(
            "omniroute shaping system-prompt 'Answer in British English.'",
            "omniroute shaping system-prompt --off",
        ),
    ),
    Command(
        "shaping thinking",
        "bound how much models think, where a chat asks them to",
        "shaping:put_thinking",
        "[options] mode",
        options=(
            Option("mode", "passthrough, auto, custom or adaptive"),
            Option(
                "--tokens",
                "of custom: how much at most; of adaptive: for a plain question (10240 without)",
                "N",
            ),
            JSON,
        ),
        examples=(
            "omniroute shaping thinking custom --tokens 8000",
            "omniroute shaping thinking passthrough",
        ),
        more="auto leaves out what a chat says of thinking, so that each provider does as it does "
        "by itself. A chat that does not ask for thinking is never made to think.",
    ),
)
