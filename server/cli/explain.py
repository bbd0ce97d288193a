"""`omniroute explain`: why a request went where it went, what it cost, and when what happened."""

import json
from argparse import Namespace
from urllib.parse import quote

from omniroute.routing.policy import OUTRUN

from ..call_log_json import LoggedDetailJson
from ..management import RequestsJson
from ..settings import Settings, Sources
from ..stories import AttemptJson, CandidateJson, ContrastJson, DeltaJson, FlipJson, StoryJson
from .client import Client, call, decoded, with_gateway
from .exits import OK, USAGE, Stop
from .output import (
    NOTHING,
    dollars,
    duration,
    fields,
    moment,
    one_line,
    safe_text,
    show,
    show_json,
    table,
)

LINE_CHARS = 40
"""How wide the line of time is."""
NANOS = 1e9


def explain(arguments: Namespace, settings: Settings, sources: Sources) -> int:
    """Tell the story of one request."""
    if bool(arguments.id) == arguments.last:
        raise Stop("give a request's id, or --last for the newest request", USAGE)
    with with_gateway(settings, sources) as gateway:
        request_id = quote(arguments.id or _newest(gateway), safe="")
        if arguments.content:
            path = f"/api/usage/call-logs/{request_id}"
            kept = decoded(call(gateway, "GET", path), LoggedDetailJson)
        else:
            story = decoded(call(gateway, "GET", f"/api/explain/{request_id}"), StoryJson)
    if arguments.content:
        return _show_content(kept, as_json=arguments.json)
    if arguments.json:
        show_json(story)
    else:
        show(page(story))
    return OK


def _show_content(kept: LoggedDetailJson, *, as_json: bool) -> int:
    """Show what was asked and answered."""
    if as_json:
        show_json({"asked": kept.request_body, "answered": kept.response_body})
    elif not kept.has_request_body:
        who = kept.request.api_key_name or kept.request.api_key_id
        raise Stop(
            f"nothing is kept of what {kept.request.id} asked: its key, {who}, had no wish for it "
            "(`omniroute keys change ID --log-content`), or it was removed since"
        )
    else:
        bodies = (("Asked", kept.request_body), ("Answered", kept.response_body))
        show(safe_text("\n\n".join(f"{name}\n{_text(body)}" for name, body in bodies)))
    return OK


def _text(body: object) -> str:
    if isinstance(body, str):
        return body
    return NOTHING if body is None else json.dumps(body, indent=2, ensure_ascii=False)


def page(story: StoryJson) -> str:
    """Give the story as text: what was asked, each candidate's verdict, each attempt in time."""
    parts = [_heading(story), fields(_facts(story), indent=2)]
    if story.candidates:
        headings = ("  #", "CANDIDATE", "VERDICT", "CHANCE", "WHY")
        rows = [_candidate(one, story) for one in _in_order(story)]
        parts.append("Candidates\n" + table(headings, rows, right=("CHANCE",)))
    if story.contrast is not None:
        parts.append(_contrast(story.contrast))
    if story.attempts:
        headings = ("  #", "CANDIDATE", _scale(story), "TOOK", "HOW IT ENDED")
        rows = [_attempt(one, _span_s(story)) for one in story.attempts]
        parts.append(
            "Attempts (. waits for the first byte, = answers)\n"
            + table(headings, rows, right=("TOOK",))
        )
    return "\n\n".join(parts)


def _newest(gateway: Client) -> str:
    found = decoded(call(gateway, "GET", "/api/requests?limit=1"), RequestsJson)
    if not found.requests:
        raise Stop('there are no requests yet; `omniroute chat "Say hello"` makes one')
    return found.requests[0].request_id


def _heading(story: StoryJson) -> str:
    request = story.request
    match request.status:
        case "answered":
            tries = f"{request.attempts} attempt" + ("" if request.attempts == 1 else "s")
            end = f"was answered by {request.served_by} after {tries}"
        case "client_gone":
            end = "ended because its client left"
        case "refused":
            end = f"was refused: {request.error}"
        case _:
            end = f"failed: {request.error}"
    return f"{request.request_id} {end}"


def _facts(story: StoryJson) -> list[tuple[str, str]]:
    request, usage = story.request, story.usage
    asked = request.target
    if story.strategy is not None:
        asked += f" (combo, {story.strategy})" if story.combo else f" ({story.strategy})"
    facts = [
        ("asked for", asked),
        ("by", f"key {request.key_id} at the door {request.door}"),
        ("when", moment(request.at_unix_s)),
        ("first content", _length(story.first_content_s)),
        ("in all", duration(request.total_s)),
        ("tokens", NOTHING),
        ("cost", _cost(story)),
    ]
    if story.usage_source != "none":
        read = f"{usage.input_tokens} in ({usage.cached_input_tokens} cached)"
        written = f"{usage.output_tokens} out ({usage.reasoning_tokens} reasoning)"
        facts[5] = ("tokens", f"{read}, {written}, {story.usage_source}")
    if story.model_served:
        facts.append(("model that served", story.model_served))
    if story.output_tokens_clamp is not None:
        clamp = f"{story.output_tokens_clamp} tokens at most, so that it could be paid"
        facts.append(("answer clamped to", clamp))
    for found in story.findings:
        done = {"redact": "replaced", "block": "refused"}.get(found.mode, "let through")
        facts.append((f"{found.side} held", f"{found.count} {found.kind}, {done}"))
    if story.error_detail:
        facts.append(("error", story.error_detail))
    return facts


