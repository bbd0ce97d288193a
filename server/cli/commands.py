"""Every command as a row: its words, options, examples, and the function that runs it.

`--help` and docs/cli.md are made of this table. Only words are here: a command's own module is
imported when it runs. Options that set a setting come from settings_names.py.
"""

from .command import JSON, NOUN, Command, Option
from .commands_a2a import A2A_COMMANDS
from .commands_aliases import ALIAS_COMMANDS
from .commands_autos import AUTO_COMMANDS
from .commands_backup import BACKUP_COMMANDS
from .commands_combos import COMBO_COMMANDS
from .commands_decisions import DECISION_COMMANDS
from .commands_guards import GUARD_COMMANDS
from .commands_health import HEALTH_COMMANDS
from .commands_keyring import KEYRING_COMMANDS
from .commands_keys import KEY_COMMANDS
from .commands_mcp import MCP_COMMANDS
from .commands_password import PASSWORD_COMMANDS
from .commands_proxy import PROXY_COMMANDS
from .commands_setup import SETUP_COMMANDS
from .commands_shaping import SHAPING_COMMANDS
from .commands_usage import USAGE_COMMANDS

SIMULATOR_PORT = 20129

COMMANDS: tuple[Command, ...] = (
    Command(
        "serve",
        "start the gateway (the default)",
        "serve:serve",
        examples=(
            "omniroute serve --data-dir ./data",
            "OPENAI_API_KEY=... omniroute serve --host 0.0.0.0",
        ),
        settings="all",
    ),
    Command(
        "chat",
        "ask one question and stream the answer",
        "chat:chat",
        "[options] [prompt ...]",
        options=(
            Option("prompt", "the prompt; read from standard input without", arity="any"),
            Option("--model", "a model, a combo or auto (the default)", "NAME", default="auto"),
            Option("--system", "what the model is told beforehand", "TEXT"),
        ),
        examples=(
            'omniroute chat "Why is the sky blue?"',
            "omniroute chat --model fast-coding < question.txt",
        ),
        more="The answer goes to standard output, who gave it to standard error. Without a "
        "running gateway one is made for this question alone.",
    ),
    *SETUP_COMMANDS,
    *KEY_COMMANDS,
    *PASSWORD_COMMANDS,
    *PROXY_COMMANDS,
    *KEYRING_COMMANDS,
    Command("budgets", "what keys, combos and sessions may spend", usage=NOUN),
    Command(
        "budgets list",
        "show every budget and how it stands",
        "budgets:show_all",
        options=(JSON,),
    ),
    Command(
        "budgets set",
        "set what a key, a combo or a session may spend in a period",
        "budgets:put",
        "[options] key usd",
        options=(
            Option("key", "the key's id, as `omniroute keys list` shows it, local, or combo:NAME"),
            Option("usd", "the most its requests may cost, in US dollars"),
            Option(
                "--period",
                "each day or each month, both in UTC, or total (the default)",
                "PERIOD",
                default="total",
            ),
            Option(
                "--session",
                "only for this session of the key, as its client names it",
                "NAME",
                default="",
            ),
            Option("--name", "what you will know it by; its period without", "NAME", default=""),
            Option(
                "--warn-at",
                "from how much of it on answers carry a warning (default: 80)",
                "PERCENT",
                default="80",
            ),
            Option(
                "--allow-unpriced",
                "models without a known price may be used, and count as nothing",
                arity="switch",
            ),
            Option(
                "--action",
                "when it cannot pay: block (the default) refuses, degrade keeps to cheaper models "
                "from --warn-at on, alert lets all pass and warns",
                "ACTION",
                default="block",
            ),
            Option(
                "--degrade-to",
                "whom degrade keeps to: cheap models (the default) or free ones",
                "TIER",
                default="cheap",
            ),
            JSON,
        ),
        examples=(
            "omniroute budgets set abcdefgh2345 5 --period month",
            "omniroute budgets set abcdefgh2345 0.50 --period day --warn-at 50",
            "omniroute budgets set abcdefgh2345 2 --period day --action degrade --degrade-to free",
            "omniroute budgets set local 1 --period day",
            "omniroute budgets set combo:quality 20 --period month",
            "omniroute budgets set abcdefgh2345 1 --session nightly-review",
        ),
        more="There is one budget for each of them and period; setting it again changes it, and "
        "what was spent stays. A request is refused (402 budget_exceeded) before it is sent when "
        "the most it may cost is more than what is left, unless the action is alert. `local` is "
        "whoever is at this machine and needs no key, with the commands of this user. The budget "
        "of a combo is of all requests that ask for it by name.",
    ),
    Command(
        "budgets remove",
        "remove a budget, with what it has spent",
        "budgets:remove",
        "[options] id",
        options=(Option("id", "its id, as `omniroute budgets list` shows it"),),
    ),
    Command("providers", "the accounts that answer requests", usage=NOUN),
    Command("providers list", "show every account", "providers:show_all", options=(JSON,)),
    Command(
        "providers known",
        "show the providers that are known by name, and the variables of their keys",
        "providers:show_known",
        options=(JSON,),
    ),
    Command(
        "providers add",
        "add an account",
        "providers:add",
        "[options] provider",
        options=(
            Option("provider", "a known provider, or a name of your own for an endpoint"),
            Option("--base-url", "where it is, if not the provider's own", "URL"),
            Option(
                "--dialect",
                "what an endpoint of your own speaks: openai_chat, openai_responses, anthropic "
                "or gemini",
                "NAME",
            ),
            Option("--name", "tells two accounts apart", "NAME", default=""),
            Option(
                "--model",
                "a model it serves, may be repeated; the catalogue's without",
                "NAME",
                "repeated",
            ),
            Option("--header", "sent with every call, may be repeated", "NAME=VALUE", "repeated"),
            Option(
                "--proxy",
                "go through this proxy: http://, https:// or socks5://host:port",
                "URL",
            ),
            Option("--proxy-from", "take the proxy's URL from this variable", "VARIABLE"),
            Option("--http2", "speak HTTP/2 where the server agrees", arity="switch"),
            Option("--key-from", "take the key from this environment variable", "VARIABLE"),
            Option(
                "--key-file", "take the key from this file, such as a service account's", "PATH"
            ),
            Option("--no-key", "it needs none", arity="switch"),
            Option("--key", ""),
            JSON,
        ),
        examples=(
            "omniroute providers add groq",
            "omniroute providers add openai --name work --key-from WORK_OPENAI_KEY",
            "omniroute providers add vertex --key-file service-account.json",
            "omniroute providers add box --base-url http://10.0.0.5:8000/v1 "
            "--dialect openai_chat --no-key",
        ),
        more="The key is asked for, or read from the first line of standard input: on the "
        "command line it would stay in the shell's history. The URL of a proxy that wants a "
        "password is taken from a variable for the same reason.",
    ),
    Command(
        "providers remove",
        "remove an account that was added",
        "providers:remove",
        "[options] account",
        options=(
            Option("account", "its id or name, or its provider where that has only one account"),
        ),
    ),
    Command(
        "providers test",
        "make a short real call and say how it went",
        "providers:test",
        "[options] [account ...]",
        options=(Option("account", "as for remove; every account without", arity="any"), JSON),
        examples=("omniroute providers test groq",),
    ),
    *COMBO_COMMANDS,
    *HEALTH_COMMANDS,
    Command(
        "explain",
        "say why a request went where it went",
        "explain:explain",
        "[options] [id]",
        options=(
            Option("id", "the request's id: the x-request-id of its answer", arity="optional"),
            Option("--last", "the newest request", arity="switch"),
            Option(
                "--content",
                "what was asked and answered, of a key made with --log-content",
                arity="switch",
            ),
            JSON,
        ),
        examples=(
            "omniroute explain --last",
            "omniroute explain req_0123456789abcdef0123456789abcdef",
        ),
    ),
    Command(
        "status", "say whether a gateway runs, and how it is", "status:status", options=(JSON,)
    ),
    Command(
        "doctor",
        "say what is in force, from where, and what is wrong",
        "doctor:doctor",
        options=(
            Option(
                "--security",
                "say how safe the gateway is set up, with a grade from A to F",
                arity="switch",
            ),
            JSON,
        ),
        examples=("omniroute doctor", "omniroute doctor --security --host 0.0.0.0"),
        settings="all",
        more="Changes nothing. Takes the options of serve, to look at a start before it is made. "
        "With --security the exit status is 1 for an F.",
    ),
    Command(
        "system-info",
        "write a report about this machine, without secrets",
        "system_info:system_info",
        options=(
            Option(
                "--out",
                "where to (default: system-info.txt); - is standard output",
                "FILE",
                default="system-info.txt",
            ),
            JSON,
        ),
        examples=("omniroute system-info --out -",),
    ),
    Command(
        "simulator",
        "serve simulated providers over HTTP, for tests and for trying combos",
        "serve:simulate",
        options=(
            Option(
                "--host", "where to listen (default: 127.0.0.1)", "ADDRESS", default="127.0.0.1"
            ),
            Option(
                "--port",
                f"where to listen (default: {SIMULATOR_PORT}); 0 takes any free port",
                "PORT",
                "port",
                default=str(SIMULATOR_PORT),
            ),
        ),
        examples=("omniroute simulator --port 9000",),
        settings="none",
    ),
    *ALIAS_COMMANDS,
    *AUTO_COMMANDS,
    *SHAPING_COMMANDS,
    *GUARD_COMMANDS,
    *DECISION_COMMANDS,
    *BACKUP_COMMANDS,
    *MCP_COMMANDS,
    *A2A_COMMANDS,
    *USAGE_COMMANDS,
)
