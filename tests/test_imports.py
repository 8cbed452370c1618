"""How the modules of raymm import each other: in no circle, and in chains of at most twelve.

Counted are imports that run, also those inside functions; not those that only type checkers read.
"""

import ast
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).parents[1]
LONGEST = 12


def name_of(file):
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(file): file for file in (ROOT / "raymm").rglob("*.py")}


def running(node):
    """All nodes below one, without what stands under `if TYPE_CHECKING`."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test):
            continue
        yield child
        yield from running(child)


def imported(file):
    found = set()
    for node in running(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {
                full if (full := f"{node.module}.{alias.name}") in MODULES else node.module for alias in node.names
            }
    return (found & MODULES.keys()) - {name_of(file)}


GRAPH = {name: imported(file) for name, file in MODULES.items()}


def test_no_circle_of_any_size():
    assert set(TopologicalSorter(GRAPH).static_order()) == MODULES.keys()  # raises CycleError, with the circle


def test_chains_are_short():
    @cache
    def chain(name):
        below = max((chain(other) for other in sorted(GRAPH[name])), key=len, default=())
        return (name, *below)

    longest = max(map(chain, GRAPH), key=len)
    assert len(longest) <= LONGEST, " > ".join(longest)


def test_the_graph_sees_imports_inside_functions_and_ignores_those_of_types():
    assert "raymm.sweep.driver" in GRAPH["raymm.api.sweep"]  # inside a function
    assert "raymm.training.backends" not in GRAPH["raymm.training.context"]  # for types only
