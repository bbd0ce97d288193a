"""One prompt in each dialect: the body that asks it, the text that answers it, and the code.

Sources: the vendors' references of these endpoints and of their Python SDKs, as the tests of
their SDKs hold them (tests/sdks); read 2026-11.
"""

import json
import shlex
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from omniroute.routing.model import Dialect

TOKENS_WHEN_UNSAID = 1_024
"""What Anthropic's dialect has to be told where nothing is said of it."""
PATHS: dict[Dialect, str] = {
    "openai_chat": "/v1/chat/completions",
    "anthropic": "/v1/messages",
    "openai_responses": "/v1/responses",
}
KEY = "sk-omni-..."


@dataclass(frozen=True, slots=True)
class Prompt:
    """What is asked.

    Attributes:
        tokens: of the answer at most; None leaves that to the gateway.
    """

    model: str
    text: str
    system: str = ""
    tokens: int | None = None


def place_of(dialect: Dialect, model: str, *, stream: bool) -> tuple[str, str]:
    """Give the path and the query that a model is asked at."""
    if dialect != "gemini":
        return PATHS[dialect], ""
    method = "streamGenerateContent" if stream else "generateContent"
    return f"/v1beta/models/{model}:{method}", "alt=sse" if stream else ""


def body_of(dialect: Dialect, prompt: Prompt, *, stream: bool) -> dict[str, Any]:
    """Give the body that asks a prompt."""
    if dialect == "gemini":
        return _gemini(prompt)
    if dialect == "openai_responses":
        said: dict[str, Any] = {"model": prompt.model, "input": prompt.text}
        system, tokens = "instructions", "max_output_tokens"
    else:
        turn = {"role": "user", "content": prompt.text}
        said = {"model": prompt.model, "messages": [turn]}
        system, tokens = "system", "max_tokens"
    if dialect == "openai_chat":
        tokens = "max_completion_tokens"
        if prompt.system:
            said["messages"].insert(0, {"role": "system", "content": prompt.system})
    elif prompt.system:
        said[system] = prompt.system
    if prompt.tokens is not None or dialect == "anthropic":
        said[tokens] = prompt.tokens or TOKENS_WHEN_UNSAID
    return {**said, "stream": True} if stream else said


def _gemini(prompt: Prompt) -> dict[str, Any]:
    said: dict[str, Any] = {"contents": [{"role": "user", "parts": [{"text": prompt.text}]}]}
    if prompt.system:
        said["systemInstruction"] = {"parts": [{"text": prompt.system}]}
    if prompt.tokens is not None:
        said["generationConfig"] = {"maxOutputTokens": prompt.tokens}
    return said


def text_of(dialect: Dialect, body: bytes) -> str:
    """Give the text of a whole answer, or why there is none; other parts are shown as they are."""
    try:
        told = json.loads(body)
    except ValueError:
        return body.decode("utf-8", "replace")
    found = _texts(dialect, told) if isinstance(told, dict) else []
    texts = [one for one in found if isinstance(one, str) and one]
    return "".join(texts) or json.dumps(told, indent=2, ensure_ascii=False)


def _texts(dialect: Dialect, told: dict[str, Any]) -> list[Any]:
    if "error" in told and isinstance(told["error"], dict):
        return [told["error"].get("message")]
    if dialect == "openai_chat":
        return [one.get("message", {}).get("content") for one in told.get("choices", ())]
    if dialect == "anthropic":
        return [one.get("text") for one in told.get("content", ())]
    if dialect == "openai_responses":
        items = (item.get("content") or () for item in told.get("output", ()))
        return [part.get("text") for parts in items for part in parts]
    turns = (one.get("content", {}).get("parts", ()) for one in told.get("candidates", ()))
    return [part.get("text") for parts in turns for part in parts]


def curl(dialect: Dialect, prompt: Prompt, url: str) -> str:
    """Give the command that asks a prompt, as it is typed into a shell."""
    path, query = place_of(dialect, quote(prompt.model, safe="/"), stream=False)
    header = {"anthropic": "x-api-key: ", "gemini": "x-goog-api-key: "}.get(
        dialect, "Authorization: Bearer "
    )
    body = json.dumps(body_of(dialect, prompt, stream=False), ensure_ascii=False)
    lines = [
        f"curl {shlex.quote(url + path + (f'?{query}' if query else ''))}",
        "-H 'Content-Type: application/json'",
        f"-H '{header}{KEY}'",
        f"-d {shlex.quote(body)}",
    ]
    return " \\\n  ".join(lines)


def python(dialect: Dialect, prompt: Prompt, url: str) -> str:
    """Give the lines that ask a prompt with the vendor's own SDK."""
    body = body_of(dialect, prompt, stream=False)
    if dialect == "gemini":
        return _python_of_gemini(prompt, url)
    package, made, call, told = {
        "openai_chat": (
            "from openai import OpenAI",
            f"OpenAI(base_url={f'{url}/v1'!r}, api_key={KEY!r})",
            "client.chat.completions.create",
            "answer.choices[0].message.content",
        ),
        "openai_responses": (
            "from openai import OpenAI",
            f"OpenAI(base_url={f'{url}/v1'!r}, api_key={KEY!r})",
            "client.responses.create",
            "answer.output_text",
        ),
        "anthropic": (
            "from anthropic import Anthropic",
            f"Anthropic(base_url={url!r}, api_key={KEY!r})",
            "client.messages.create",
            "answer.content[0].text",
        ),
    }[dialect]
    arguments = "".join(f"    {name}={value!r},\n" for name, value in body.items())
    return f"{package}\n\nclient = {made}\nanswer = {call}(\n{arguments})\nprint({told})"


def _python_of_gemini(prompt: Prompt, url: str) -> str:
    config: dict[str, object] = {}
    if prompt.system:
        config["system_instruction"] = prompt.system
    if prompt.tokens is not None:
        config["max_output_tokens"] = prompt.tokens
    more = f"    config={config!r},\n" if config else ""
    return (
        "from google import genai\n\n"
        f"client = genai.Client(api_key={KEY!r}, http_options={{'base_url': {url!r}}})\n"
        "answer = client.models.generate_content(\n"
        f"    model={prompt.model!r},\n    contents={prompt.text!r},\n{more})\nprint(answer.text)"
    )
