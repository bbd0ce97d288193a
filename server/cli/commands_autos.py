"""The commands by which users shape how `auto` chooses, as rows of the table of commands."""

from .command import JSON, NOUN, Command, Option

_KIND = Option(
    "--kind",
    "math, code, factual, multiple choice, hard science, logic, writing, general; coding, review, "
    "planning, analysis, debugging or documentation; every one without",
    "KIND",
    default="",
)

AUTO_COMMANDS: tuple[Command, ...] = (
    Command(
        "combos auto",
        "add an auto of your own, or replace the one of its name",
        "autos:put",
        "[options] name [entry ...]",
        options=(
            Option("name", "its name, which clients ask for as a model"),
            Option(
                "entry",
                "a provider, an account, a model or a combo to choose among; all chat models "
                "without",
                arity="any",
            ),
            Option("--title", "what people read; its name without", "TEXT"),
            Option(
                "--policy",
                "utility or classic-6f; without, the one that --mode-pack or --weights is of",
                "NAME",
            ),
            Option(
                "--mode-pack",
                "of utility: balanced, coding, fast, cheap, smart or offline; of classic-6f: "
                "classic-6f, ship-fast, cost-saver, quality-first or offline-friendly",
                "NAME",
            ),
            Option(
                "--weights",
                "of classic-6f, such as health=0.6,taskFit=0.4: quota, health, costInv, "
                "latencyInv, taskFit and stability, which sum to 1",
                "LIST",
            ),
            Option(
                "--exploration-rate",
                "the probability of choosing any model, all alike, 0 to 1 (0.05 without)",
                "RATE",
            ),
            Option(
                "--budget-cap",
                "US dollars that a request should cost at most: dearer models come last",
                "USD",
            ),
            Option("--inactive", "neither routed to nor listed as a model", arity="switch"),
            JSON,
        ),
        examples=(
            "omniroute combos auto mine anthropic openai gemini --mode-pack smart",
            "omniroute combos auto sure --weights health=0.5,taskFit=0.4,costInv=0.1",
            "omniroute combos auto frugal --budget-cap 0.002 --exploration-rate 0",
        ),
        more="`omniroute combos list`, `show`, `test` and `remove` work on it as on every combo.",
    ),
    Command("fitness", "how fit models are for a kind of task", usage=NOUN),
    Command(
        "fitness list",
        "show your rules, and what your requests have shown of models",
        "fitness:show_all",
        options=(JSON,),
        more="Reliability is the share of answers that came out well, and multiplies a model's "
        "fitness; tokens are how long its answers are expected to be.",
    ),
    Command(
        "fitness set",
        "say how fit models are; it wins over the gateway's tables",
        "fitness:put",
        "[options] pattern value",
        options=(
            Option("pattern", "a part of provider/model; the longest that fits counts"),
            Option("value", "from 0, useless, to 1, always right"),
            _KIND,
            JSON,
        ),
        examples=(
            "omniroute fitness set claude-sonnet 0.97 --kind code",
            "omniroute fitness set groq/llama 0.5",
        ),
    ),
    Command(
        "fitness remove",
        "let the gateway's tables speak again",
        "fitness:remove",
        "[options] pattern",
        options=(Option("pattern", "as `omniroute fitness list` shows it"), _KIND),
    ),
)
