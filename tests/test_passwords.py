"""Which passwords are taken, how one is told again, and how many are checked at once."""

import asyncio
import threading
import unicodedata

import pytest

from omniroute.server import passwords
from omniroute.server.passwords import (
    WAITING_MAX,
    Checker,
    TooManyAtOnce,
    WeakPassword,
    checked_password,
    fits,
    hashed,
)

pytestmark = pytest.mark.anyio
GOOD = "seven fake horses 42"


@pytest.mark.parametrize(
    "weak",
    [
        *("", "short", "x" * 11, "x" * 1025, "aaaaaaaaaaaaaaaa", "ababababababab"),
        *("CHANGEME-CHANGEME", "MyPassword2026!", "omniroute-omniroute", "123456123456123"),
    ],
)
def test_what_is_easy_to_guess_is_no_password(weak: str) -> None:
    with pytest.raises(WeakPassword) as refused:
        checked_password(weak)

    assert not weak or weak not in str(refused.value)


@pytest.mark.parametrize("good", [GOOD, "x1y2z" + "q" * 1019, "ключ от всех дверей"])
def test_length_alone_makes_a_password(good: str) -> None:
    assert checked_password(good) == good


def test_a_password_is_told_again_in_every_form_of_unicode() -> None:
    stored = hashed("schöne große Pferde")

    assert stored.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert fits(unicodedata.normalize("NFD", "schöne große Pferde"), stored)
    assert not fits("schone grosse Pferde", stored)
    assert not fits("schöne große Pferde", None)


def test_the_same_password_is_stored_in_two_ways() -> None:
    assert hashed(GOOD) != hashed(GOOD)


async def test_passwords_are_checked_one_at_a_time_and_few_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    go, at_once, most = threading.Event(), [0], [0]

    def slow(password: str, stored: str | None) -> bool:
        at_once[0] += 1
        most[0] = max(most[0], at_once[0])
        go.wait(60)
        at_once[0] -= 1
        return True

    monkeypatch.setattr(passwords, "fits", slow)
    checker = Checker()
    waiting = [asyncio.create_task(checker.fits(GOOD, None)) for _ in range(WAITING_MAX)]
    await asyncio.sleep(0)
    with pytest.raises(TooManyAtOnce):
        await checker.fits(GOOD, None)
    # Whoever leaves makes no room for others while the work goes on.
    waiting[0].cancel()
    await asyncio.wait(waiting[:1])
    with pytest.raises(TooManyAtOnce):
        await checker.fits(GOOD, None)
    go.set()
    done = await asyncio.gather(*waiting[1:])
    after = await checker.fits(GOOD, None)
    checker.close()

    assert done == [True] * (WAITING_MAX - 1)
    assert after
    assert most == [1]
