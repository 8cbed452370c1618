"""Mutation testing with cosmic-ray: `make mutation`, or `python -m tests.chaos.mutation COSMIC_RAY [MODULE ...]`.

A copy of the package is changed in one place at a time, and the tests of the module must fail. Of each module it
prints how many changes were found, and each one that was not. A session is kept in `.mutation/`, so that a run that
was stopped goes on.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

__all__ = ["TESTS", "main"]

ROOT = Path(__file__).parents[2]
WORK = ROOT / ".mutation"
TIMEOUT_S = 60
TESTS = {
    "raymm/methods/plan.py": "tests/methods/test_plan.py",
    "raymm/methods/functions.py": "tests/methods/test_functions.py",
    "raymm/methods/extra_rows.py": "tests/methods/test_methods.py tests/methods/test_reference.py",
    "raymm/methods/modality.py": "tests/methods/test_methods.py tests/methods/test_reference.py",
    "raymm/methods/sample.py": "tests/methods/test_methods.py tests/methods/test_reference.py",
    "raymm/valuation/exact.py": "tests/valuation/test_exact.py tests/valuation/test_axioms.py",
    "raymm/valuation/bits.py": "tests/valuation/test_bits.py",
    "raymm/valuation/coalitions.py": "tests/valuation/test_exact.py tests/valuation/test_enumeration.py",
    "raymm/valuation/sampling/budget.py": "tests/valuation/test_sampling.py",
    "raymm/valuation/sampling/estimator.py": "tests/valuation/test_sampling.py",
    "raymm/valuation/table.py": "tests/valuation/test_table.py",
    "raymm/storage/directory.py": "tests/storage",
    "raymm/training/checkpoint.py": "tests/training/test_resume.py tests/training/test_integrity.py",
}
"""Modules whose numbers or commits everything else rests on, and tests that are quick enough to run each time."""

CONFIG = """[cosmic-ray]
module-path = "{module}"
timeout = {timeout}
excluded-modules = []
test-command = "{python} -m pytest -x -q -p no:cacheprovider -p no:randomly -m 'not ray and not slow' {tests}"
[cosmic-ray.distributor]
name = "local"
"""


def copy():
    """The copy that is changed; made once."""
    if (WORK / "pyproject.toml").exists():
        return
    WORK.mkdir(exist_ok=True)
    for name in ("raymm", "tests"):
        shutil.copytree(ROOT / name, WORK / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", WORK)


def session_of(command, module):
    """The session of a module, with its changes listed."""
    stem = module.replace("/", "_").removesuffix(".py")
    config, session = WORK / f"{stem}.toml", WORK / f"{stem}.sqlite"
    if not session.exists():
        values = {"module": module, "timeout": TIMEOUT_S, "python": sys.executable, "tests": TESTS[module]}
        config.write_text(CONFIG.format(**values))
        subprocess.run([command, "init", config.name, session.name], cwd=WORK, check=True)
    return config, session


def results(command, session):
    """Changes that were tried, with their outcomes."""
    dumped = subprocess.run([command, "dump", session.name], cwd=WORK, check=True, capture_output=True, text=True)
    return [json.loads(line) for line in dumped.stdout.splitlines()]


def show(module, tried):
    """One line of the score, and one for each change that no test saw."""
    done = [(item, result) for item, result in tried if result is not None]
    alive = [item for item, result in done if result["test_outcome"] == "survived"]
    print(f"{module}: {len(done) - len(alive)} of {len(done)} found, {len(tried) - len(done)} not tried")
    for item in alive:
        for change in item["mutations"]:
            place = f"{change['module_path']}:{change['start_pos'][0]}"
            print(f"  not found: {place} {change['operator_name'].removeprefix('core/')} {change['occurrence']}")


def main(arguments):
    """Run what is named, or all."""
    command, *modules = arguments
    copy()
    for module in modules or TESTS:
        config, session = session_of(str(Path(command).absolute()), module)
        subprocess.run([command, "exec", config.name, session.name], cwd=WORK, check=True)
        show(module, results(command, session))


if __name__ == "__main__":
    main(sys.argv[1:])
