"""The commands about the MCP server and the record of its calls, as rows; see commands.py."""

from .command import JSON, NOUN, Command, Option

MCP_COMMANDS: tuple[Command, ...] = (
    Command("mcp", "the MCP server: its tools, how it is, and who called what", usage=NOUN),
    Command(
        "mcp status",
        "say where MCP is served, and what was called last",
        "mcp:status",
        options=(JSON,),
    ),
    Command(
        "mcp tools",
        "list the tools with the scope that each needs",
        "mcp:tools",
        options=(JSON,),
    ),
    Command(
        "mcp audit",
        "list calls of tools, the newest first",
        "mcp:audit",
        options=(
            Option("--tool", "only calls of this tool", "NAME"),
            Option("--key", "only calls by the key of this id", "ID"),
            Option("--outcome", "only answered, failed, refused or cancelled ones", "NAME"),
            Option("--limit", "how many, at most 500 (default: 50)", "N"),
            Option("--offset", "leave out so many of the newest", "N"),
            JSON,
        ),
        examples=(
            "omniroute mcp audit --limit 20",
            "omniroute mcp audit --tool omniroute_route_request --outcome failed",
        ),
        more="Every call of a known key is kept, for as long as requests are: with a hash of its "
        "arguments, never with a prompt or an answer. OMNIROUTE_MCP_AUDIT_ARGUMENTS=on keeps the "
        "arguments, too, with every free text replaced by its length.",
    ),
    Command(
        "mcp stats",
        "show figures of the calls of the last 24 hours",
        "mcp:stats",
        options=(JSON,),
    ),
    Command(
        "mcp verify",
        "verify that no recorded call was changed, added or removed",
        "mcp:verify",
        options=(JSON,),
        more="The exit status is 1 when a chain shows that one was.",
    ),
)
