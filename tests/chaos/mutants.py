"""Lists the changes of a module that cosmic-ray's operators make, as JSON lines.

Usage: `PYTHON tests/chaos/mutants.py raymm/methods/plan.py [ID ...]`, with a Python that has cosmic-ray; with ids,
those with the changed source. Left out are changes that no run can show: those of annotations, of names for types,
and of what only type checkers read (`if TYPE_CHECKING`); with ids also what is no Python, or the same as before.
"""

import ast
import json
import sys
from pathlib import Path

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names

__all__ = ["made", "places", "unseen"]


def unseen(source):
    """Parts of a source that no run can show, as pairs of (line, column)."""
    parts = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            parts.append(node)
        elif isinstance(node, ast.arg | ast.AnnAssign) and node.annotation is not None:
            parts.append(node.annotation)
        elif isinstance(node, ast.FunctionDef) and node.returns is not None:
            parts.append(node.returns)
        elif isinstance(node, ast.Module):
            parts.extend(one.value for one in node.body if isinstance(one, ast.Assign) and _is_a_union(one.value))
    return [((part.lineno, part.col_offset), (part.end_lineno, part.end_col_offset)) for part in parts]


def _is_a_union(value):
    """Whether it is `A | B` of names, a name for types."""
    if isinstance(value, ast.BinOp) and isinstance(value.op, ast.BitOr):
        return _is_a_union(value.left) and _is_a_union(value.right)
    return isinstance(value, ast.Name | ast.Attribute)


def places(source):
    """Each change: operator and occurrence, and the lines of the function that it is in."""
    around = functions(source)
    nodes, hidden = list(ast_nodes(get_ast(source))), unseen(source)
    for name in operator_names():
        kind = get_operator(name)
        if kind.arguments() or name == "core/NoOp":
            continue
        spans = [span for node in nodes for span in kind().mutation_positions(node)]
        for occurrence, (start, end) in enumerate(spans):
            if not any(first <= start and end <= last for first, last in hidden):
                yield {"id": f"{name.removeprefix('core/')}:{occurrence}", "function": around(start[0])}


def made(source, ids):
    """The changes of these ids, with the changed source."""
    for place in places(source):
        if place["id"] in ids:
            name, _, occurrence = place["id"].partition(":")
            changed = _changed(source, get_operator(f"core/{name}")(), int(occurrence))
            if changed != source:
                yield {**place, "source": changed}


def functions(source):
    """First and last line of the outermost function whose body a line is in; None for a line outside of functions."""
    spans = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef):
            first = min([node.lineno, *(one.lineno for one in node.decorator_list)])
            spans.append((first, node.body[0].lineno, node.end_lineno))
    spans.sort()
    return lambda line: next(([first, last] for first, body, last in spans if body <= line <= last), None)


def _changed(source, operator, occurrence):
    """The changed source; the source itself where what comes out is no Python, or cosmic-ray makes nothing of it."""
    try:
        changed = mutate_code(source, operator, occurrence) or source
        compile(changed, "changed", "exec")
    except (AttributeError, SyntaxError):  # `except module.Error` is one that cosmic-ray has no way to change
        return source
    return changed


if __name__ == "__main__":
    text = Path(sys.argv[1]).read_text(encoding="utf-8")
    for change in made(text, set(sys.argv[2:])) if sys.argv[2:] else places(text):
        sys.stdout.write(json.dumps(change) + "\n")
