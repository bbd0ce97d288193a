"""The keys that a test presses, as the browser is told of them."""

from dataclasses import dataclass

MODIFIERS = {"Alt": 1, "Control": 2, "Meta": 4, "Shift": 8}


@dataclass(frozen=True, slots=True)
class Key:
    """One key: its name, its Windows code, and what it types."""

    key: str
    code: int
    text: str = ""


NAMED = {
    one.key: one
    for one in (
        Key("Backspace", 8),
        Key("Tab", 9),
        Key("Enter", 13, "\r"),
        Key("Escape", 27),
        Key("PageUp", 33),
        Key("PageDown", 34),
        Key("End", 35),
        Key("Home", 36),
        Key("ArrowLeft", 37),
        Key("ArrowUp", 38),
        Key("ArrowRight", 39),
        Key("ArrowDown", 40),
        Key("Delete", 46),
    )
} | {"Space": Key(" ", 32, " ")}


def parse(chord: str) -> tuple[Key, int]:
    """Give the key and the modifiers of words such as `Shift+Tab`, `Control+a` or `x`."""
    *held, name = chord.split("+") if len(chord) > 1 else [chord]
    modifiers = sum(MODIFIERS[one] for one in held)
    key = NAMED.get(name) or Key(name, ord(name.upper()), name)
    return (Key(key.key, key.code) if modifiers & ~MODIFIERS["Shift"] else key), modifiers
