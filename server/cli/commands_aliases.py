"""The commands about names that stand for others, as rows; see commands.py."""

from .command import JSON, NOUN, Command, Option

ALIAS_COMMANDS: tuple[Command, ...] = (
    Command("aliases", "names that stand for other names", usage=NOUN),
    Command("aliases list", "show the aliases", "aliases:show_all", options=(JSON,)),
    Command(
        "aliases set",
        "let a name stand for another, or replace what it stands for",
        "aliases:put",
        "[options] name model",
        options=(
            Option("name", "what clients ask for; * is any run of characters, ? is one"),
            Option("model", "what it stands for: a model, a combo, auto or another alias"),
            JSON,
        ),
        examples=(
            "omniroute aliases set fast groq/llama-3.3-70b-versatile",
            "omniroute aliases set 'claude-haiku-*' openai/gpt-6-luna",
        ),
        more="A combo of the name comes first. Of several that match, a plain one counts before "
        "those with wildcards, and of these the most specific.",
    ),
    Command(
        "aliases remove",
        "remove an alias",
        "aliases:remove",
        "[options] name",
        options=(Option("name", "as `omniroute aliases list` shows it"),),
    ),
)
