"""The public face of the engine: the one thing every door holds."""

from dataclasses import dataclass

from .controls import Controls
from .engine import Engine
from .views import Views


@dataclass(frozen=True, slots=True)
class Gateway:
    """Three facets, one for each kind of scope.

    Attributes:
        route: write:route, answers requests.
        view: read:*, answers questions.
        control: write:*, changes settings.
    """

    route: Engine
    view: Views
    control: Controls
