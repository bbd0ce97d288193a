"""`omniroute chat`: one question, its answer streamed to the terminal.

The answer alone goes to standard output, so that it can be piped; who gave it goes to standard
error. It goes through the same /v1 endpoint as any client's request.
"""

import sys
from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from ..settings import Settings, Sources
from .client import Answer, Client, Refusal, encoded_body, read_whole, refusal, with_gateway
from .exits import FAILED, OK, UNAVAILABLE, USAGE, Stop
from .output import complain, safe_text

PROMPT_BYTES_MAX = 8 * 2**20
LINE_BYTES_MAX = 2**20
STREAM_SLACK_S = 30.0
"""How much longer than the gateway's own limit we wait, so that its error is seen, not ours."""


class _Delta(msgspec.Struct):
    content: str | None = None


class _Choice(msgspec.Struct):
    delta: _Delta | None = None


class _Event(msgspec.Struct):
    choices: list[_Choice] = []
    error: Refusal | None = None


def chat(arguments: Namespace, settings: Settings, sources: Sources) -> int:
    """Ask and print."""
    prompt = prompt_of(arguments.prompt, "chat")
    messages = [{"role": "user", "content": prompt}]
    if arguments.system is not None:
        messages.insert(0, {"role": "system", "content": arguments.system})
    body = encoded_body(
        {
            "model": arguments.model,
            "messages": messages,
            "stream": True,
            # Reported tokens are exact; without them the gateway has to estimate.
            "stream_options": {"include_usage": True},
        }
    )
    with with_gateway(settings, sources) as gateway:
        return _ask(gateway, body, timeout_s=settings.total_s + STREAM_SLACK_S)


def events(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Give the data of each server-sent event, however the bytes are cut.

    Raises:
        Stop: a line is longer than LINE_BYTES_MAX.

    Source: HTML standard, section 9.2.6, as far as OpenAI's streams use it: one `data` line an
    event.
    """
    rest = b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        if len(rest) > LINE_BYTES_MAX:
            raise Stop("the gateway sent an event that is too long", UNAVAILABLE)
        for line in lines:
            if line.startswith(b"data:"):
                yield line[5:].strip()


def prompt_of(words: Sequence[str], command: str) -> str:
    """Give a prompt of the command line, or of standard input.

    Args:
        words: on the command line.
        command: whose they are, for the one who has to try again.

    Raises:
        Stop: there is none, or it is longer than PROMPT_BYTES_MAX.
    """
    if words:
        return " ".join(words)
    if sys.stdin.isatty():
        complain("Type the prompt and end it with Ctrl-D on a line of its own.")
    data = sys.stdin.buffer.read(PROMPT_BYTES_MAX + 1)
    if len(data) > PROMPT_BYTES_MAX:
        raise Stop(f"the prompt is longer than {PROMPT_BYTES_MAX} bytes", USAGE)
    prompt = data.decode("utf-8", "replace")
    if not prompt.strip():
        raise Stop(
            f'no prompt was given: `omniroute {command} "..."`, or send it to standard input',
            USAGE,
        )
    return prompt


def _ask(gateway: Client, body: bytes, *, timeout_s: float) -> int:
    with gateway.open("POST", "/v1/chat/completions", body, timeout_s=timeout_s) as answer:
        if answer.status != 200:
            raise refusal(answer.status, read_whole(answer))
        ended = _print_answer(answer)
    sys.stdout.write("\n")
    sys.stdout.flush()
    if not ended:
        raise Stop("the answer broke off before its end", UNAVAILABLE)
    complain(_origin(answer.headers))
    return OK


def _print_answer(answer: Answer) -> bool:
    """Print the text as it comes and give whether the stream came to its end."""
    for data in events(answer.chunks):
        if data == b"[DONE]":
            return True
        try:
            event = msgspec.json.decode(data, type=_Event)
        except msgspec.MsgspecError as error:
            raise Stop(f"the gateway's stream was not understood: {error}", FAILED) from error
        if event.error is not None:
            sys.stdout.write("\n")
            sys.stdout.flush()
            raise Stop(event.error.message, UNAVAILABLE)
        for choice in event.choices:
            if choice.delta is not None and choice.delta.content:
                write_piece(choice.delta.content)
    return False


def write_piece(text: str) -> None:
    """Print a piece of the answer: into a file as it is, to a terminal without what drives it."""
    if sys.stdout.isatty():
        text = safe_text(text.replace("\r\n", "\n"))
    sys.stdout.write(text)
    sys.stdout.flush()


def _origin(headers: Mapping[str, str]) -> str:
    """Give who answered, as the answer's headers say it."""
    provider, model = headers.get("x-omniroute-provider"), headers.get("x-omniroute-model")
    who = "/".join(part for part in (provider, model) if part) or "the gateway"
    words = f"[answered by {who}"
    if headers.get("x-omniroute-attempts", "1") != "1":
        words += f" at attempt {headers['x-omniroute-attempts']}"
    if "x-request-id" in headers:
        words += f"; why: omniroute explain {headers['x-request-id']}"
    return words + "]"
