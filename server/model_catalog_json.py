"""What the documented routes on models speak, as values; see management.py."""

from msgspec import Struct


class AliasedModelJson(Struct, frozen=True, rename="camel"):
    """A model at a provider; `alias` is the first name of the user's that stands for it.

    `available` says that an account which serves it may be asked now.
    """

    provider: str
    model: str
    full_model: str
    alias: str | None
    available: bool


class ModelsJson(Struct, frozen=True):
    """The models of the accounts."""

    models: tuple[AliasedModelJson, ...]


class ModelAliasWish(Struct, frozen=True):
    """A name, and the model that it is to stand for."""

    model: str
    alias: str


class ModelAliasJson(Struct, frozen=True):
    """An alias that is in force."""

    success: bool
    model: str
    alias: str


class AliasMapJson(Struct, frozen=True):
    """What each alias stands for."""

    aliases: dict[str, str]


class AliasMapWish(Struct, frozen=True):
    """All aliases that there are to be: others are removed."""

    aliases: dict[str, str]


class RenameWish(Struct, frozen=True, rename={"source": "from", "target": "to"}):
    """A name that clients ask for, and what it is to stand for."""

    source: str
    target: str


class RenamesJson(Struct, frozen=True, rename="camel"):
    """Names that stand for others: ours for what vendors retired, the user's, and both.

    A name of the user's wins over ours.
    """

    built_in: dict[str, str]
    custom: dict[str, str]
    all: dict[str, str]


class DoneJson(Struct, frozen=True):
    """It is done."""

    success: bool = True


class CatalogModelJson(Struct, frozen=True):
    """A model of the catalogue; `custom` says that an account names it, not the catalogue."""

    id: str
    name: str
    type: str
    custom: bool


class CatalogProviderJson(Struct, frozen=True):
    """A provider; `active` says that an enabled account is there."""

    provider: str
    active: bool
    models: tuple[CatalogModelJson, ...]


class CatalogJson(Struct, frozen=True):
    """The providers by the short name that stands before a model's, with their models."""

    catalog: dict[str, CatalogProviderJson]


class UnavailableModelJson(Struct, frozen=True, rename="camel"):
    """A model, or with "" every model of an account, that is not asked now, and why."""

    provider: str
    model: str
    connection_id: str
    status: str
    reason: str
    remaining_ms: int | None


class AvailabilityJson(Struct, frozen=True, rename="camel"):
    """What is not asked now."""

    unavailable_count: int
    models: tuple[UnavailableModelJson, ...]


class AvailableWish(Struct, frozen=True):
    """Which model is to be asked again; "" is every one of the provider."""

    provider: str
    model: str = ""


class AvailableJson(Struct, frozen=True):
    """Whether anything stood in the way."""

    success: bool
    removed: bool


class AccountModelJson(Struct, frozen=True):
    """A model that an account serves."""

    id: str
    name: str


class AccountModelsJson(Struct, frozen=True, rename="camel"):
    """The models that an account is known to serve; `source` says who says so."""

    provider: str
    connection_id: str
    models: tuple[AccountModelJson, ...]
    source: str
