"""What this agent can do: a table of skills, each of which turns a message into work."""

from collections.abc import Iterable, Mapping

from .faults import Fault
from .reports import capabilities, costs, health, providers, quota
from .reports.report import reporting
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


def _all_skills() -> Iterable[Skill]:
    return SKILLS.values()


_DATA_OUT = ("text/plain", "application/json")
_REPORTS = (
    Skill(
        skill_id="quota-management",
        name="Quota management",
        description=(
            "Tells what is left of the providers' limits: a ranking, a summary with warnings, "
            "and combos that cost nothing (these need read:combos besides)."
        ),
        tags=("quota", "limits", "providers"),
        examples=("Which provider has the most quota left?", "Suggest a free combo."),
        input_modes=("text/plain",),
        output_modes=_DATA_OUT,
        begin=reporting(quota.tell, quota.needs),
        scopes=("read:quota",),
        repeatable=True,
    ),
    Skill(
        skill_id="cost-analysis",
        name="Cost analysis",
        description=(
            "Tells what this key's requests cost in a time, by provider, model, combo, key, day "
            "or hour, and what its budgets have left. Asks back when it does not know the time."
        ),
        tags=("cost", "usage", "budget"),
        examples=("What did I spend in the last 7 days by model?", "Cost at groq today?"),
        input_modes=("text/plain",),
        output_modes=_DATA_OUT,
        begin=reporting(costs.tell),
        scopes=("read:usage",),
        repeatable=True,
    ),
    Skill(
        skill_id="provider-discovery",
        name="Provider discovery",
        description=(
            "Finds providers and models by what they can do, cost or are called. Asks back "
            "when it has to know which model is meant."
        ),
        tags=("providers", "models", "catalogue"),
        examples=("Which models call tools?", "Who serves llama?", "The cheapest embeddings?"),
        input_modes=("text/plain",),
        output_modes=_DATA_OUT,
        begin=reporting(providers.tell),
        scopes=("read:models",),
        repeatable=True,
    ),
    Skill(
        skill_id="health-report",
        name="Health report",
        description=(
            "Tells which providers answer now, which rest and why, how this key's calls went in "
            "the last 24 hours, and what happened of late."
        ),
        tags=("health", "status", "providers"),
        examples=("Is everything up?", "How is groq doing?"),
        input_modes=("text/plain",),
        output_modes=_DATA_OUT,
        begin=reporting(health.tell),
        scopes=("read:health",),
        repeatable=True,
    ),
    Skill(
        skill_id="list-capabilities",
        name="List capabilities",
        description="Tells what this agent can do, and which of it the caller's key may use.",
        tags=("skills", "help"),
        examples=("What can you do?",),
        input_modes=("text/plain",),
        output_modes=_DATA_OUT,
        begin=reporting(capabilities.telling(_all_skills)),
        repeatable=True,
    ),
)

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
        *_REPORTS,
    )
}
