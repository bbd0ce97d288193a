"""How a command ends: its exit statuses, and the one exception that ends it early."""

OK = 0
FAILED = 1
USAGE = 2
UNAVAILABLE = 69
NOT_PERMITTED = 77
CONFIGURATION = 78
INTERRUPTED = 130

EXITS: tuple[tuple[int, str], ...] = (
    (OK, "done"),
    (
        FAILED,
        "failed: what was asked for does not exist, was refused, or doctor or audit found a fault",
    ),
    (USAGE, "the command line is wrong"),
    (UNAVAILABLE, "no gateway runs or answers, or no provider could serve the request"),
    (NOT_PERMITTED, "not permitted: a key is missing, wrong, or lacks a scope"),
    (CONFIGURATION, "the configuration is wrong: a setting, the data folder or the database"),
    (INTERRUPTED, "interrupted with Ctrl-C"),
)
"""The numbers between 64 and 78 are those of BSD's sysexits."""

_UNAVAILABLE_STATUSES = frozenset({408, 429, 502, 503, 504, 508, 529})


class Stop(Exception):
    """The command cannot go on. The message says why and what to do next.

    Args:
        message: for a person, without a traceback.
        status: one of EXITS.
    """

    def __init__(self, message: str, status: int = FAILED) -> None:
        super().__init__(message)
        self.status = status


def exit_status(http_status: int) -> int:
    """Give the exit status for a gateway's refusal."""
    if http_status in (401, 403):
        return NOT_PERMITTED
    return UNAVAILABLE if http_status in _UNAVAILABLE_STATUSES else FAILED
