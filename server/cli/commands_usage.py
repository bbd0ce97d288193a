"""The commands that tell what was used and what is, as rows of the table of commands."""

from .command import JSON, Command, Option

USAGE_COMMANDS: tuple[Command, ...] = (
    Command(
        "usage",
        "show what was used: requests, tokens, costs, times, errors",
        "usage:usage",
        options=(
            Option(
                "--range",
                "how far back: such as 12h, 1d, 7d or 30d (the default), or ytd or all",
                "RANGE",
                default="30d",
            ),
            Option(
                "--by",
                "provider (the default), model, account, combo, key, day or hour",
                "WHAT",
                default="provider",
            ),
            Option("--key", "only requests of the key of this id", "ID"),
            Option("--combo", "only requests to this combo", "NAME"),
            Option(
                "--calls",
                "show the calls to providers or models, those also after which another answered",
                arity="switch",
            ),
            JSON,
        ),
        examples=(
            "omniroute usage",
            "omniroute usage --range 1d --by model",
            "omniroute usage --calls --by model",
        ),
        more="A request counts for who answered it, a call for who was called. Times are what 50 "
        "and 95 % of the answered ones did not take longer than.",
    ),
    Command(
        "top",
        "show what the gateway does now: figures, and requests as they come",
        "top:top",
        options=(
            Option(
                "--range",
                "how far back the figures go: such as 1h, 1d (the default) or 7d",
                "RANGE",
                default="1d",
            ),
            Option("--every", "seconds from one look to the next; 2", "SECONDS", default="2"),
            Option("--once", "draw it once, and end", arity="switch"),
            JSON,
        ),
        examples=("omniroute top", "omniroute top --once --range 1h"),
        more="It is drawn until it is interrupted, and once where there is no terminal. The same "
        "is in the pages Overview and Live of the dashboard.",
    ),
)
