"""The story of a request as text."""

from dataclasses import replace

from omniroute.routing.conversation import Usage
from omniroute.server.cli.explain import page
from omniroute.server.management import RequestJson
from omniroute.server.stories import (
    AttemptJson,
    CandidateJson,
    ContrastJson,
    DeltaJson,
    FlipJson,
    StoryJson,
)

REQUEST = RequestJson(
    request_id="req_1",
    at_unix_s=1_800_000_000.0,
    key_id="local",
    door="v1",
    target="fast-coding",
    status="answered",
    served_by="groq/llama",
    attempts=2,
    total_s=1.0,
    cost_usd_nanos=104_000,
)
STORY = StoryJson(
    request=REQUEST,
    strategy="priority",
    combo="fast-coding",
    snapshot_id="00",
    stream=True,
    finish="stop",
    error_detail="",
    first_content_s=0.6,
    usage=Usage(120, 40, 80, 0, 5),
    usage_source="reported",
    reserved_usd_nanos=2_100_000,
    candidates=(
        CandidateJson("xai/grok", "c", False, "circuit_open", "next try in 12 s"),
        CandidateJson("openai/gpt", "a", True, "ok", place=1, first_share=1.0),
        CandidateJson("groq/llama", "b", True, "ok", place=2),
        CandidateJson("groq/llama", "b2", True, "ok", place=3),
    ),
    attempts=(
        AttemptJson(1, "openai/gpt", "a", 0.0, 0.25, None, "server_error", "it broke", 500),
        AttemptJson(2, "groq/llama", "b", 0.25, 1.0, first_byte_s=0.25),
    ),
)


def test_every_candidate_has_its_verdict_in_the_order_of_the_decision() -> None:
    lines = page(STORY).splitlines()

    start = lines.index("Candidates") + 2
    assert [line.split("  ")[1:] for line in lines[start : start + 4]] == [
        line.split("  ")[1:]
        for line in (
            "  1  openai/gpt  failed: server_error    100.0%  -",
            "  2  groq/llama  answered                  0.0%  -",
            "  3  groq/llama  not needed                0.0%  -",
            "  -  xai/grok    left out: circuit_open    0.0%  next try in 12 s",
        )
    ]


def test_attempts_lie_on_a_line_of_time_that_begins_with_the_request() -> None:
    text = page(STORY)

    assert "|..........                              |" in text
    assert "|          ..........====================|" in text
    assert "server_error (status 500): it broke" in text


def test_the_heading_says_who_answered_and_the_money_what_was_held() -> None:
    text = page(STORY)

    assert text.startswith("req_1 was answered by groq/llama after 2 attempts\n")
    assert "$0.000104 ($0.0021 was held for it before)" in text
    assert "120 in (80 cached), 40 out (5 reasoning), reported" in text


def test_an_unknown_price_is_not_shown_as_free() -> None:
    request = RequestJson("r", 0.0, "k", "mcp", "m", "answered", "a/b", 1, 0.1, cost_usd_nanos=None)
    story = StoryJson(request, None, None, None, False, None, "", None, Usage(), "none", 0, (), ())

    assert "cost           unknown" in page(story)


def test_a_request_that_was_refused_before_a_decision_has_a_story_too() -> None:
    request = RequestJson(
        "r", 0.0, "k", "v1", "nowhere", "refused", None, 0, 0.0, 0, error="model_not_found"
    )
    story = StoryJson(
        request,
        strategy=None,
        combo=None,
        snapshot_id=None,
        stream=False,
        finish=None,
        error_detail="no model is named 'nowhere'",
        first_content_s=None,
        usage=Usage(),
        usage_source="none",
        reserved_usd_nanos=0,
        candidates=(),
        attempts=(),
    )

    text = page(story)

    assert text.startswith("r was refused: model_not_found\n")
    assert "no model is named 'nowhere'" in text
    assert "Candidates" not in text


def test_the_chosen_is_told_against_the_runner_up_with_what_would_flip_it() -> None:
    contrast = ContrastJson(
        chosen="openai/gpt",
        chosen_account_id="a",
        runner_up="groq/llama",
        runner_up_account_id="b",
        probability=0.72,
        runner_up_probability=0.25,
        advantage=0.0015,
        deltas=(
            DeltaJson("success rate", 0.99, 0.95, 0.002),
            DeltaJson("expected cost in USD", 0.001, 0.0005, -0.0005),
        ),
        flips=(FlipJson("groq/llama", "b", "success rate", 0.95, 0.98),),
    )

    text = page(replace(STORY, contrast=contrast))

    assert "openai/gpt (72.0%) against groq/llama (25.0%)" in text
    assert "  success rate            0.99       0.95         +0.002000" in text
    assert "  in all                                          +0.001500" in text
    assert "  groq/llama: success rate 0.98 instead of 0.95" in text


def test_a_draw_of_the_lesser_one_and_a_strategy_without_scores_say_so() -> None:
    drawn = ContrastJson("a/a", "1", "b/b", "2", 0.1, 0.9, -0.001)
    ordered = ContrastJson("a/a", "1", "b/b", "2", 1.0, 0.0, None)

    assert "the draw chose the one with the lesser score" in page(replace(STORY, contrast=drawn))
    assert "the strategy gives no scores" in page(replace(STORY, contrast=ordered))


def test_a_clamped_answer_is_told() -> None:
    assert "answer clamped to" not in page(STORY)
    assert "450 tokens at most, so that it could be paid" in page(
        replace(STORY, output_tokens_clamp=450)
    )
