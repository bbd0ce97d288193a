"""Seeded choice: the same request, seed and probabilities give the same order everywhere.

A draw is Gumbel-max: each name gets a Gumbel variate made from a keyed hash of our request
id, or its session's, and the name, and the order is by log-probability plus variate. The first
is then each name with exactly its probability, and adding a candidate does not change the variates
of the others. Probabilities are fixed-point (parts of 2**32, summing to it exactly) before they are
drawn from, so that a last bit of floating point cannot change a pick. No state, no clock.

Source: E. J. Gumbel, "Statistical Theory of Extreme Values" (1954), for the distribution.
"""

import math
from collections.abc import Sequence
from hashlib import blake2b

ONE_Q32 = 2**32


def quantise(weights: Sequence[float]) -> tuple[int, ...]:
    """Give probabilities in parts of 2**32 that sum to it exactly.

    Args:
        weights: at least one, none negative, in any unit; all zero means all equal.
    """
    total = math.fsum(weights)
    if total <= 0.0 or not math.isfinite(total):
        weights, total = [1.0] * len(weights), float(len(weights))
    parts = [int(weight / total * ONE_Q32) for weight in weights]
    largest = max(range(len(parts)), key=parts.__getitem__)
    parts[largest] += ONE_Q32 - sum(parts)
    return tuple(parts)


def draw_order(
    first_q32: Sequence[int], names: Sequence[str], *, seed: bytes, key: str
) -> tuple[int, ...]:
    """Give all positions in drawn order; position i comes first with first_q32[i] / 2**32.

    Positions of probability 0 come last, in the order given.
    """
    # What every name's hash begins with is hashed once.
    begun = blake2b(f"{key}|".encode(), digest_size=8, key=seed[:64])
    keys = [
        math.log(part) + _gumbel(begun.copy(), name) if part else -math.inf
        for part, name in zip(first_q32, names, strict=True)
    ]
    return tuple(sorted(range(len(keys)), key=lambda place: (-keys[place], place)))


def _gumbel(begun: blake2b, name: str) -> float:
    begun.update(name.encode())
    uniform = (int.from_bytes(begun.digest(), "big") + 0.5) / 2**64
    # The largest digests round to exactly 1.0 as a double, whose variate would be infinite.
    return -math.log(-math.log(min(uniform, 1.0 - 2**-53)))
