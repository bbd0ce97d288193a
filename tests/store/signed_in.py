"""Sessions of the dashboard for tests: begun by a key, and what a cookie stands for in a word."""

from omniroute.server.store.sign_ins import NewCookie, SignIns


async def begun(sessions: SignIns, key_id: str = "abc") -> NewCookie:
    """Begin a session of a key."""
    return await sessions.begin(key_id, ("b", "a"), address="10.0.0.1", agent="Browser/1")


async def seen_as(sessions: SignIns, cookie: NewCookie) -> str:
    """Give what a cookie stands for: open, over or nobody."""
    found = await sessions.find(cookie.text)
    if found is None:
        return "nobody"
    return "open" if found.is_open else "over"
