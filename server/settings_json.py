"""What `/api/settings` speaks, as values; see management.py."""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

Days = Annotated[float, Meta(ge=1, le=365)]


class ShownSettingJson(Struct, frozen=True, rename="camel"):
    """A setting in force in words; of a secret only whether it is set.

    `source` is a flag, a variable, a file or the default; `changeable` says that a PATCH of
    `/api/settings` changes it while the gateway serves.
    """

    name: str
    value: str
    source: str
    meaning: str
    unit: str
    variable: str
    flag: str | None
    secret: bool
    changeable: bool


class SettingsJson(Struct, frozen=True, rename="camel"):
    """What is in force; those above `settings` are kept with the data and change by PATCH.

    `logRetentionDays` of null keeps requests for ever. `mode` is that of `auto` where nobody
    names one.
    """

    mode: str
    resilience: str
    log_retention_days: float | None
    require_login: bool
    setup_complete: bool
    settings: tuple[ShownSettingJson, ...]


class SettingsWish(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """What is to change; what is left out stays.

    `logRetentionDays` of "never" keeps requests for ever, null is what the process was told.
    """

    mode: str | UnsetType = UNSET
    resilience: str | UnsetType = UNSET
    log_retention_days: Days | Literal["never"] | UnsetType | None = UNSET
