"""Where a connection to a provider belongs."""

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from .exchange import Exchange


class Home(Protocol):
    """Where a connection goes back to: the pool's lane of its origin."""

    @property
    def name(self) -> str:
        """Whom it connects to, for messages."""
        ...

    def take_back(self, connection: "Exchange") -> None:
        """Keep a connection whose answer ended well."""
        ...

    def lost(self, connection: "Exchange") -> None:
        """Forget a connection that is closed."""
        ...
