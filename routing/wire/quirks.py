"""Where a provider speaks OpenAI's chat completions otherwise than OpenAI.

Most providers took the dialect over, each in its own measure. These are fields of a provider's
row; fitted.py acts on them, and the simulator that wears a row is as strict as they say. A row
without any is sent what the client wrote.
"""

from typing import Literal

import msgspec


class Quirks(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """What must not be sent as it is.

    Attributes:
        developer: the role by which the messages of that role are sent.
        alternates: after the instructions, users' and assistants' turns must take turns.
        text_only: a message's content must be a string.
        refused: fields of the body that are refused.
        message_fields_refused: fields of a message that are refused.
        renamed: fields of the body that go by another name there, each with that name.
        schema: what of `response_format` is known; a wish for more is sent as the nearest.
        tools: whether it takes tools; a request with tools is not routed to one that does not.
        tool_id_chars: the exact length of a tool call's id, of letters and digits only.
    """

    developer: Literal["developer", "system"] = "developer"
    alternates: bool = False
    text_only: bool = False
    refused: tuple[str, ...] = ()
    message_fields_refused: tuple[str, ...] = ()
    renamed: tuple[tuple[str, str], ...] = ()
    schema: Literal["json_schema", "json_object"] = "json_schema"
    tools: bool = True
    tool_id_chars: int | None = None

    @property
    def only_the_role(self) -> bool:
        """Whether nothing but the role of developers is asked for, as with most."""
        return self == ONLY_THE_ROLE


NO_QUIRKS = Quirks()
ONLY_THE_ROLE = Quirks(developer="system")
