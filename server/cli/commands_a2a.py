"""The commands about the A2A agent and its tasks, as rows; see commands.py."""

from .command import JSON, NOUN, Command, Option

_ID = Option("id", "the task's id, as `omniroute a2a tasks` shows it")

A2A_COMMANDS: tuple[Command, ...] = (
    Command("a2a", "the A2A agent: its card, and tasks for it", usage=NOUN),
    Command(
        "a2a card",
        "show what the agent tells of itself to others",
        "a2a_card:card",
        options=(
            Option(
                "--form",
                "1.0, 0.3, or union (the default), which clients of both versions read",
                "NAME",
                default="union",
            ),
            JSON,
        ),
        examples=("omniroute a2a card --form 1.0 --json",),
    ),
    Command(
        "a2a send",
        "send the agent a message and stream what it answers",
        "a2a_send:send",
        "[options] [message ...]",
        options=(
            Option("message", "the message; read from standard input without", arity="any"),
            Option("--skill", "what is to be done (default: smart-routing)", "NAME"),
            Option("--model", "a model, a combo or auto (the default)", "NAME"),
            Option("--budget-usd", "the most the task may cost, in US dollars", "USD"),
            Option("--context", "go on with the conversation of this context", "ID"),
            Option("--task", "answer what this task asked", "ID"),
            Option("--no-wait", "print the task's id at once and let it work", arity="switch"),
            JSON,
        ),
        examples=(
            'omniroute a2a send "Why is the sky blue?"',
            'omniroute a2a send --no-wait --model quality "Write a long story."',
        ),
        more="The answer goes to standard output; the task's id, how it ended and what it cost go "
        "to standard error. With --json the whole task is printed when it has ended. The exit "
        "status is 1 when the task failed, was rejected or canceled. With --no-wait a gateway has "
        "to run.",
    ),
    Command(
        "a2a tasks",
        "list tasks, the newest first, or show one",
        "a2a_tasks:tasks",
        "[options] [id]",
        options=(
            Option("id", "show this task, with its log and its answer", arity="optional"),
            Option(
                "--state",
                "only submitted, working, completed, failed or cancelled ones",
                "NAME",
            ),
            Option("--skill", "only those of this skill", "NAME"),
            Option("--context", "only those of this conversation", "ID"),
            Option("--limit", "how many, at most 200 (default: 50)", "N"),
            Option("--offset", "leave out so many of the newest", "N"),
            JSON,
        ),
        examples=("omniroute a2a tasks --state working",),
        more="The tasks of every key are shown; a key itself sees its own alone.",
    ),
    Command(
        "a2a watch",
        "print what a task has written and writes, until it ends",
        "a2a_tasks:watch",
        "[options] id",
        options=(_ID,),
        more="Leaving with Ctrl-C ends nothing but the watching.",
    ),
    Command(
        "a2a cancel",
        "end a task, its call of a provider first",
        "a2a_tasks:cancel",
        "[options] id",
        options=(_ID, JSON),
    ),
)
