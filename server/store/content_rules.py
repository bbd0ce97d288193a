"""The rules of content guards, kept as one setting."""

import msgspec

from omniroute.routing.content import ContentRule, ContentRules

CONTENT = "content_guards"
"""The setting that holds them."""


def content_rules_of(value: object, problems: list[str]) -> ContentRules | None:
    """Give the rules in force, None where nothing is looked at.

    Under rules that cannot be read nothing passes that a guard finds, and it is said.
    """
    try:
        found = ContentRules() if value is None else msgspec.convert(value, ContentRules)
    except msgspec.ValidationError as error:
        problems.append(f"the setting {CONTENT!r} cannot be used: {error}")
        return ContentRules(ContentRule(requests="block", answers="block"))
    return found if found.touches else None
