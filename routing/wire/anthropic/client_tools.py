"""Tools that Anthropic defines and the client runs: a shell, an editor, a memory.

Anthropic's models know what they take; for a model of another vendor each is a function with the
same name and arguments, so that the client gets the very call that it waits for.

Source: Anthropic's documentation, "Bash tool", "Text editor tool", "Memory tool", read 2026-11.
"""

from collections.abc import Mapping

from msgspec import Struct

from ...conversation import Json

_TEXT = {"type": "string"}
_NUMBER = {"type": "integer"}
_LINES = {"type": "array", "items": _NUMBER}
_FILE: Mapping[str, object] = {
    "path": _TEXT,
    "view_range": _LINES,
    "file_text": _TEXT,
    "old_str": _TEXT,
    "new_str": _TEXT,
    "insert_line": _NUMBER,
    "insert_text": _TEXT,
}


class ClientTool(Struct, frozen=True):
    """What a model is told of a tool that it does not know."""

    description: str
    parameters: Json


def _commanded(*commands: str, **properties: object) -> Json:
    command = {"type": "string", "enum": list(commands)}
    return {
        "type": "object",
        "properties": {"command": command, **properties},
        "required": ["command"],
    }


_TOOLS = {
    "bash_": ClientTool(
        "Runs a command in a shell that stays open on the user's machine, and gives what it "
        "printed. `restart` starts the shell anew.",
        {"type": "object", "properties": {"command": _TEXT, "restart": {"type": "boolean"}}},
    ),
    "text_editor_": ClientTool(
        "Views, creates and edits files on the user's machine. `str_replace` puts `new_str` in "
        "the place of `old_str`, which must stand once in the file.",
        _commanded("view", "create", "str_replace", "insert", **_FILE),
    ),
    "memory_": ClientTool(
        "Keeps notes as files below /memories, over conversations.",
        _commanded(
            *("view", "create", "str_replace", "insert", "delete", "rename"),
            **_FILE,
            old_path=_TEXT,
            new_path=_TEXT,
        ),
    ),
}


def client_tool(kind: str) -> ClientTool | None:
    """Give what other vendors' models are told of a tool's type, None where Anthropic runs it."""
    return next((tool for start, tool in _TOOLS.items() if kind.startswith(start)), None)
