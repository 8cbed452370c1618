"""Mutation testing: `make mutation`, or `python -m tests.chaos.mutation PYTHON [--sample N] [MODULE ...]`.

PYTHON is one that has cosmic-ray, whose operators change a copy of the package in one place at a time; the tests of
the module (`tests/chaos/areas.py`) must fail. Each change is tried in a forked process (`tests/chaos/warm.py`), with
a limit of time and memory; to go past it counts as found. With `--sample N`, N changes of each area are drawn by a
seed, all alike; what is no Python is left out.

Of each area and module it prints how many changes were found, Wilson's interval of the share at 95 %, and each change
that was neither found nor explained (`tests/chaos/survivors.py`). Results are kept in `.mutation/`: what was found is
not tried again while the module stays as it is; what was not, is.
"""

import argparse
import hashlib
import json
import random
import shutil
import subprocess
import sys
from pathlib import Path

from tests.chaos.areas import AREAS
from tests.chaos.survivors import reason
from tests.chaos.warm import Forks

__all__ = ["interval", "main"]

ROOT = Path(__file__).parents[2]
WORK = ROOT / ".mutation"


def copy():
    """The copy that is changed, as the package and its tests are now."""
    for name in ("raymm", "tests", "docs"):
        shutil.rmtree(WORK / name, ignore_errors=True)
        shutil.copytree(ROOT / name, WORK / name)
    shutil.copy(ROOT / "pyproject.toml", WORK)


def listed(python, module, *ids):
    """Changes of a module; with ids, those with their sources."""
    command = [python, str(ROOT / "tests" / "chaos" / "mutants.py"), str(WORK / module), *ids]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    return [json.loads(line) for line in lines]


def drawn(python, area, modules, sample):
    """Changes of an area by module; with a sample, about as many of all of them, drawn by the name of the area."""
    pairs = [(module, change["id"]) for module in modules for change in listed(python, module)]
    if sample is not None:
        pairs = random.Random(area).sample(pairs, min(sample, len(pairs)))
    ids = {module: [one for other, one in pairs if other == module] for module in modules}
    return {module: listed(python, module, *some) if some else [] for module, some in ids.items()}


class Found:
    """Changes of a module that were found before, kept in a file; none where the module is another by now."""

    def __init__(self, module):
        source = hashlib.sha256((WORK / module).read_bytes()).hexdigest()
        self.file = WORK / "found" / f"{module.replace('/', '.')}.{source[:16]}.txt"
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self.ids = set(self.file.read_text().split()) if self.file.exists() else set()

    def add(self, changes):
        """Keep more."""
        self.ids |= changes
        self.file.write_text("".join(f"{one}\n" for one in sorted(self.ids)))


def described(module, change):
    """The line that a change makes, and how it was."""
    before = (WORK / module).read_text(encoding="utf-8").splitlines()
    after = change["source"].splitlines()
    place = next((i for i, (old, new) in enumerate(zip(before, after, strict=False)) if old != new), len(after))
    return place + 1, before[place].strip(), after[place].strip() if place < len(after) else ""


def tried(forks, module, tests, changes):
    """Ids of the changes that no test saw."""
    found = Found(module)
    todo = [change for change in changes if change["id"] not in found.ids]
    if todo:
        print(f"{module}: {len(todo)} changes to try", flush=True)
        found.add(forks.try_all(module, tests, todo))
    return {change["id"] for change in changes} - found.ids


def interval(found, total):
    """Wilson's interval of a share at 95 %."""
    if total == 0:
        return 0.0, 1.0
    z, share = 1.959964, found / total
    middle, spread = (
        share + z * z / (2 * total),
        z * (share * (1 - share) / total + z * z / (4 * total * total)) ** 0.5,
    )
    return (middle - spread) / (1 + z * z / total), (middle + spread) / (1 + z * z / total)


def row(name, made, found, explained):
    """A line of the table."""
    low, high = interval(found, made - explained)
    share = f"{100 * found / max(made - explained, 1):.1f} %"
    return f"| {name} | {made} | {found} | {explained} | {share} | {100 * low:.1f} to {100 * high:.1f} % |"


def module_counts(forks, module, tests, changes):
    """How many changes there are of a module, were found, and were not but are explained; the others are shown."""
    alive = tried(forks, module, tests.split(), changes)
    shown = [described(module, change) for change in changes if change["id"] in alive]
    why = [reason(module, old, new) for _, old, new in shown]
    for (line, old, new), one in zip(shown, why, strict=True):
        if one is None:
            print(f"  not found: {module}:{line}\n    - {old}\n    + {new}", flush=True)
    counts = len(changes), len(changes) - len(alive), sum(one is not None for one in why)
    print(row(f"`{module}`", *counts), flush=True)
    return counts


def main(arguments):
    """Try what is named, or all; print the table of areas."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.mutation")
    parser.add_argument("python")
    parser.add_argument("--sample", type=int)
    parser.add_argument("modules", nargs="*")
    given = parser.parse_intermixed_args(arguments)
    WORK.mkdir(exist_ok=True)
    copy()
    forks, lines = Forks(WORK), []
    for area, modules in AREAS.items():
        chosen = [module for module in modules if module in given.modules or not given.modules]
        changes = drawn(given.python, area, chosen, given.sample)
        counts = [module_counts(forks, module, modules[module], made) for module, made in changes.items() if made]
        if counts:
            lines.append(row(area, *(sum(column) for column in zip(*counts, strict=True))))
            print(lines[-1], flush=True)
    print("| area | changes | found | explained | share found | 95 % interval |\n|---|---|---|---|---|---|")
    print("\n".join(lines))


if __name__ == "__main__":
    main(sys.argv[1:])
