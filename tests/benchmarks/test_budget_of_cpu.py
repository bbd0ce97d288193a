"""How the budget of a request is judged; that it fails when it should is in test_long.py."""

from benchmarks import check


def test_the_check_lets_noise_pass_and_nothing_half_as_dear_again() -> None:
    noisy = [(check.RATIO * 100 * noise, 100.0) for noise in (0.9, 1.0, 1.05, 1.1, 2.0)]

    assert not check.too_dear(check.ratio(noisy))
    assert check.too_dear(1.5 * 0.9 * check.RATIO)
