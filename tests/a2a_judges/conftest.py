"""Gateways for the judges: one that needs a key, with one, one that needs none, and a slow one."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests import processes
from tests.four_providers import add_provider, simulator
from tests.processes import RunningGateway
from tests.services import postgres, postgres_url

from .hooks import Hooks, receiving
from .journey import STUCK

__all__ = ["postgres", "postgres_url"]

ACCESS = ("with a key", "without a key")
PRIVATE = {"OMNIROUTE_A2A_PRIVATE_WEBHOOKS": "on"}
"""The tests receive notifications on loopback."""


@dataclass(frozen=True)
class Agent:
    """A gateway, and the key that its clients send, if it needs one."""

    gateway: RunningGateway
    key: str | None


@pytest.fixture(scope="session")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agent]:
    """Give the gateway that needs a key. It signs its cards."""
    home = tmp_path_factory.mktemp("locked")
    signing = home / "card.pem"
    signing.write_bytes(
        generate_private_key(SECP256R1()).private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
        )
    )
    settings = {"REQUIRE_API_KEY": "true", "OMNIROUTE_A2A_CARD_KEY": str(signing), **PRIVATE}
    with processes.gateway(home, **settings) as gateway:
        yield Agent(gateway, gateway.new_key("--name", "judge"))


@pytest.fixture(scope="session")
def unlocked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agent]:
    """Give the gateway that needs no key."""
    with processes.gateway(tmp_path_factory.mktemp("unlocked"), **PRIVATE) as gateway:
        yield Agent(gateway, None)


@pytest.fixture(scope="session")
def stuck(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agent]:
    """Give a gateway that needs a key and answers with a word, and then nothing for long.

    It is for clients that cannot name a model.
    """
    home = tmp_path_factory.mktemp("stuck")
    model = STUCK.removeprefix("sim/")
    with (
        simulator() as simulated,
        processes.gateway(home, REQUIRE_API_KEY="true", **PRIVATE) as gateway,
    ):
        add_provider(gateway, simulated, "openai_chat", (model,), name="stuck")
        yield Agent(gateway, gateway.new_key("--name", "judge"))


@pytest.fixture
def replicas(postgres_url: str, tmp_path: Path) -> Iterator[Sequence[RunningGateway]]:
    """Give two gateways that need a key, in folders of their own, on one database."""
    settings = {
        "REQUIRE_API_KEY": "true",
        "OMNIROUTE_DATABASE_URL": postgres_url,
        "OMNIROUTE_STORAGE_ENCRYPTION_KEY": "0123456789abcdef0123456789abcdef",
        **PRIVATE,
    }
    with (
        processes.gateway(tmp_path / "first", **settings) as first,
        processes.gateway(tmp_path / "second", **settings) as second,
    ):
        yield first, second


@pytest.fixture(scope="session")
def hooks() -> Iterator[Hooks]:
    """Give a receiver of notifications."""
    with receiving() as received:
        yield received


@pytest.fixture(params=ACCESS)
def agent(request: pytest.FixtureRequest) -> Agent:
    """Give each of the two in turn."""
    name = "locked" if request.param == ACCESS[0] else "unlocked"
    found: Agent = request.getfixturevalue(name)
    return found
