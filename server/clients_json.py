"""What `/api/clients` speaks, as values; see management.py."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ClientJson:
    """A client; `models` says that a file tells it of the model endpoint."""

    name: str
    title: str
    transports: tuple[str, ...]
    models: bool


@dataclass(frozen=True, slots=True)
class ClientsJson:
    """Every client that `omniroute setup` knows."""

    clients: tuple[ClientJson, ...]


@dataclass(frozen=True, slots=True)
class ClientFileJson:
    """A file of a client, `~` its user's folder, and what belongs into it if nothing else does."""

    path: str
    format: str
    text: str


@dataclass(frozen=True, slots=True)
class ClientSetUpJson:
    """What belongs into a client's files; a key stands as sk-omni-... where one is needed.

    Attributes:
        transport: how it reaches MCP.
        then: what is left to do in the client, a sentence.
        models_by_hand: how it is given the model endpoint, where no file says it.
    """

    client: ClientJson
    transport: str
    files: tuple[ClientFileJson, ...]
    then: str
    models_by_hand: str
