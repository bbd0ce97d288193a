"""Writes the mutants of a module, one JSON object a line: operator, line, before, after, source.

    python mutants.py FILE

The operators are cosmic-ray's, without those whose mutants say the same in other words (`==`
for `is`) or are told apart by nothing but an error (every arithmetic sign for every other), and
three that it lacks: a statement that is left out, a value that is not returned, `in` for
`not in`.
"""

import ast
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cosmic_ray.plugins
import parso
from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.operators.operator import Example, Operator

COMPARISONS = (
    *("Eq_NotEq", "NotEq_Eq", "Lt_LtE", "Lt_GtE", "LtE_Lt", "LtE_Gt"),
    *("Gt_GtE", "Gt_LtE", "GtE_Gt", "GtE_Lt", "Is_IsNot", "IsNot_Is"),
)
SIGNS = ("Add_Sub", "Sub_Add", "Mul_Add", "FloorDiv_Mul", "Div_Mul", "Mod_Mul", "BitOr_BitAnd")
SAME = ("None", "False")
"""What a test of its truth cannot tell from None."""
OTHERS = (
    *("AddNot", "ReplaceTrueWithFalse", "ReplaceFalseWithTrue", "ReplaceAndWithOr"),
    *("ReplaceOrWithAnd", "ReplaceBreakWithContinue", "ReplaceContinueWithBreak"),
    *("NumberReplacer", "ZeroIterationForLoop", "ReplaceUnaryOperator_Delete_Not"),
)


class LeftOut(Operator):
    """A call, an assignment to a part of something, or a raise that is not there."""

    def mutation_positions(self, node: Any) -> Iterator[tuple[Any, Any]]:
        """Give the place of a statement."""
        if node.type == "simple_stmt" and _can_be_left_out(node.children[0]):
            yield node.start_pos, node.end_pos

    def mutate(self, node: Any, index: int) -> Any:
        """Put `pass` in its place."""
        node.children[0] = _code(node.children[0], "pass")
        return node

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        """Give one."""
        return (Example("check(x)\n", "pass\n"),)


class NothingReturned(Operator):
    """A `return` of something that returns None.

    Not of False: what is asked for its truth alone says the same, and the types are checked.
    """

    def mutation_positions(self, node: Any) -> Iterator[tuple[Any, Any]]:
        """Give the place of a statement."""
        if node.type == "return_stmt" and node.children[1].get_code().strip() not in SAME:
            yield node.start_pos, node.end_pos

    def mutate(self, node: Any, index: int) -> Any:
        """Return None."""
        return _code(node, "return None")

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        """Give one."""
        return (Example("return x", "return None"),)


class InOrNot(Operator):
    """`in` where it says `not in`, and the other way round."""

    def mutation_positions(self, node: Any) -> Iterator[tuple[Any, Any]]:
        """Give the place of each such sign."""
        if node.type == "comparison":
            for sign in node.children[1::2]:
                if sign.get_code().split() in (["in"], ["not", "in"]):
                    yield sign.start_pos, sign.end_pos

    def mutate(self, node: Any, index: int) -> Any:
        """Replace the sign of that number."""
        signs = [
            place
            for place in range(1, len(node.children), 2)
            if node.children[place].get_code().split() in (["in"], ["not", "in"])
        ]
        is_in = node.children[signs[index]].get_code().split() == ["in"]
        node.children[signs[index]] = parso.parse(" not in" if is_in else " in")
        return node

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        """Give one."""
        return (Example("x in y", "x not in y"),)


def operators() -> Iterator[tuple[str, Operator]]:
    """Give every operator with its name."""
    for name in (
        *(f"ReplaceComparisonOperator_{one}" for one in COMPARISONS),
        *(f"ReplaceBinaryOperator_{one}" for one in SIGNS),
        *OTHERS,
    ):
        yield name, cosmic_ray.plugins.get_operator(f"core/{name}")()
    for own in (LeftOut, NothingReturned, InOrNot):
        yield own.__name__, own()


def mutants(source: str) -> Iterator[dict[str, Any]]:
    """Give every mutant that is a program and another one."""
    told, seen = ast.dump(ast.parse(source)), set[str]()
    for name, operator in operators():
        places = [
            start
            for node in ast_nodes(get_ast(source))
            for start, _ in operator.mutation_positions(node)
        ]
        for occurrence, start in enumerate(places):
            mutated = mutate_code(source, operator, occurrence)
            try:
                dumped = ast.dump(ast.parse(mutated))
            except SyntaxError:
                continue
            if dumped == told or dumped in seen:
                continue
            seen.add(dumped)
            before, after = _changed(source, mutated)
            if before.startswith("@dataclass(") or "(Struct, frozen=" in before:
                # Frozen, slotted, collected or not: the types are checked, and memory is measured.
                continue
            yield {
                "operator": name.removeprefix("Replace"),
                "line": start[0],
                "before": before,
                "after": after,
                "source": mutated,
            }


def _can_be_left_out(statement: Any) -> bool:
    if statement.type == "raise_stmt":
        return True
    if statement.type == "expr_stmt":
        # A name that is not bound any more is an error of its own.
        return statement.children[0].type in ("atom_expr", "power")
    return statement.type in ("atom_expr", "power", "await")


def _code(node: Any, text: str) -> Any:
    return parso.parse(node.get_first_leaf().prefix + text)


def _changed(source: str, mutated: str) -> tuple[str, str]:
    """Give the first line that differs, as it was and as it is."""
    for before, after in zip(source.splitlines(), mutated.splitlines(), strict=False):
        if before != after:
            return before.strip(), after.strip()
    return "", ""


def main() -> None:
    """Write the mutants of the file that is named."""
    for mutant in mutants(Path(sys.argv[1]).read_text(encoding="utf-8")):
        print(json.dumps(mutant))


if __name__ == "__main__":
    main()
