"""What this agent can do: a table of skills, each of which turns a message into work."""

from collections.abc import Mapping

from .faults import Fault
from .smart_routing import IMAGE_TYPES, begin_routing
from .task import SMART_ROUTING
from .work import Skill


def skill_named(skill_id: str) -> Skill:
    """Give a skill.

    Raises:
        Fault: there is none of that name.
    """
    skill = SKILLS.get(skill_id)
    if skill is None:
        known = ", ".join(SKILLS)
        raise Fault("unknown_skill", f"no skill {skill_id[:64]!r} here; known are {known}")
    return skill


SKILLS: Mapping[str, Skill] = {
    skill.skill_id: skill
    for skill in (
        Skill(
            skill_id=SMART_ROUTING,
            name="Smart routing",
            description=(
                "Answers a message with the model that suits it at a provider that is up, "
                "falls back when one fails, keeps to a budget, and tells how it chose. "
                "Metadata may name a model or a combo, a budget in US dollars and a role. "
                "A message of a known context goes on with its conversation."
            ),
            tags=("routing", "chat", "llm", "fallback", "cost"),
            examples=("Write a haiku about routers.", "Explain this stack trace."),
            input_modes=("text/plain", *IMAGE_TYPES),
            output_modes=("text/plain",),
            begin=begin_routing,
            scopes=("write:route",),
            continues=True,
        ),
    )
}
