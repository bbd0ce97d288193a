"""What only the gateway knows of itself: where its settings, accounts and notes come from."""

from dataclasses import dataclass

from .auth import Authenticator
from .discovery import Note
from .management import GatewayFacts, NoteJson, SettingJson, account_json
from .settings import Settings, Sources, shown_values
from .storage import Storage


@dataclass(frozen=True, slots=True)
class Facts:
    """Gathers the facts when somebody asks.

    Attributes:
        sources: where the settings came from, None where nobody noted it.
        notes: provider variables that were not taken.
    """

    settings: Settings
    sources: Sources | None
    notes: tuple[Note, ...]
    storage: Storage
    authenticator: Authenticator
    version: str

    def now(self) -> GatewayFacts:
        """Give the facts of this moment."""
        origins = {} if self.sources is None else self.sources.origins
        return GatewayFacts(
            version=self.version,
            needs_key=self.authenticator.needs_key(),
            keys=len(self.storage.keys),
            accounts=tuple(
                account_json(account, self.settings.environment)
                for account in self.storage.configs.current().accounts
            ),
            ignored=tuple(NoteJson(note.variable, note.message) for note in self.notes),
            settings=tuple(
                SettingJson(name, value, str(origins.get(name, "default")))
                for name, value in shown_values(self.settings).items()
            ),
            database=self.storage.database.kind,
            now_unix_s=self.storage.clock.unix(),
            problems=self.storage.configs.problems,
            has_password=self.storage.passwords.stored is not None,
        )
