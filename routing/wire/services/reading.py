"""From a client's body of what is no chat to an operation: what a decision and a budget read.

Each endpoint is one row: its kind, and a function that says how much is asked for. Everything
that a provider may bill has its bound here: tokens in and out, and units (see docs/glossary.md).
The bounds are on what can be seen of a request; where a provider alone knows more, such as how
long a sound is, the least that its bytes can hold is taken.
"""

from collections.abc import Callable
from dataclasses import dataclass

from ...errors import BadRequest
from ...model import Capability, Dialect, Features, Operation
from ..features import BYTES_PER_TOKEN, TEMPLATE_TOKENS_MAX
from ..fields import Fields, body_fields
from ..splice import splice_field, splice_model
from . import gemini_embeddings
from .form import Form, form_in, form_of, is_form
from .sounds import seconds_max
from .steps import Asked, Made, body_of

MODERATION_MODEL = "omni-moderation-latest"
"""What a moderation without a model asks for. Source: OpenAI API reference, read 2026-11."""

IMAGES_MAX = 10
IMAGE_TOKENS_MAX = 8_192
"""Output tokens of one image; OpenAI's largest has 6,240 (guide on image generation, 2026-11)."""
SPEECH_TOKENS_PER_CHARACTER_MAX = 4
HEARD_TOKENS_PER_SECOND_MAX = 25
WRITTEN_TOKENS_PER_SECOND_MAX = 15
SEARCH_DOCUMENTS = 100
SEARCH_DOCUMENT_BYTES = 500
"""A search is a query with up to 100 documents; one of more than 500 tokens counts as several,
and no token is under a byte. Source: Cohere's pricing page, read 2026-11."""
DOCUMENTS_MAX = 10_000
INPUTS_MAX = 2_048
TOKEN_BYTES = 8

