"""Passwords: which are taken, how they are hashed, and how one is told again.

argon2id with the second recommended option of RFC 9106 (section 4): 3 passes over 64 MiB in 4
lanes. That is memory that an attacker would have to have for each guess, and here it is taken
for one at a time: checks run one after another in a thread, so the event loop goes on, and when
WAITING_MAX wait already, the next is refused. Checking takes as long where no password is set.

A password has at least CHARACTERS_MIN characters and no other rule but that it is no example:
length is what makes it hard to guess (as NIST SP 800-63B-4 asks of verifiers, read 2026-11-23).
It is brought to one form of Unicode first, as keyboards differ in theirs.
"""

import asyncio
import os
import unicodedata
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import TypeVar

from omniroute.routing.errors import RoutingError

from .store.passwords import Passwords

Result = TypeVar("Result")

CHARACTERS_MIN = 12
CHARACTERS_MAX = 1024
DIFFERENT_MIN = 5
PASSES = 3
MEMORY_KIB = 64 * 1024
LANES = 4
SALT_BYTES = 16
HASH_BYTES = 32
WAITING_MAX = 8
_EXAMPLES = ("changeme", "password", "omniroute", "123456")
_NOBODYS = (
    f"$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p={LANES}$c29tZWJvZHktbm9ib2R5"
    "$q5rhA2h1RvyZxFJo8bLpnH2vXhrBLYv0jyZ1a7nRj0s"
)
"""Nobody knows what this is of."""


class WeakPassword(ValueError):
    """A password is none that may be set; says why."""


class TooManyAtOnce(RoutingError):
    """So many passwords wait to be checked that no more can."""

    status = 503
    code = "sign_in_busy"
    retry_after_s = 2.0


def checked_password(text: str) -> str:
    """Give a password that may be set.

    Raises:
        WeakPassword: it is too short, too long, or easy to guess.
    """
    if not CHARACTERS_MIN <= len(text) <= CHARACTERS_MAX:
        raise WeakPassword(
            f"a password has {CHARACTERS_MIN} to {CHARACTERS_MAX} characters; several words are "
            "easy to remember and hard to guess"
        )
    plain = text.casefold()
    if len(set(plain)) < DIFFERENT_MIN or any(one in plain for one in _EXAMPLES):
        raise WeakPassword("that password is among the first that anybody would try")
    return text


def hashed(password: str) -> str:
    """Give what is stored of a password, in the form of the PHC. Takes a part of a second."""
    from cryptography.hazmat.primitives.kdf.argon2 import (  # noqa: PLC0415 - 35 ms, seldom needed
        Argon2id,
    )

    kdf = Argon2id(
        salt=os.urandom(SALT_BYTES),
        length=HASH_BYTES,
        iterations=PASSES,
        lanes=LANES,
        memory_cost=MEMORY_KIB,
    )
    return kdf.derive_phc_encoded(_one_form(password))


def fits(password: str, stored: str | None) -> bool:
    """Whether a password is what was hashed; takes as long where nothing was."""
    from cryptography.exceptions import InvalidKey  # noqa: PLC0415 - see above
    from cryptography.hazmat.primitives.kdf.argon2 import Argon2id  # noqa: PLC0415

    try:
        Argon2id.verify_phc_encoded(_one_form(password), stored or _NOBODYS)
    except InvalidKey:
        return False
    return stored is not None


class Checker:
    """Hashes and checks, one password at a time, beside the event loop."""

    def __init__(self) -> None:
        self._threads: ThreadPoolExecutor | None = None
        self._waiting = 0

    async def hashed(self, password: str) -> str:
        """Give what is stored of a password. Raises as `fits`."""
        return await self._run(lambda: hashed(password))

    async def fits(self, password: str, stored: str | None) -> bool:
        """Whether a password is what was hashed.

        Raises:
            TooManyAtOnce: WAITING_MAX are checked or wait already.
        """
        return await self._run(lambda: fits(password, stored))

    def close(self) -> None:
        """Check no more."""
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)

    async def _run(self, work: Callable[[], Result]) -> Result:
        if self._waiting >= WAITING_MAX:
            raise TooManyAtOnce("too many passwords are checked at once: try again in a moment")
        if self._threads is None:
            self._threads = ThreadPoolExecutor(1, "password")
        self._waiting += 1
        running = self._threads.submit(work)
        # Whoever leaves does not make room: the thread goes on.
        running.add_done_callback(lambda _: self._done())
        return await asyncio.wrap_future(running)

    def _done(self) -> None:
        self._waiting -= 1


@asynccontextmanager
async def checking(
    checker: Checker, initial: str | None, passwords: Passwords
) -> AsyncGenerator[None]:
    """Set the password that a start was told, where there is none, and close the checker later."""
    if initial is not None and passwords.stored is None:
        await passwords.put(await checker.hashed(initial), actor="start", only_first=True)
    try:
        yield
    finally:
        checker.close()


def _one_form(password: str) -> bytes:
    return unicodedata.normalize("NFC", password).encode("utf-8", "surrogatepass")
