"""list-capabilities: the skills of this agent, and which of them the caller's key may use."""

from collections.abc import Callable, Iterable

from omniroute.routing.access import ADMIN
from omniroute.routing.model import Caller
from omniroute.routing.views import Views

from ..work import Skill
from .report import Question, Tell, Told
from .words import lines, plural


def telling(skills: Callable[[], Iterable[Skill]]) -> Tell:
    """Give what tells of these skills."""

    async def tell(view: Views, question: Question) -> Told:
        rows = list(skills())
        asked = [one for one in rows if one.skill_id in question.text.lower()] or rows
        said = [
            f"{one.skill_id}: {one.description}"
            + ("" if _may_use(one, question.caller) else f" (needs {', '.join(one.scopes)})")
            for one in asked
        ]
        data = {
            "queryType": "capabilities",
            "totalSkills": len(rows),
            "skills": [
                {
                    "id": one.skill_id,
                    "name": one.name,
                    "description": one.description,
                    "tags": list(one.tags),
                    "examples": list(one.examples),
                    "inputModes": list(one.input_modes),
                    "outputModes": list(one.output_modes),
                    "scopes": list(one.scopes),
                    "allowed": _may_use(one, question.caller),
                }
                for one in asked
            ],
        }
        return Told(lines(f"{plural(len(rows), 'skill')}:", said, most=len(said)), data)

    return tell


def _may_use(skill: Skill, caller: Caller) -> bool:
    return ADMIN in caller.scopes or caller.scopes.issuperset(skill.scopes)
