"""`import raymm`: what it offers, and what it loads."""

import ast
import inspect
import json
import subprocess
import sys
from pathlib import Path

import pytest

import raymm

HEAVY = ("torch", "ray", "mlflow", "pandas", "matplotlib", "pyarrow", "numpy", "pydantic", "click", "av", "cv2")


def loaded_by(program):
    words = f"{program}\nimport sys, json; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


def test_importing_raymm_loads_nothing_heavy():
    before = loaded_by("")  # an environment may load some at its start
    found = loaded_by("import raymm; assert raymm.__version__; dir(raymm)") - before
    assert not found & set(HEAVY)
    assert {name for name in found if name.startswith("raymm")} == {"raymm"}


def test_using_a_name_loads_its_module_and_no_ray():
    found = loaded_by("import raymm; raymm.train; raymm.prepare")
    assert {"raymm.api.train", "raymm.api.prepare", "torch"} <= found
    assert not found & {"ray", "mlflow"}


def test_stubs_and_table_name_the_same():
    tree = ast.parse(Path(raymm.__file__).with_suffix(".pyi").read_text())
    imports = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
    stubbed = {alias.asname: node.module for node in imports for alias in node.names}
    assert stubbed == raymm.PUBLIC


@pytest.mark.parametrize("name", raymm.PUBLIC)
def test_every_public_name_is_there_is_listed_and_says_what_it_is(name):
    found = getattr(raymm, name)
    assert name in dir(raymm)
    assert name in raymm.__all__
    assert len(inspect.getdoc(found)) > 20
    if inspect.isfunction(found):
        assert ">>> " in inspect.getdoc(found)


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'raymm' has no attribute 'trian'"):
        raymm.trian  # noqa: B018


def test_the_stub_is_installed():
    import tomllib

    settings = tomllib.loads((Path(raymm.__file__).parents[1] / "pyproject.toml").read_text())
    assert "*.pyi" in settings["tool"]["setuptools"]["package-data"]["raymm"]
