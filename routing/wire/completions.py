"""OpenAI's older completions over chats: prompts in, `text_completion` out.

Each prompt is a chat of one user's turn, asked `n` times; every choice is an answer of its own.
A `suffix` makes the turn a task: to write what stands between. The whole answer is folded from
the steps that a stream writes, so both say the same.

What a chat cannot do is refused in words: prompts of token ids, which mean something to one
model's tokenizer alone; `best_of` above `n` and `echo` with `logprobs`, which need the odds of
what was never answered. Thoughts have no place in a completion and are left out.

Source: OpenAI API reference, "Create completion" and "The completion object", read 2026-11.
"""

from collections.abc import Sequence

from msgspec import Struct, structs

from ..conversation import Chat, Delta, Finish, Message, Text, TokenLogprob, Usage
from ..errors import BadRequest, RoutingError
from ..model import Dialect
from .codec import Head
from .failures import openai_error
from .features import CHOICES_MAX
from .fields import Fields, body_fields, encode
from .openai_chat.counts import usage_json
from .parts import kept
from .sse import DONE, data_event

LOGPROBS_MAX = 5
OWN_DIALECT: Dialect = "openai_chat"
"""Whose fields those are that nobody here reads: they go to providers of this dialect."""
_STOP = Delta(finish="stop")
INSERTING = (
    "Write the text that belongs between <before> and <after>. Answer with that text alone, "
    "without the tags and without what stands in them."
)


