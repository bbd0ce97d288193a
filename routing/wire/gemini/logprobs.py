"""Probabilities of tokens, as Gemini reports them: the chosen ones and the likeliest, apart.

Source: Gemini API reference, "LogprobsResult", read 2026-11.
"""

from collections.abc import Sequence

from ...conversation import TokenLogprob


def logprobs_of(reported: object) -> tuple[TokenLogprob, ...]:
    """Give the probabilities of a candidate's tokens; those of another shape are left out."""
    if not isinstance(reported, dict):
        return ()
    listed, tops = reported.get("chosenCandidates"), reported.get("topCandidates")
    if not isinstance(listed, list):
        return ()
    others = tops if isinstance(tops, list) else []
    found: list[TokenLogprob] = []
    for at, item in enumerate(listed):
        chosen = _weighed(item)
        if chosen is not None:
            found.append(TokenLogprob(*chosen, _likeliest(others[at] if at < len(others) else {})))
    return tuple(found)


def logprobs_json(logprobs: Sequence[TokenLogprob]) -> dict[str, object]:
    """Give probabilities as a candidate holds them."""
    return {
        "topCandidates": [
            {"candidates": [_token_json(token, logprob) for token, logprob in one.top]}
            for one in logprobs
        ],
        "chosenCandidates": [_token_json(one.token, one.logprob) for one in logprobs],
    }


def _likeliest(reported: object) -> tuple[tuple[str, float], ...]:
    listed = reported.get("candidates") if isinstance(reported, dict) else None
    found = [_weighed(item) for item in listed] if isinstance(listed, list) else []
    return tuple(item for item in found if item is not None)


def _weighed(item: object) -> tuple[str, float] | None:
    if not isinstance(item, dict):
        return None
    token, logprob = item.get("token"), item.get("logProbability")
    if not isinstance(token, str) or isinstance(logprob, bool):
        return None
    return (token, logprob) if isinstance(logprob, int | float) else None


def _token_json(token: str, logprob: float) -> dict[str, object]:
    return {"token": token, "logProbability": logprob}
