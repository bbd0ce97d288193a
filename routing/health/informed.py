"""A candidate with what is expected of its model: fitness, the length of answers, speed.

What a decision reads of these is in its snapshot's candidates, so it replays whatever is learned
later. Policy classic-6f reads fitness as documented, untouched by experience.
"""

from dataclasses import replace

from ..catalog.fitness import FAMILY_OF, Fitness
from ..model import Candidate
from ..moment import Expected
from .experience import Experience

FITNESS_DIGITS = 3


def with_fitness(candidate: Candidate, fitness: Fitness, experience: Experience) -> Candidate:
    """Give it with its fitness for each kind of task, by how reliable it was in its family."""
    return replace(
        candidate,
        fitness=tuple(
            (kind, round(value * _reliability(candidate, kind, experience), FITNESS_DIGITS))
            for kind, value in fitness
        ),
    )


def with_lengths(candidate: Candidate, experience: Experience) -> Candidate:
    """Give it with the output tokens that are expected in each family, and its speed."""
    lengths = (
        (family, experience.learned(candidate, family).output_tokens or prior)
        for family, prior in experience.lengths(candidate.model)
    )
    return replace(candidate, expected=Expected(tuple(lengths), experience.token_us(candidate)))


def _reliability(candidate: Candidate, kind: str, experience: Experience) -> float:
    return experience.learned(candidate, FAMILY_OF.get(kind, kind)).reliability