def _cost(story: StoryJson) -> str:
    nanos = story.request.cost_usd_nanos
    words = dollars(None if nanos is None else nanos / NANOS)
    if story.reserved_usd_nanos:
        words += f" ({dollars(story.reserved_usd_nanos / NANOS)} was held for it before)"
    return words


def _in_order(story: StoryJson) -> list[CandidateJson]:
    last = len(story.candidates) + 1
    return sorted(story.candidates, key=lambda one: one.place or last)


def _candidate(one: CandidateJson, story: StoryJson) -> tuple[str, ...]:
    place = "  " + (str(one.place) if one.place else NOTHING)
    why = one.detail or ("" if one.kept else one.reason)
    if one.score is not None:
        why = f"score {one.score:.4g}" + (f"; {why}" if why else "")
    return place, one.name, _verdict(one, story), f"{one.first_share:.1%}", why or NOTHING


def _contrast(found: ContrastJson) -> str:
    """Give why the first was not the next best: the parts that differ, and what would flip it."""
    heading = (
        f"{found.chosen} ({found.probability:.1%}) against {found.runner_up} "
        f"({found.runner_up_probability:.1%})"
    )
    if found.advantage is None:
        return f"{heading}: the strategy gives no scores"
    if found.advantage < 0:
        heading += ": the draw chose the one with the lesser score"
    headings = ("  PART", "CHOSEN", "RUNNER-UP", "SPEAKS FOR IT BY")
    rows = [_delta(one) for one in found.deltas]
    rows.append(("  in all", "", "", f"{found.advantage:+.6f}"))
    words = f"{heading}\n{table(headings, rows, right=headings[1:])}"
    if found.flips:
        flips = [f"  {one_line(_flip(one))}" for one in found.flips]
        words += "\n\nThe runner-up would have the better score beyond any one of\n"
        words += "\n".join(flips)
    return words


def _delta(one: DeltaJson) -> tuple[str, ...]:
    return f"  {one.name}", f"{one.chosen:.6g}", f"{one.runner_up:.6g}", f"{one.advantage:+.6f}"


def _flip(one: FlipJson) -> str:
    return f"{one.candidate}: {one.name} {one.needed:.6g} instead of {one.now:.6g}"


def _verdict(one: CandidateJson, story: StoryJson) -> str:
    if not one.kept:
        return f"left out: {one.reason}"
    tried = [
        attempt
        for attempt in story.attempts
        if (attempt.candidate, attempt.account_id) == (one.name, one.account_id)
    ]
    if not tried:
        return "not needed" if story.request.status == "answered" else "not tried"
    if tried[-1].failure == OUTRUN:
        return OUTRUN
    return f"failed: {tried[-1].failure}" if tried[-1].failure else "answered"


def _attempt(one: AttemptJson, span_s: float) -> tuple[str, ...]:
    end = "answered" if one.failure is None else one.failure
    if one.provider_status is not None and one.failure is not None:
        end += f" (status {one.provider_status})"
    if one.detail:
        end += f": {one.detail}"
    took = duration(max(one.ended_s - one.started_s, 0.0))
    return f"  {one.number}", one.candidate, _bar(one, span_s), took, end


def _bar(one: AttemptJson, span_s: float) -> str:
    """Give where on the line of time the attempt lies: at least one mark."""

    def at(moment_s: float) -> int:
        return max(0, min(round(moment_s / span_s * LINE_CHARS), LINE_CHARS))

    begin = min(at(one.started_s), LINE_CHARS - 1)
    end = max(at(one.ended_s), begin + 1)
    first = end if one.first_byte_s is None else at(one.started_s + one.first_byte_s)
    first = max(begin, min(first, end))
    return f"|{' ' * begin}{'.' * (first - begin)}{'=' * (end - first)}".ljust(LINE_CHARS + 1) + "|"


def _scale(story: StoryJson) -> str:
    """Give the line's heading: its two ends in time."""
    end = duration(_span_s(story))
    return f"0{end.rjust(LINE_CHARS + 1)}"


def _span_s(story: StoryJson) -> float:
    ends = [one.ended_s for one in story.attempts]
    return max(story.request.total_s, *ends, 1e-6)


def _length(seconds: float | None) -> str:
    return NOTHING if seconds is None else duration(seconds)
