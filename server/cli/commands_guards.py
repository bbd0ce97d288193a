"""The commands of content guards, as rows of the table of commands."""

from .command import JSON, NOUN, Command, Option

_KEY = Option("--key", "the rule of this key, by its id", "ID")
_COMBO = Option("--combo", "the rule of this combo, by its name", "NAME")

GUARD_COMMANDS: tuple[Command, ...] = (
    Command("guards", "what is looked for in requests and answers", usage=NOUN),
    Command("guards show", "show the rules in force", "guards:show_all", options=(JSON,)),
    Command(
        "guards set",
        "say what is done with personal data and secrets that have a shape",
        "guards:put",
        "[options] mode",
        options=(
            Option("mode", "for requests: off, warn, redact or block"),
            Option("--answers", "the same for answers (default: off)", "MODE", default="off"),
            Option("--kind", "look for this kind alone, may be repeated", "KIND", "repeated"),
            _KEY,
            _COMBO,
            JSON,
        ),
        examples=(
            "omniroute guards set redact",
            "omniroute guards set block --kind card --kind iban --combo quality",
            "omniroute guards set off --key abcdefgh2345",
        ),
        more="The narrowest rule counts: that of the key, else that of the combo, else the one for "
        "every request. warn records what was found, redact replaces it, such as by "
        "[EMAIL_REDACTED], block refuses. Everything is looked at on this machine, by patterns "
        "alone.",
    ),
    Command(
        "guards forget",
        "remove the rule of a key or a combo",
        "guards:forget",
        options=(_KEY, _COMBO, JSON),
        examples=("omniroute guards forget --combo quality",),
    ),
)
