"""What commands print: aligned tables for people, JSON for programs.

Names and messages come from providers and clients, so control characters are taken out: no
model and no server may move the cursor of a terminal, or write its title or clipboard.
"""

import sys
import time
from collections.abc import Sequence

GAP = "  "
UNKNOWN = "unknown"
NOTHING = "-"

_REPLACED = {
    code: "\N{REPLACEMENT CHARACTER}" for code in (*range(0x20), *range(0x7F, 0xA0)) if code != 0x0A
}
# Bidirectional overrides can make a name read as another one.
_REPLACED |= dict.fromkeys(
    (*range(0x202A, 0x202F), *range(0x2066, 0x206A)), "\N{REPLACEMENT CHARACTER}"
)
_REPLACED[0x09] = "\t"
_ONE_LINE = {**_REPLACED, 0x09: " ", 0x0A: " "}


def table(
    headings: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[str] = ()
) -> str:
    """Give rows under headings in aligned columns, without spaces at the ends of lines.

    Args:
        headings: of the columns.
        rows: one text for each heading.
        right: the headings whose columns are aligned to the right, for numbers.
    """
    lines = [list(headings), *([one_line(cell) for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        GAP.join(
            cell.rjust(width) if heading in right else cell.ljust(width)
            for cell, width, heading in zip(line, widths, headings, strict=True)
        ).rstrip()
        for line in lines
    )


def fields(pairs: Sequence[tuple[str, str]], *, indent: int = 0) -> str:
    """Give names with their values, the values in one column."""
    width = max((len(name) for name, _ in pairs), default=0)
    return "\n".join(
        f"{' ' * indent}{name.ljust(width)}{GAP}{one_line(value)}".rstrip() for name, value in pairs
    )


def one_line(text: str) -> str:
    """Give text that stays on its line."""
    return text.translate(_ONE_LINE)


def safe_text(text: str) -> str:
    """Give text that may have lines but drives no terminal."""
    return text.translate(_REPLACED)


def show(text: str) -> None:
    """Print to standard output, as it is."""
    sys.stdout.write(text if text.endswith("\n") else text + "\n")


def show_json(value: object) -> None:
    """Print a value as indented JSON."""
    import msgspec

    show(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def complain(text: str) -> None:
    """Print to standard error, where it does not get between the output."""
    sys.stderr.write(safe_text(text if text.endswith("\n") else text + "\n"))


def listed(items: Sequence[str], *, empty: str = NOTHING) -> str:
    """Give items with commas."""
    return ", ".join(items) or empty


def dollars(usd: float | None) -> str:
    """Give money with the digits it needs; an unknown price is said to be unknown."""
    if usd is None:
        return UNKNOWN
    if usd == 0 or abs(usd) >= 1:
        return f"${usd:.2f}"
    return f"${usd:.9f}".rstrip("0").ljust(len("$0.0000"), "0")


def duration(seconds: float) -> str:
    """Give a length of time in the unit that suits it."""
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 90:
        return f"{seconds:.1f} s"
    for size, name in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.1f}".removesuffix(".0") + f" {name}"
    raise AssertionError("the loop ends with a minute, and the time is longer")


def moment(unix_s: float | None, *, empty: str = NOTHING) -> str:
    """Give a moment in this machine's time zone."""
    if unix_s is None:
        return empty
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(unix_s))


def size(count: int) -> str:
    """Give a number of bytes in the unit that suits it."""
    amount = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if amount < 1024 or unit == "GiB":
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    raise AssertionError("the last unit takes every amount")
