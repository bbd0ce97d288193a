"""The commands for combos, as rows of the table of commands."""

from .command import JSON, NOUN, Command, Option

COMBO_COMMANDS: tuple[Command, ...] = (
    Command("combos", "named lists of models with a strategy", usage=NOUN),
    Command("combos list", "show the combos", "combos:show_all", options=(JSON,)),
    Command(
        "combos show",
        "show one combo",
        "combos:show_one",
        "[options] name",
        options=(Option("name", "the combo's name"), JSON),
    ),
    Command(
        "combos add",
        "add a combo, or replace the one of its name",
        "combos:add",
        "[options] name model ...",
        options=(
            Option("name", "the combo's name, which clients ask for as a model"),
            Option(
                "model",
                "provider/model, a model or another combo; =N at its end is its weight",
                arity="some",
            ),
            Option(
                "--strategy",
                "how a model is chosen: priority (the default), weighted, round-robin, random, "
                "least-used, cost-optimized, fill-first, p2c, last-known-good, headroom, "
                "context-fit or auto",
                "NAME",
                default="priority",
            ),
            Option("--description", "what it is for", "TEXT", default=""),
            Option("--inactive", "neither routed to nor listed as a model", arity="switch"),
            Option("--attempts-max", "models tried for one request, 1 to 10 (3 without)", "N"),
            Option("--first-byte-s", "seconds to wait for a first byte, 1 to 600", "SECONDS"),
            Option("--total-s", "seconds a request may take in all, 1 to 600", "SECONDS"),
            Option(
                "--retries",
                "further calls of one model after failures that pass, 0 to 10 (0 without)",
                "N",
            ),
            Option(
                "--retry-delay-s", "seconds before each of them, 0 to 60 (2 without)", "SECONDS"
            ),
            Option(
                "--concurrency-per-model",
                "calls that may be under way to one model, 1 to 20 (no bound without)",
                "N",
            ),
            Option(
                "--queue-s",
                "seconds to wait for a place before the next model is tried, 1 to 120 (30 without)",
                "SECONDS",
            ),
            Option(
                "--session-s",
                "seconds for which a session stays with who answered it, 0 to 86400; 0 is never "
                "(without: as long as the provider keeps a prompt)",
                "SECONDS",
            ),
            Option(
                "--hedge-percentile",
                "ask the next model, too, where a stream's first byte is later than so many of a "
                "hundred, 50 to 99 (never without)",
                "N",
            ),
            JSON,
        ),
        examples=(
            "omniroute combos add quick groq/llama-3.3-70b-versatile openai/gpt-5.4-mini",
            "omniroute combos add split --strategy weighted openai/gpt-5.4=3 xai/grok-4=1",
            "omniroute combos add home --concurrency-per-model 1 ollama/qwen3 openai/gpt-5.4-nano",
        ),
    ),
    Command(
        "combos remove",
        "remove a combo",
        "combos:remove",
        "[options] name",
        options=(Option("name", "the combo's name"),),
    ),
    Command(
        "combos switch",
        "switch a combo on or off",
        "combos:switch",
        "[options] name state",
        options=(Option("name", "the combo's name or id"), Option("state", "on or off"), JSON),
        examples=("omniroute combos switch quality off",),
        more="One that is off is neither routed to nor listed as a model; everything else of it "
        "stays as it is.",
    ),
)
