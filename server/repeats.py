"""Repeated requests at the doors that speak JSON-RPC: one name, one answer, one payment.

Fulfils `Once` of the agent's and of the tools' room with the same kept answers as /v1, so a name
belongs to its key wherever it is used.
"""

from omniroute.routing.ports import MakeOnce

from .store.kept_answers import KeptAnswer
from .v1.idempotency import Answers, made_once


class Repeats:
    """Makes an answer once; see v1/idempotency.py for what that means."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers

    async def __call__(
        self, key_id: str, name: str, asked: bytes, make: MakeOnce
    ) -> tuple[bytes, bool]:
        """Give the answer, and whether it was kept from before."""

        async def kept() -> tuple[KeptAnswer, bool]:
            body, is_good = await make()
            return KeptAnswer([], body), is_good

        answer, replayed = await made_once(self._answers, key_id, name, asked, kept)
        return answer.body, replayed
