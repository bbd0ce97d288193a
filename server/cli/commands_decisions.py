"""The commands that look into decisions, as rows of the table of commands."""

from .command import JSON, NOUN, Command, Option

DECISION_COMMANDS: tuple[Command, ...] = (
    Command(
        "simulate",
        "say who would answer a request, without calling anyone",
        "simulate:simulate",
        "[options] [model]",
        options=(
            Option("model", "a model, a combo or auto", arity="optional"),
            Option("--prompt-tokens", "about how long the prompt is (default: 1000)", "N"),
            Option("--max-tokens", "the most that the answer may have", "N"),
            Option("--tools", "the request has tools", arity="switch"),
            Option("--stream", "the answer is to be streamed", arity="switch"),
            Option("--request-id", "draw as the request of this id does", "ID"),
            Option("--session", "as a request of this session of the key's", "NAME"),
            Option("--mode", "choose by this mode of auto, as x-omniroute-mode does", "MODE"),
            Option("--like", "decide a recorded request again, as of now", "ID"),
            JSON,
        ),
        examples=(
            "omniroute simulate auto --prompt-tokens 20000 --tools",
            "omniroute simulate --like req_0123456789abcdef0123456789abcdef",
        ),
        more="It runs the function that a live request runs. --like takes the recorded request's "
        "own size, limits and id, and says what is different now from when it was decided.",
    ),
    Command("audit", "whether what is on record is what happened", usage=NOUN),
    Command(
        "audit route",
        "decide stored decisions again, and verify their chains",
        "audit:route",
        options=(
            Option("--since", "from the request of this id on", "ID"),
            Option("--all", "all that is on record", arity="switch"),
            JSON,
        ),
        examples=("omniroute audit route --all",),
        more="Every decision of the range is executed again from what was stored with it: the "
        "request's features, the snapshot and this gateway's seed. The exit status is 1 when one "
        "does not come out bit for bit, or when a chain shows that a row was changed or removed.",
    ),
    Command(
        "audit log",
        "list changes of the configuration, and verify that none was tampered with",
        "audit:log",
        options=(
            Option("--of", "only changes of this key, account, combo or budget", "ID"),
            Option("--limit", "how many, the newest first (default: 500)", "N"),
            JSON,
        ),
        examples=("omniroute audit log --limit 20",),
        more="The exit status is 1 when a chain shows that an entry was changed or removed.",
    ),
    Command(
        "audit verify",
        "verify every chain of records: changes, decisions and calls of MCP tools",
        "audit_trail:verify",
        options=(
            Option(
                "--against",
                "also see whether all that this export holds is still on record",
                "FILE",
            ),
            JSON,
        ),
        examples=("omniroute audit verify", "omniroute audit verify --against audit.jsonl"),
        more="The exit status is 1 when a row was changed, added or removed; the row is named by "
        "its chain and its number. Whoever puts a whole older database back leaves chains that "
        "verify: an export kept elsewhere shows that.",
    ),
    Command(
        "audit export",
        "write the log of changes, a line of JSON each, to be kept elsewhere",
        "audit_trail:export",
        "[options] [file]",
        options=(
            Option("file", "where to (default: standard output); not written over", "", "optional"),
        ),
        examples=("omniroute audit export audit-2026-11.jsonl",),
    ),
    Command(
        "prune",
        "remove old requests now, or say how many there are",
        "prune:prune",
        options=(
            Option("--days", "older than so many days (default: the setting retention_days)", "N"),
            Option("--dry-run", "count them and remove nothing", arity="switch"),
            JSON,
        ),
        examples=("omniroute prune --dry-run", "omniroute prune --days 30"),
        more="The gateway does this by itself for what is older than retention_days. With a "
        "request go its attempts, its decision and its settled holds; calls of MCP tools go at the "
        "same age. The chains verify afterwards as before, from signed checkpoints on. What "
        "budgets have spent, and the audit log, stay.",
    ),
    Command(
        "combos test",
        "make a short real call to each model of a combo, and say how it went",
        "trials:test",
        "[options] name",
        options=(
            Option("name", "the combo's name"),
            Option("--prompt", "what each is asked, at most 4000 characters", "TEXT"),
            JSON,
        ),
        examples=("omniroute combos test fast-coding",),
        more="The calls run at the same time, with at most 16 tokens of answer and 30 s each, and "
        "are paid and recorded like any request. The exit status is 69 when one did not answer.",
    ),
    Command(
        "lab",
        "try a combo against scripted faults; nothing real is called",
        "lab:lab",
        "[options] name",
        options=(
            Option("name", "the combo's name"),
            Option(
                "--faults",
                "which model fails how, in which requests (default: the first model fails for a "
                "while, then the second, too)",
                "SCRIPT",
                default="",
            ),
            Option("--requests", "how many there are (default: 100), at most 2000", "N"),
            Option("--seed", "names the draws: the same seed gives the same run", "N"),
            JSON,
        ),
        examples=(
            "omniroute lab fast-coding",
            "omniroute lab fast-coding --faults 1=unavailable@21-50,2=rate_limited@41-60",
        ),
        more="The combo is copied and every model in it is played by the simulator, in a time of "
        "its own with a request each second. A fault is PLACE=FAULT@FIRST-LAST: the model's place "
        "in the combo from 1, one of the simulator's faults, and the requests it lasts for.",
    ),
)
