"""Every shipped search space loads, and every configuration that it can draw is valid."""

import ast
from pathlib import Path

import pytest

from raymm.config import Config
from raymm.methods import FAMILIES
from raymm.models.fusion import FUSIONS
from raymm.sweep.space import load_space, resolve

SEARCHED = [family for family in FAMILIES if family != "reference"]
"""`reference` reproduces published code; it is no choice of design."""
FOLDER = Path(__file__).parents[1] / "tune_spaces"
SPACES = [
    *(f"{path.name}" for path in sorted(FOLDER.glob("*.py"))),
    "families.py:fm_families",
    "families.py:all_families",
    "fusion.py:fusion_grid",
    "optimiser.py:optimiser_with_fs",
]

OF_A_METHOD = {"cosine", "ensemble", "entropy"}
"""Fusions that were made for one method, and are no choice beside the others."""


def drawn(spec, count=20):
    """Configurations as Ray Tune would draw them."""
    from ray.tune.search.variant_generator import generate_variants

    space = load_space(str(FOLDER / spec))
    for seed in range(count):
        for _, values in generate_variants(space, random_state=seed):
            yield resolve(Config(), values)


@pytest.mark.parametrize("spec", SPACES)
def test_a_shipped_space_draws_valid_configurations(spec):
    configs = list(drawn(spec))
    assert len({config.fingerprint() for config in configs}) > 1


def family_of(settings):
    """("fs", "tanh") or ("fm", "tanh"); nothing where the method reads neither."""
    return next(((name, getattr(settings, name).name) for name in ("fs", "fm") if hasattr(settings, name)), ())


def test_the_grid_of_families_holds_each_family_once_and_the_controls():
    configs = list(drawn("families.py:all_families", 1))
    chosen = [(c.method.name, *family_of(c.method.settings)) for c in configs]
    assert sorted(chosen) == sorted(
        [
            ("joint",),
            ("random", "fs", "linear"),
            *(("sample", "fs", family) for family in SEARCHED),
            *(("modality", "fm", family) for family in SEARCHED),
        ]
    )
    assert len({config.fingerprint() for config in configs}) == len(configs)


def test_the_shipped_spaces_name_every_family_and_every_fusion():
    space = load_space(str(FOLDER / "fs_fm.py"))
    assert set(space["method.settings.fs.family"].categories) == set(SEARCHED)
    assert set(space["method.settings.fm.family"].categories) == set(SEARCHED)
    fusions = load_space(str(FOLDER / "fusion.py"))["model.fusion"]
    assert set(fusions.categories) == set(FUSIONS) - OF_A_METHOD


def test_smoke_is_two_configurations_of_one_method():
    assert len(load_space(str(FOLDER / "smoke.py"))) == 2
    assert len(list(drawn("smoke.py", 1))) == 2


def test_spaces_import_only_tune_and_each_other():
    own = {path.stem for path in FOLDER.glob("*.py")}
    for path in FOLDER.glob("*.py"):
        imports = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom)]
        assert {node.module for node in imports} <= {"ray", "typing", *own}
        assert not any(isinstance(node, ast.Import | ast.If) for node in ast.walk(ast.parse(path.read_text())))
