"""What a JSON-RPC request can be refused with, in no dialect's words.

A fault is about the request; a task that was accepted and then failed is no fault but a task
with that state. Each dialect has a table from the kind to its code.
"""

from typing import Literal

FaultKind = Literal[
    "parse",  # not JSON
    "invalid_request",  # JSON, but no JSON-RPC request
    "method_not_found",
    "invalid_params",
    "internal",
    "task_not_found",  # also another caller's task
    "not_cancelable",  # the task has ended
    "push_unsupported",
    "unsupported",  # the specification knows it, this agent does not do it
    "content_type",
    "no_extended_card",
    "version_unsupported",
    "unknown_skill",
]


class Fault(Exception):
    """A request that cannot be answered.

    Args:
        kind: what is wrong; a dialect makes its code of it.
        message: what was asked, what stood in the way, and what to do.
        field: path of the faulty parameter, None when it is not about one.
        http_status: the HTTP status where it must not be the dialect's own.
    """

    def __init__(
        self,
        kind: FaultKind,
        message: str,
        *,
        field: str | None = None,
        http_status: int | None = None,
    ) -> None:
        super().__init__(message)
        self.kind: FaultKind = kind
        self.message = message
        self.field = field
        self.http_status = http_status


def task_not_found() -> Fault:
    """Give the one answer for a task that does not exist and for another caller's."""
    return Fault("task_not_found", "this caller has no task with that id")


def no_pushes() -> Fault:
    """Give the answer to who wants to be told of tasks where nobody is."""
    return Fault(
        "push_unsupported",
        "this agent sends no push notifications; poll the task or stream it",
    )
