"""Proofs of thoughts: whoever keeps them in between, they come back to their maker alone."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
from msgspec import structs

from omniroute.routing.conversation import Chat, Delta, Message, Reasoning, Text, ToolCallDelta
from omniroute.routing.model import Dialect
from omniroute.routing.wire.codec import Head
from omniroute.routing.wire.proofs import without_foreign_proofs
from omniroute.routing.wire.table import codec

from .answers import DIALECTS, HEAD, folded, streamed

SIGNED: dict[Dialect, str] = {
    "anthropic": "c2lnbmVk",
    "gemini": "gemini#c2lnbmVk",
    "openai_chat": 'openai_chat#{"type":"reasoning.text","signature":"c2lnbmVk","index":0}',
}
UNREAD: dict[Dialect, str] = {
    "anthropic": "dW5yZWFk",
    "openai_responses": "openai_responses#dW5yZWFk",
    "openai_chat": 'openai_chat#{"type":"reasoning.encrypted","data":"dW5yZWFk","index":0}',
}
CALL = Delta(tool_call=ToolCallDelta(0, "call_1", "f", "{}"))
END = Delta(finish="tool_calls", ended=True)


def _kept(client: Dialect, deltas: Sequence[Delta]) -> Chat:
    """Give what a client sends on, when it sends back what it was answered."""
    whole = folded(client, streamed(client, deltas))
    user: Any = {"role": "user", "content": "hi"}
    bodies: dict[Dialect, Any] = {
        "openai_chat": lambda: {"messages": [user, whole["choices"][0]["message"]]},
        "anthropic": lambda: {
            "messages": [user, {"role": "assistant", "content": whole["content"]}]
        },
        "openai_responses": lambda: {"input": [user, *whole["output"]]},
    }
    body = {"model": "m", "max_tokens": 9, **bodies[client]()}
    if client == "openai_responses":
        del body["max_tokens"]
    return codec(client).parse_request(json.dumps(body).encode())


def _thoughts(chat: Chat) -> list[Reasoning]:
    return [
        part
        for message in chat.messages
        for part in message.parts
        if isinstance(part, Reasoning) and (part.signature or part.encrypted)
    ]


@pytest.mark.parametrize("maker", SIGNED)
@pytest.mark.parametrize("client", ["openai_chat", "anthropic", "openai_responses"])
def test_a_signature_comes_back_whoever_keeps_it(client: Dialect, maker: Dialect) -> None:
    thought = "" if maker == "gemini" else "Hm."
    deltas = [Delta(reasoning=thought, reasoning_signature=SIGNED[maker]), CALL, END]

    assert _thoughts(_kept(client, deltas)) == [Reasoning(thought, signature=SIGNED[maker])]


@pytest.mark.parametrize("maker", UNREAD)
@pytest.mark.parametrize("client", ["openai_chat", "anthropic", "openai_responses"])
def test_a_thought_that_only_its_maker_reads_comes_back(client: Dialect, maker: Dialect) -> None:
    deltas = [Delta(reasoning_encrypted=UNREAD[maker]), CALL, END]

    assert _thoughts(_kept(client, deltas)) == [Reasoning(encrypted=UNREAD[maker])]


@pytest.mark.parametrize("maker", SIGNED)
@pytest.mark.parametrize("target", DIALECTS)
def test_a_provider_gets_its_own_proofs_alone(target: Dialect, maker: Dialect) -> None:
    turn = Message("assistant", (Reasoning("Hm.", signature=SIGNED[maker]), Text("Yes.")))
    chat = Chat((Message("user", (Text("hi"),)), turn, Message("user", (Text("on"),))))

    body = codec(target).render_request(chat, model="m").body

    assert (b"c2lnbmVk" in body) == (maker == target)


ASKED: dict[Dialect, dict[str, Any]] = {
    "anthropic": {
        "model": "m",
        "messages": [
            {"role": "user", "content": "hi"},
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "Hm.", "signature": "gemini#c2ln"},
                    {"type": "thinking", "thinking": "So.", "signature": "c2ln"},
                    {"type": "text", "text": "Yes."},
                ],
            },
            {
                "role": "assistant",
                "content": [{"type": "redacted_thinking", "data": "openai_responses#gAAA"}],
            },
        ],
    },
    "openai_responses": {
        "model": "m",
        "input": [
            {"role": "user", "content": "hi"},
            {"type": "reasoning", "summary": [], "encrypted_content": "omniroute.data#x"},
            {"type": "reasoning", "summary": [], "encrypted_content": "gAAA"},
        ],
    },
}


@pytest.mark.parametrize("dialect", ASKED)
def test_another_vendors_proofs_are_taken_out_of_a_body_that_goes_on(dialect: Dialect) -> None:
    body = without_foreign_proofs(json.dumps(ASKED[dialect]).encode(), dialect)

    assert body is not None
    left = json.loads(body)
    if dialect == "anthropic":
        assert left["messages"] == [
            ASKED[dialect]["messages"][0],
            {"role": "assistant", "content": ASKED[dialect]["messages"][1]["content"][1:]},
        ]
    else:
        assert left["input"] == [ASKED[dialect]["input"][0], ASKED[dialect]["input"][2]]


@pytest.mark.parametrize(
    "body", [b'{"messages":[]}', b'{"x":"gemini#"', b'{"messages":"gemini#"}', b'["gemini#"]']
)
def test_a_body_without_them_is_not_touched(body: bytes) -> None:
    assert without_foreign_proofs(body, "anthropic") is None


def test_a_responses_client_keeps_its_own_proof_as_it_was() -> None:
    head = structs.replace(HEAD, asked=b"{}")
    deltas = [Delta(reasoning="Hm.", reasoning_encrypted="openai_responses#gAAA"), END]

    whole = json.loads(codec("openai_responses").render_answer(deltas, head))

    assert isinstance(head, Head)
    assert whole["output"][0]["encrypted_content"] == "gAAA"
