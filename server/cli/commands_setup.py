"""The command that tells clients of the gateway, as a row; see commands.py."""

from .command import Command, Option

SETUP_COMMANDS: tuple[Command, ...] = (
    Command(
        "setup",
        "tell a client of the gateway: its MCP server and its models",
        "setup:setup",
        "[options] [client]",
        options=(
            Option("client", "which one; without, the clients are listed", arity="optional"),
            Option(
                "--print", "show what belongs into its files, and write nothing", arity="switch"
            ),
            Option("--dry-run", "show what would change, and write nothing", arity="switch"),
            Option("--undo", "take the last set-up of it back", arity="switch"),
            Option(
                "--project",
                "the files of the project in the working directory, where it reads such",
                arity="switch",
            ),
            Option("--transport", "how it reaches MCP: stdio (the default) or http", "HOW"),
            Option("--only", "one of both: mcp or models", "PART"),
            Option("--model", "the model that it asks for first", "NAME"),
            Option("--url", "a gateway on another machine; its key is OMNIROUTE_API_KEY", "URL"),
            Option("--new-key", "make a key for it, also where none is needed", arity="switch"),
            Option(
                "--scope",
                "what the key that is made may do, as `keys add` has it; may be repeated",
                "SCOPE",
                "repeated",
            ),
            Option("--json", "print the list as JSON", arity="switch"),
        ),
        examples=(
            "omniroute setup",
            "omniroute setup claude-code",
            "omniroute setup cursor --project --transport http",
            "omniroute setup claude-code --undo",
        ),
        more="Shows what it changes, keeps the files as they were in the data folder, writes "
        "them, and tries what it wrote. All else in them stays, comments too. Where the gateway "
        "needs keys, the client gets OMNIROUTE_API_KEY if that is set, keeps the one it has, or "
        "gets a new one.",
    ),
)
