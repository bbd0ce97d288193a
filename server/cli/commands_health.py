"""The commands that look at how providers are, and bring them back, as rows; see commands.py."""

from .command import JSON, NOUN, Command, Option

HEALTH_COMMANDS: tuple[Command, ...] = (
    Command("resilience", "how soon a provider is given up, and tried again", usage=NOUN),
    Command(
        "resilience show",
        "show the profiles, which is in force, and who is not asked now",
        "resilience:show_all",
        options=(JSON,),
    ),
    Command(
        "resilience set",
        "put a profile in force at once, and keep it",
        "resilience:put",
        "[options] name",
        options=(Option("name", "conservative, balanced or aggressive"), JSON),
        examples=("omniroute resilience set aggressive",),
        more="Circuits that are open and cooldowns that run follow it, too.",
    ),
    Command(
        "resilience reset",
        "close circuits and end rests and lock-outs at once",
        "resilience:reset",
        "[options] [account]",
        options=(
            Option(
                "account",
                "an account's id or name, or a provider; every one without",
                "NAME",
                "optional",
            ),
            Option("--model", "only this model's", "NAME"),
            JSON,
        ),
        examples=(
            "omniroute resilience reset",
            "omniroute resilience reset openai --model gpt-5.4",
        ),
    ),
)
