"""The commands about keys, as rows; see commands.py."""

from .command import JSON, NOUN, Command, Option

SCOPE = Option(
    "--scope",
    "a scope or preset, may be repeated: readonly, monitor, agent (the default), full, admin, "
    "read:health, read:combos, write:combos, read:quota, write:route, read:usage, write:config, "
    "read:models",
    "SCOPE",
    "repeated",
)
MODELS = Option(
    "--models",
    "a model or combo it may use, where * stands for any text; may be repeated; all without",
    "PATTERN",
    "repeated",
)
BOUNDS = (
    Option("--requests-per-minute", "the most requests in any 60 seconds", "N"),
    Option("--tokens-per-minute", "the most tokens in any 60 seconds, input and output", "N"),
    Option("--concurrency", "the most requests at the same time", "N"),
)
LOG_CONTENT = Option(
    "--log-content",
    "keep what it asks and is answered in the call log, for administrators",
    arity="switch",
)
ID = Option("id", "its id, as `omniroute keys list` shows it")

KEY_COMMANDS: tuple[Command, ...] = (
    Command("keys", "the keys that clients of the gateway present", usage=NOUN),
    Command("keys list", "show the keys, never their secrets", "keys:show_all", options=(JSON,)),
    Command(
        "keys show", "show one key with its limits", "keys:show_one", "[options] id", (ID, JSON)
    ),
    Command(
        "keys add",
        "make a key and show it once",
        "keys:add",
        options=(
            Option("--name", "what you will know it by", "NAME", default=""),
            SCOPE,
            MODELS,
            Option("--expires", "after 12h or 90d, or on a day such as 2027-01-31", "WHEN"),
            *BOUNDS,
            Option("--no-log", "store nothing of what its requests contain", arity="switch"),
            LOG_CONTENT,
            Option("--budget-usd", "the most it may spend, in US dollars", "USD"),
            Option(
                "--budget-period",
                "what --budget-usd is for: each day, each month, or total (the default)",
                "PERIOD",
                default="total",
            ),
            JSON,
        ),
        examples=(
            "omniroute keys add --name laptop",
            "omniroute keys add --name intern --budget-usd 5 --budget-period month",
            "omniroute keys add --name ci --scope write:route --models 'groq/*' --expires 90d",
            "omniroute keys add --name batch --requests-per-minute 60 --concurrency 4",
        ),
    ),
    Command(
        "keys change",
        "change what a key may do; what is not named stays",
        "keys:change",
        "[options] id",
        options=(
            ID,
            Option("--name", "what you will know it by", "NAME"),
            Option(
                "--scope", "as keys add has it, in the place of those it has", "SCOPE", "repeated"
            ),
            Option(
                "--models",
                "as keys add has it; `all` lets it use every model",
                "PATTERN",
                "repeated",
            ),
            Option("--expires", "as keys add has it, or never", "WHEN"),
            *(Option(one.name, f"{one.words}, or none", one.value, one.arity) for one in BOUNDS),
            Option("--no-log", "store nothing of what its requests contain", arity="switch"),
            Option("--log", "store it as of other keys", arity="switch"),
            LOG_CONTENT,
            Option(
                "--forget-content",
                "keep none of that any more, and remove what was kept",
                arity="switch",
            ),
            Option("--disable", "refuse it until it is enabled", arity="switch"),
            Option("--enable", "accept it again", arity="switch"),
            JSON,
        ),
        examples=(
            "omniroute keys change abcdefgh2345 --requests-per-minute 20",
            "omniroute keys change abcdefgh2345 --models 'groq/*' --models fast-coding",
            "omniroute keys change abcdefgh2345 --expires never --concurrency none",
        ),
        more="It is in force in all processes of the gateway when this returns, and within a "
        "second in others that share its database. What it spends is bounded by `omniroute "
        "budgets set`.",
    ),
    Command(
        "keys roll",
        "give a key a new secret and show it once",
        "keys:roll",
        "[options] id",
        options=(
            ID,
            Option(
                "--overlap",
                "how long the secret that it has now stays good, such as 30m, 12h or 7d; "
                "not at all without",
                "LENGTH",
            ),
            JSON,
        ),
        examples=(
            "omniroute keys roll abcdefgh2345",
            "omniroute keys roll abcdefgh2345 --overlap 12h",
        ),
        more="Its id, limits, budgets and history stay. A key that has leaked is rolled without "
        "an overlap.",
    ),
    Command(
        "keys revoke",
        "remove a key for good, at once",
        "keys:revoke",
        "[options] id",
        options=(ID,),
        aliases=("remove",),
        more="Requests that are being answered are answered to their end; the next one is refused.",
    ),
)
