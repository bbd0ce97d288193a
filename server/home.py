"""The page at /: what runs here, for a person who opens the gateway's address."""

from collections.abc import Sequence
from html import escape

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>OmniRoute</title>
<style>
:root {{ color-scheme: light dark; }}
body {{
  font: 1rem/1.5 system-ui, sans-serif;
  max-width: 46rem; margin: 3rem auto; padding: 0 1rem;
}}
h1 {{ font-size: 1.5rem; margin-bottom: 0; }}
table {{ border-collapse: collapse; width: 100%; margin: 1.5rem 0; }}
th, td {{ text-align: left; padding: .4rem .8rem .4rem 0; vertical-align: top; }}
th {{ font-weight: 600; white-space: nowrap; }}
code, pre {{ font-family: ui-monospace, monospace; font-size: .9em; }}
pre {{
  padding: 1rem; overflow-x: auto; border-radius: .4rem;
  border: 1px solid color-mix(in srgb, currentColor 25%, transparent);
}}
</style>
<h1>OmniRoute {version} is running</h1>
<p>{answers}</p>
<p><a href="/dashboard">Open the dashboard</a></p>
<table>
{rows}
</table>
<p>A first request:</p>
<pre>{example}</pre>
</html>
"""


def page(*, version: str, url: str, providers: Sequence[str], key_needed: bool) -> str:
    """Give the page.

    Args:
        version: ours.
        url: where clients reach the gateway.
        providers: the names of the real providers that have an account.
        key_needed: whether a request from this machine needs a key.
    """
    answers = _answers(providers)
    if key_needed:
        # Strangers read this, too, and which providers there are is none of their business.
        answers = "Every request needs a key of this gateway."
    rows = (
        ("OpenAI clients", f"{url}/v1"),
        ("Anthropic's, Google's and Ollama's clients", url),
        ("MCP", f"{url}/mcp"),
        ("A2A", f"{url}/a2a"),
        ("Agent card", f"{url}/.well-known/agent-card.json"),
        ("Models", f"{url}/v1/models"),
        ("API document", f"{url}/openapi.json"),
        ("Health", f"{url}/health"),
    )
    table = "\n".join(
        f"<tr><th scope=row>{escape(name)}</th><td><code>{escape(value)}</code></td></tr>"
        for name, value in rows
    )
    return _PAGE.format(
        version=escape(version),
        answers=escape(answers),
        rows=table,
        example=escape(first_request(url, key_needed=key_needed)),
    )


def _answers(providers: Sequence[str]) -> str:
    if providers:
        return "Requests are answered by " + ", ".join(providers) + "."
    return (
        "No provider is set up: the built-in simulator answers. Set a provider's key, such as "
        "OPENAI_API_KEY, or run omniroute providers add."
    )


def first_request(url: str, *, key_needed: bool) -> str:
    """Give a curl command that works as it is typed."""
    key = "  -H 'Authorization: Bearer sk-omni-...' \\\n" if key_needed else ""
    return (
        f"curl {url}/v1/chat/completions \\\n"
        "  -H 'Content-Type: application/json' \\\n"
        f"{key}"
        '  -d \'{"model": "auto", "messages": [{"role": "user", "content": "Say hello"}]}\''
    )