Read = Callable[[Fields], Features]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One way to ask for what is no chat.

    Attributes:
        path: below `/v1`.
        read: says how much a JSON body asks for; raises BadRequest.
        forms: it takes forms with files.
        only_forms: it takes nothing else.
        model: what is asked for where the body names no model; empty where the path names it.
        slow: whoever waits for it is told meanwhile that it is being made.
        dialect: of the client.
    """

    path: str
    kind: Capability
    read: Read
    forms: bool = False
    only_forms: bool = False
    model: str | None = None
    slow: bool = False
    dialect: Dialect = "openai_chat"


def operation_of(endpoint: Endpoint, body: bytes, content_type: bytes) -> tuple[str, Operation]:
    """Give the asked model and the operation of a body. The bytes are kept as they are.

    Raises:
        BadRequest: the body is not one of this endpoint.
    """
    if is_form(content_type):
        if not endpoint.forms:
            raise BadRequest(f"/v1/{endpoint.path} takes JSON, not a form")
        form = form_of(body, content_type)
        fields, features = _of_form(form)
    elif endpoint.only_forms:
        raise BadRequest(f"/v1/{endpoint.path} takes multipart/form-data, with a `file`")
    else:
        fields = body_fields(body)
        features = endpoint.read(fields)
    needed = endpoint.model is None
    named = fields.text("model") if needed else fields.text_or_none("model")
    if needed and not named:
        raise fields.wrong("model", "a model's name")
    operation = Operation(
        endpoint.kind,
        endpoint.dialect,
        body,
        features,
        model_in_body=named or "",
        endpoint=endpoint.path,
    )
    return named or endpoint.model or "", operation


def asked_of(operation: Operation, model: str) -> Asked:
    """Give what an adapter is asked, with the model's name in the body.

    Raises:
        BadRequest: the body cannot be written for another model.
    """
    body, named = operation.body, operation.model_in_body
    if operation.dialect == "gemini":
        return _of_gemini(operation, model)
    if body.startswith(b"--"):
        return _form_for(form_in(body), operation.endpoint, model)
    if named:
        body = splice_model(body, old=named, new=model)
    else:
        body = splice_field(body, "model", b'"%b"' % _plain(model))
    return Asked(operation.endpoint, model, body, fields=body_fields(body).values)


def answer_for(operation: Operation, made: Made) -> bytes:
    """Give an answer of OpenAI's shape in the client's.

    Raises:
        UpstreamFailure: it holds no embeddings, which the client has asked for.
    """
    if operation.dialect != "gemini":
        return made.body
    return gemini_embeddings.from_openai(
        made.body, batch=gemini_embeddings.is_batch(operation.body)
    )


def _of_gemini(operation: Operation, model: str) -> Asked:
    fields, hints = gemini_embeddings.to_openai(operation.body, model=model)
    return Asked(operation.endpoint, model, body_of(fields), fields=fields, hints=hints)


def _form_for(form: Form, endpoint: str, model: str) -> Asked:
    body = form.with_text("model", model)
    written = form_in(body)
    return Asked(endpoint, model, body, form.content_type, written.texts(), written.file())


def _plain(model: str) -> bytes:
    if not model.isascii() or not model.isprintable() or '"' in model or "\\" in model:
        raise BadRequest("the model's name has characters that cannot be written", field="model")
    return model.encode()


def _of_form(form: Form) -> tuple[Fields, Features]:
    fields, file = Fields(form.texts()), form.file()
    if file is None:
        raise BadRequest("the form has no file", field="file")
    stream = fields.value("stream") == "true"
    prompt = fields.text_or_none("prompt") or ""
    images = sum(part.content_type.startswith("image/") for part in form.parts)
    if images:
        return fields, _images_of(fields, prompt, stream=stream, images=images)
    seconds = seconds_max(file.data)
    return fields, _features(
        len(prompt.encode()) + seconds * HEARD_TOKENS_PER_SECOND_MAX,
        units=seconds,
        output_tokens_max=seconds * WRITTEN_TOKENS_PER_SECOND_MAX + TEMPLATE_TOKENS_MAX,
        stream=stream,
    )


def _features(
    size: int, *, units: int, output_tokens_max: int = 0, stream: bool = False
) -> Features:
    return Features(
        stream=stream,
        input_tokens=size // BYTES_PER_TOKEN or 1,
        input_tokens_max=size + TEMPLATE_TOKENS_MAX,
        output_tokens_max=output_tokens_max,
        units_max=max(units, 1),
    )


def _embeddings(fields: Fields) -> Features:
    match fields.value("input"):
        case str(text) if text:
            return _features(len(text.encode()), units=1)
        case [int(), *_] as tokens:
            return _features(_tokens(fields, tokens), units=1)
        case [str() | list(), *_] as items if len(items) <= INPUTS_MAX:
            size = sum(
                len(one.encode()) if isinstance(one, str) else _tokens(fields, one) for one in items
            )
            return _features(size + TEMPLATE_TOKENS_MAX * len(items), units=len(items))
        case _:
            raise fields.wrong("input", f"a text, tokens, or at most {INPUTS_MAX} of these")


def _tokens(fields: Fields, given: object) -> int:
    if not isinstance(given, list) or not all(type(one) is int and one >= 0 for one in given):
        raise fields.wrong("input", "a text, texts, tokens or lists of tokens")
    return len(given) * TOKEN_BYTES


def _gemini_embeddings(fields: Fields) -> Features:
    texts = gemini_embeddings.texts_of(fields)
    size = sum(len(text.encode()) + TEMPLATE_TOKENS_MAX for text in texts)
    return _features(size, units=len(texts))


def _moderations(fields: Fields) -> Features:
    given = fields.value("input")
    if not given or not isinstance(given, str | list):
        raise fields.wrong("input", "a text, texts, or a list of parts")
    items = [given] if isinstance(given, str) else given
    size = sum(len(str(one).encode()) for one in items)
    return _features(size, units=1)


def _rerank(fields: Fields) -> Features:
    query, given = fields.text("query"), fields.value("documents")
    if not isinstance(given, list) or not 0 < len(given) <= DOCUMENTS_MAX:
        raise fields.wrong("documents", f"a list of 1 to {DOCUMENTS_MAX} documents")
    if not all(isinstance(one, str | dict) for one in given):
        raise fields.wrong("documents", "a list of texts or of objects with a text")
    query_size = len(query.encode())
    sizes = [query_size + len(str(one).encode()) for one in given]
    counted = sum(-(-size // SEARCH_DOCUMENT_BYTES) for size in sizes)
    return _features(sum(sizes), units=-(-counted // SEARCH_DOCUMENTS))


def _images(fields: Fields) -> Features:
    prompt = fields.text("prompt")
    return _images_of(fields, prompt, stream=bool(fields.flag_or_none("stream")))


def _images_of(fields: Fields, prompt: str, *, stream: bool, images: int = 0) -> Features:
    # A form has it as text.
    given = str(fields.value("n") or "1")
    wanted = int(given) if given.isdecimal() else 0
    if not 1 <= wanted <= IMAGES_MAX:
        raise fields.wrong("n", f"an integer from 1 to {IMAGES_MAX}")
    return _features(
        len(prompt.encode()) + images * IMAGE_TOKENS_MAX,
        units=wanted,
        output_tokens_max=wanted * IMAGE_TOKENS_MAX,
        stream=stream,
    )


def _speech(fields: Fields) -> Features:
    text = fields.text("input")
    if not text:
        raise fields.wrong("input", "the text to speak")
    return _features(
        len(text.encode()),
        units=len(text),
        output_tokens_max=len(text) * SPEECH_TOKENS_PER_CHARACTER_MAX + TEMPLATE_TOKENS_MAX,
        stream=True,
    )


def _made_of_a_prompt(fields: Fields) -> Features:
    return _features(len(fields.text("prompt").encode()), units=1)


def _never(fields: Fields) -> Features:
    raise AssertionError("only forms are read here")


EMBEDDINGS = Endpoint("embeddings", "embedding", _embeddings)
ENDPOINTS: tuple[Endpoint, ...] = (
    EMBEDDINGS,
    Endpoint("moderations", "moderation", _moderations, model=MODERATION_MODEL),
    Endpoint("rerank", "rerank", _rerank),
    Endpoint("images/generations", "image", _images),
    Endpoint("images/edits", "image", _images, forms=True),
    Endpoint("audio/speech", "speech", _speech),
    Endpoint("audio/transcriptions", "transcription", _never, forms=True, only_forms=True),
    Endpoint("audio/translations", "transcription", _never, forms=True, only_forms=True),
    Endpoint("videos/generations", "video", _made_of_a_prompt, slow=True),
    Endpoint("music/generations", "music", _made_of_a_prompt, slow=True),
)

GEMINI_EMBEDDINGS = Endpoint(
    "embeddings", "embedding", _gemini_embeddings, model="", dialect="gemini"
)
"""As Gemini's clients ask: the model stands in the path."""
