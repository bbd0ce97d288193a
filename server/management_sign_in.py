"""What `/api/dashboard/*` gives: who is signed in to the dashboard, and whether with a password."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SignInJson:
    """A browser that is signed in.

    Attributes:
        key_id: as whom: a key's id, or `owner` for whoever knows the password.
        ends_unix_s: when it is over, however much it is used.
        address: where it began.
        agent: what the browser called itself.
    """

    session_id: str
    key_id: str
    made_unix_s: float
    seen_unix_s: float
    ends_unix_s: float
    address: str
    agent: str


@dataclass(frozen=True, slots=True)
class SignInsJson:
    """Those that are open, the last used first."""

    sessions: tuple[SignInJson, ...]


@dataclass(frozen=True, slots=True)
class SignedOutJson:
    """How many were signed out."""

    ended: int


@dataclass(frozen=True, slots=True)
class WishedPassword:
    """The password to be set: 12 to 1024 characters."""

    password: str


@dataclass(frozen=True, slots=True)
class PasswordJson:
    """Whether one can sign in with a password; who set it, and when, where there is one."""

    is_set: bool
    changed_unix_s: float | None = None
    changed_by: str | None = None
