"""Finding things on a page by the names that assistive technology says, and clicking them.

Source: chromedevtools.github.io/devtools-protocol (tot): Accessibility, DOM and Input, read on
2026-11-23; WAI-ARIA 1.2 for the names of roles.
"""

from dataclasses import dataclass

from tests.browser.pipe import CommandRefused, Message
from tests.browser.window import Handle, Window

TICKED = ("checkbox", "menuitemcheckbox", "menuitemradio", "radio", "switch")
CLICKED = ("button", "DisclosureTriangle", "link", "menuitem", "option", "tab", *TICKED)
FILLED = ("textbox", "searchbox", "spinbutton", "combobox", "Date", "DateTime")
CHOSEN = ("combobox", "listbox")
ANY = (*CLICKED, *FILLED, *CHOSEN)

TEXT = "what => document.querySelector(what)?.innerText ?? null"
TEXTS = """what => {
  const found = [...document.querySelectorAll(what)];
  return found.length ? found.map(one => one.innerText).join('\\n') : null;
}"""
ATTRIBUTE = "(what, name) => document.querySelector(what)?.getAttribute(name) ?? null"
SIDEWAYS = """() => {
  const page = document.scrollingElement;
  return Math.max(0, page.scrollWidth - page.clientWidth);
}"""
CHOOSE = """(list, text) => {
  const option = [...list.options].find(one => one.label.trim() === text);
  if (!option) return [...list.options].map(one => one.label.trim());
  list.focus();
  list.value = option.value;
  option.selected = true;
  list.dispatchEvent(new Event('input', {bubbles: true}));
  list.dispatchEvent(new Event('change', {bubbles: true}));
  return true;
}"""
_WITHIN = """(thing, words) => {
  const parts = 'tr, li, article, section, form, fieldset, dialog, details, aside, nav, header, '
    + 'footer, main, [role=row], [role=group], [role=region], [role=dialog], [role=tabpanel]';
  for (let part = thing.parentElement?.closest(parts); part;
       part = part.parentElement?.closest(parts)) {
    if (part.innerText.includes(words)) return part.innerText.length;
  }
  return null;
}"""
_REACHABLE = """(thing, x, y) => {
  let top = document.elementFromPoint(x, y);
  if (thing.matches(':disabled') || thing.getAttribute('aria-disabled') === 'true') {
    return 'it is disabled';
  }
  if (top && (thing.contains(top) || top.contains(thing) && top.tagName === 'LABEL')) return '';
  const labels = [...(thing.labels ?? [])];
  if (top && labels.some(label => label.contains(top))) return '';
  return top ? `<${top.tagName.toLowerCase()} class="${top.className}"> lies over it`
             : 'it is outside the window';
}"""


@dataclass(frozen=True, slots=True)
class Thing:
    """Something on the page with a role and a name."""

    handle: Handle
    role: str
    name: str
    checked: bool


def find(window: Window, name: str, roles: tuple[str, ...], within: str) -> Thing:
    """Give the one thing of this name, as soon as there is one.

    Raises:
        NotSeen: there never was.
        AssertionError: there are several.
    """
    where = f" within {within!r}" if within else ""

    def found() -> list[Thing] | None:
        return look(window, name, roles, within) or None

    things = window.until(found, f"a {' or '.join(roles)} called {name!r}{where}")
    assert len(things) == 1, f"{len(things)} things are called {name!r}{where}; say within what"
    return things[0]


def look(window: Window, name: str, roles: tuple[str, ...], within: str) -> list[Thing]:
    """Give the things of this name that are there now; within words, the nearest to them."""
    try:
        document = window.handle("() => document")
        nodes = window.call("Accessibility.queryAXTree", objectId=document, accessibleName=name)
        seen = [node for node in nodes["nodes"] if _is_there(node, roles)]
        things = [_thing(window, node) for node in seen]
        if not within:
            return things
        sizes = [window.run(_WITHIN, thing.handle, within) for thing in things]
    except CommandRefused:
        # The page was changed while it was looked at: the next look sees what it became.
        return []
    inside = [(size, thing) for size, thing in zip(sizes, things, strict=True) if size is not None]
    nearest = min((size for size, _ in inside), default=0)
    return [thing for size, thing in inside if size == nearest]


def click(window: Window, thing: Thing) -> None:
    """Click at the middle of a thing, once nothing lies over it."""

    def place() -> tuple[float, float] | None:
        try:
            x, y = _middle(window, thing)
        except CommandRefused:
            return None
        return None if window.run(_REACHABLE, thing.handle, x, y) else (x, y)

    x, y = window.until(place, f"{thing.role} {thing.name!r} can be clicked")
    window.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
    for kind in ("mousePressed", "mouseReleased"):
        window.call(
            "Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", buttons=1, clickCount=1
        )


def focused(window: Window) -> str:
    """Give the name of what has the focus."""
    active = window.handle("() => document.activeElement")
    if active is None:
        return ""
    (node, *_) = window.call(
        "Accessibility.getPartialAXTree", objectId=active, fetchRelatives=False
    )["nodes"]
    if node.get("role", {}).get("value") == "RootWebArea" or node.get("ignored"):
        return ""
    name: str = node.get("name", {}).get("value", "")
    return name


def _is_there(node: Message, roles: tuple[str, ...]) -> bool:
    return not node.get("ignored") and node.get("role", {}).get("value") in roles


def _thing(window: Window, node: Message) -> Thing:
    world = window.world()
    resolved = window.call(
        "DOM.resolveNode", backendNodeId=node["backendDOMNodeId"], executionContextId=world
    )
    states = {one["name"]: one["value"].get("value") for one in node.get("properties", ())}
    return Thing(
        handle=Handle(resolved["object"]["objectId"]),
        role=node["role"]["value"],
        name=node["name"]["value"],
        checked=states.get("checked") in (True, "true"),
    )


def _middle(window: Window, thing: Thing) -> tuple[float, float]:
    window.call("DOM.scrollIntoViewIfNeeded", objectId=str(thing.handle))
    quads = window.call("DOM.getContentQuads", objectId=str(thing.handle))["quads"]
    corners = quads[0]
    return sum(corners[0::2]) / 4, sum(corners[1::2]) / 4
