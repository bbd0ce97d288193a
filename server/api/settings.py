"""The settings in force and from where, and those that change while the gateway serves."""

from msgspec import UNSET
from starlette.requests import Request

from omniroute.routing.catalog.names import OWN_NAMES
from omniroute.routing.errors import BadRequest
from omniroute.routing.health.profiles import profile_named
from omniroute.routing.model import Caller

from ..facts import Facts
from ..management import SettingJson
from ..settings_json import SettingsJson, SettingsWish, ShownSettingJson
from ..settings_names import SETTINGS
from ..storage import Storage
from ..store.config_rows import RESILIENCE
from ..store.retention import DAYS
from .editing import Thing
from .rows import Row, body_as

PATH = "/api/settings"
MODE = "mode"
MODES = ("balanced", *sorted({one for one in OWN_NAMES.values() if one is not None}))
"""What strategy auto may weigh, where a request names nothing."""


def rows(storage: Storage, facts: Facts) -> tuple[Row, ...]:
    """Give the routes."""

    def told() -> SettingsJson:
        config = storage.configs.current()
        found = facts.now()
        return SettingsJson(
            mode=config.mode,
            resilience=config.resilience,
            log_retention_days=storage.retention.days,
            require_login=found.needs_key,
            setup_complete=any(not one.simulated for one in config.accounts),
            settings=tuple(map(_shown, found.settings)),
        )

    async def show(request: Request, caller: Caller) -> SettingsJson:
        return told()

    async def change(request: Request, caller: Caller) -> SettingsJson:
        values = _values(await body_as(request, SettingsWish))
        if values:
            await storage.configs.put_settings(values, actor=caller.key_id)
        return told()

    thing = Thing(show)
    return (
        Row("GET", PATH, "admin", "The settings in force, and from where", show, thing=thing),
        Row(
            *("PATCH", PATH, "admin", "Change settings of a gateway that serves", change),
            body=SettingsWish,
            thing=thing,
        ),
    )


def _values(wish: SettingsWish) -> dict[str, object]:
    """Give what is to be stored, by the setting's name.

    Raises:
        BadRequest: with the field that is wrong.
    """
    if wish.mode is not UNSET and wish.mode not in MODES:
        raise BadRequest(f"mode is one of {', '.join(MODES)}", field="mode")
    resilience = UNSET if wish.resilience is UNSET else profile_named(wish.resilience).name
    named = {MODE: wish.mode, DAYS: wish.log_retention_days, RESILIENCE: resilience}
    return {name: value for name, value in named.items() if value is not UNSET}


def _shown(one: SettingJson) -> ShownSettingJson:
    row = next(row for row in SETTINGS if row.name == one.name)
    return ShownSettingJson(
        name=one.name,
        value=one.value,
        source=one.source,
        meaning=row.meaning,
        unit=row.unit,
        variable=row.variables[0].name,
        flag=row.flag,
        secret=row.secret,
        changeable=one.name == DAYS,
    )