class Completion(Struct, frozen=True):
    """What a completion asks for.

    Attributes:
        prompts: each is answered `choices` times.
        chat: how all are answered; its messages are empty.
    """

    model: str
    prompts: tuple[str, ...]
    choices: int
    echo: bool
    suffix: str | None
    include_usage: bool
    chat: Chat

    def chats(self) -> list[Chat]:
        """Give the chat of every choice, in the order of their numbers."""
        copies = range(self.choices)
        return [self._chat(prompt) for prompt in self.prompts for _ in copies]

    def echoed(self, number: int) -> str:
        """Give what stands before the answer in the choice of this number."""
        return self.prompts[number // self.choices] if self.echo else ""

    def _chat(self, prompt: str) -> Chat:
        turns = [Message("user", (Text(prompt),))]
        if self.suffix:
            task = f"<before>{prompt}</before>\n<after>{self.suffix}</after>"
            turns = [Message("system", (Text(INSERTING),)), Message("user", (Text(task),))]
        return structs.replace(self.chat, messages=tuple(turns))


def parse_completion(body: bytes) -> Completion:
    """Give what a body asks for.

    Raises:
        BadRequest: it is not valid, or asks for what a chat cannot do; names the field.
    """
    fields = body_fields(body)
    choices = fields.tokens_or_none("n") or 1
    prompts = _prompts(fields)
    if choices * len(prompts) > CHOICES_MAX:
        raise BadRequest(f"`n` times the prompts is at most {CHOICES_MAX}", field="n")
    if (fields.tokens_or_none("best_of") or choices) != choices:
        raise BadRequest(
            "`best_of` is the same as `n` or left out: answers that are not given cannot be "
            "compared here",
            field="best_of",
        )
    echo = fields.flag_or_none("echo") or False
    options = fields.child_or_none("stream_options")
    wants_usage = options is not None and options.flag_or_none("include_usage")
    model, suffix = fields.text("model"), fields.text_or_none("suffix")
    chat = _how(fields, logprobs=_logprobs(fields, echo=echo))
    # What is left now is what nobody has read.
    chat = structs.replace(chat, rest=kept(OWN_DIALECT, fields.rest()))
    return Completion(model, prompts, choices, echo, suffix, wants_usage or False, chat)


class CompletionStream:
    """Gives the writer of each choice of one stream; the last choice's ends the stream."""

    def __init__(self, asked: Completion, head: Head) -> None:
        self._asked = asked
        self._head = head
        self._usages: list[Usage] = []

    def writer(self, number: int, model: str) -> "ChoiceWriter":
        """Give the writer of the choice of this number, which the model answers."""
        head = structs.replace(self._head, model=model)
        return ChoiceWriter(self._asked, head, number, self._usages)


class ChoiceWriter:
    """Writes the stream of one choice. See CompletionStream."""

    def __init__(self, asked: Completion, head: Head, number: int, usages: list[Usage]) -> None:
        self._number = number
        self._echoed = asked.echoed(number)
        self._offset = len(self._echoed)
        self._is_last = number + 1 == asked.choices * len(asked.prompts)
        self._include_usage = asked.include_usage
        self._prefix = encode(_envelope(head))[:-1]
        self._usages = usages
        self._usage: Usage | None = None
        self._finished = False
        self._ended = False

    def write(self, delta: Delta) -> bytes:
        """Give the chunk of one step."""
        self._usage = delta.usage or self._usage
        if self._finished:
            return b""
        written = b""
        text = delta.text + delta.refusal
        if self._echoed:
            text, self._echoed = self._echoed + text, ""
        if text or delta.logprobs:
            written = self._chunk(text, self._told(delta.logprobs), None)
        if delta.finish is not None:
            self._finished = True
            written += self._chunk("", None, finish_word(delta.finish))
        return written

    def end(self) -> bytes:
        """Give what ends the choice, and after the last one the stream."""
        if self._ended:
            return b""
        written, self._ended = self.write(_STOP), True
        self._usages += [] if self._usage is None else [self._usage]
        if not self._is_last:
            return written
        if self._include_usage and self._usages:
            told = encode(usage_json(summed(self._usages)))
            written += data_event(self._prefix + b',"choices":[],"usage":' + told + b"}")
        return written + data_event(DONE)

    def error(self, error: RoutingError) -> bytes:
        """Give an error's event; no `[DONE]` follows, since nothing was done."""
        self._ended = True
        return data_event(encode({"error": openai_error(error)}))

    def _told(self, logprobs: Sequence[TokenLogprob]) -> object:
        if not logprobs:
            return None
        told = told_logprobs(logprobs, self._offset)
        self._offset += sum(len(one.token) for one in logprobs)
        return told

    def _chunk(self, text: str, logprobs: object, finish: str | None) -> bytes:
        choice = _choice(self._number, text, logprobs, finish)
        null_usage = b',"usage":null}' if self._include_usage else b"}"
        return data_event(self._prefix + b',"choices":[' + encode(choice) + b"]" + null_usage)


def render_completion(asked: Completion, answers: Sequence[Sequence[Delta]], head: Head) -> bytes:
    """Give the whole answer of all choices, in the order of their numbers."""
    choices: list[object] = []
    usages: list[Usage] = []
    for number, deltas in enumerate(answers):
        echoed = asked.echoed(number)
        spoken, finish = _spoken(deltas)
        text = "".join(one.text + one.refusal for one in spoken)
        odds = [token for one in spoken for token in one.logprobs]
        told = told_logprobs(odds, len(echoed)) if odds else None
        choices.append(_choice(number, echoed + text, told, finish_word(finish)))
        usages += [one.usage for one in deltas if one.usage is not None][-1:]
    shape = {**_envelope(head), "choices": choices}
    if usages:
        shape["usage"] = usage_json(summed(usages))
    return encode(shape)


def told_logprobs(logprobs: Sequence[TokenLogprob], offset: int) -> dict[str, object]:
    """Give tokens and their odds in the older form; `offset` is where their text begins."""
    offsets: list[int] = []
    for one in logprobs:
        offsets.append(offset)
        offset += len(one.token)
    return {
        "tokens": [one.token for one in logprobs],
        "token_logprobs": [one.logprob for one in logprobs],
        "top_logprobs": [dict(one.top) for one in logprobs],
        "text_offset": offsets,
    }


def finish_word(finish: Finish) -> str:
    """Give a finish in this form's words: it knows no tool calls."""
    return finish if finish in ("length", "content_filter") else "stop"


def summed(usages: Sequence[Usage]) -> Usage:
    """Give the usage of several answers as one."""
    return Usage(*(sum(counts) for counts in zip(*(_counts(one) for one in usages), strict=True)))


def _counts(usage: Usage) -> tuple[int, ...]:
    return tuple(getattr(usage, name) for name in Usage.__struct_fields__)


def _spoken(deltas: Sequence[Delta]) -> tuple[list[Delta], Finish]:
    """Give the steps up to the finish, and it."""
    spoken: list[Delta] = []
    for delta in deltas:
        spoken.append(delta)
        if delta.finish is not None:
            return spoken, delta.finish
    return spoken, "stop"


def _envelope(head: Head) -> dict[str, object]:
    return {
        "id": f"cmpl-{head.answer_id}",
        "object": "text_completion",
        "created": head.created_unix_s,
        "model": head.model,
    }


def _choice(number: int, text: str, logprobs: object, finish: str | None) -> dict[str, object]:
    return {"text": text, "index": number, "logprobs": logprobs, "finish_reason": finish}


def _prompts(fields: Fields) -> tuple[str, ...]:
    prompt = fields.value("prompt")
    if isinstance(prompt, str):
        return (prompt,)
    if isinstance(prompt, list) and prompt:
        if all(isinstance(one, str) for one in prompt):
            return fields.texts("prompt")
        if all(isinstance(one, int | list) and not isinstance(one, bool) for one in prompt):
            raise BadRequest(
                "`prompt` holds token ids, which only one model's tokenizer understands: send "
                "the text itself",
                field="prompt",
            )
    raise fields.wrong("prompt", "a string or a list of strings")


def _logprobs(fields: Fields, *, echo: bool) -> int | None:
    number = fields.tokens_or_none("logprobs")
    if number is not None and number > LOGPROBS_MAX:
        raise fields.wrong("logprobs", f"an integer from 0 to {LOGPROBS_MAX}")
    if number is not None and echo:
        raise BadRequest(
            "`logprobs` cannot be told of an echoed prompt: leave `echo` out", field="echo"
        )
    return number


def _how(fields: Fields, *, logprobs: int | None) -> Chat:
    return Chat(
        messages=(),
        output_tokens_max=fields.tokens_or_none("max_tokens"),
        temperature=fields.number_or_none("temperature"),
        top_p=fields.number_or_none("top_p"),
        stop=fields.texts("stop"),
        stream=fields.flag_or_none("stream") or False,
        seed=fields.integer_or_none("seed"),
        frequency_penalty=fields.number_or_none("frequency_penalty"),
        presence_penalty=fields.number_or_none("presence_penalty"),
        logprobs=logprobs,
        user=fields.text_or_none("user"),
    )
