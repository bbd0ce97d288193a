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
    Command(
        "providers health",
        "show how each model that was used is: state, times, limits",
        "health:health",
        options=(JSON,),
        examples=("omniroute providers health",),
        more="Times are of about the last thousand answers, with the times that 95 and 99 % did "
        "not take longer than. A limit is told by the provider, or is the resilience profile's "
        "for an account that refused for its rate.",
    ),
    Command(
        "alerts",
        "show what happened of late: circuits, lock-outs, limits, swaps, budgets",
        "health:alerts",
        options=(JSON,),
        more="The newest come first; the same thing at the same place within 5 minutes is one "
        "alert that counts. The gateway keeps the newest 256 since its start, and logs each.",
    ),
)
