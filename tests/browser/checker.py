"""The accessibility checker: axe-core, run beside the page's own script.

Source: github.com/dequelabs/axe-core, doc/API.md of 4.14, read on 2026-11-23.
"""

from functools import cache

from tests.browser import chromium
from tests.browser.pipe import Message
from tests.browser.window import Window

TAGS = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa")
_CHECK = """async tags => {
  const found = await globalThis.axe.run(document, {
    runOnly: {type: 'tag', values: tags},
    resultTypes: ['violations'],
  });
  return found.violations;
}"""


def faults(window: Window) -> list[str]:
    """Give what of WCAG 2.2, levels A and AA, a page fails: the rule, the element, the reason."""
    with window.script_enabled():
        if not window.run("() => 'axe' in globalThis"):
            window.call("Runtime.evaluate", expression=_script(), contextId=window.world())
        failed = window.run(_CHECK, list(TAGS))
    return [
        f"{rule['id']}: {node['html']} ({_reason(node)})"
        for rule in failed
        for node in rule["nodes"]
    ]


def _reason(node: Message) -> str:
    told = [check["message"] for kind in ("any", "all", "none") for check in node[kind]]
    return "; ".join(told)


@cache
def _script() -> str:
    return chromium.axe().read_text(encoding="utf-8")
