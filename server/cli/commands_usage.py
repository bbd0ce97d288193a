"""The command that tells what was used, as a row of the table of commands."""

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
)
