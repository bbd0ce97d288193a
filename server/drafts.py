"""Combos that are looked at before they are stored: simulated, and tried against faults."""

from dataclasses import replace

from omniroute.routing.catalog.combos import validate_combo
from omniroute.routing.model import Config

from .combos_json import ComboWish, combo_of

DRAFT_ID = "combo-draft"


def with_draft(config: Config, wish: ComboWish | None) -> Config:
    """Give a configuration with a draft in the place of the combo of its name.

    Raises:
        BadRequest: it could not be stored either: its name, models or limits are not valid, or
            it would contain itself.
    """
    if wish is None:
        return config
    others = tuple(one for one in config.combos if one.name != wish.name)
    draft = combo_of(replace(wish, active=True), DRAFT_ID)
    validate_combo(draft, others)
    return replace(config, combos=(*others, draft))
