"""The examples in docstrings are true, and the public functions of the packages that people call have one."""

import doctest
from importlib import import_module
from inspect import isfunction
from pkgutil import walk_packages

import pytest

import raymm
from raymm.config.registries import FAMILIES, METHODS, UTILITIES

FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
SERVED = "raymm.tracking.mlflow.served"
"""MLflow runs this file as a model; importing it elsewhere sets one."""

MODULES = sorted(
    name
    for _, name, _ in walk_packages(raymm.__path__, "raymm.")
    if name not in {SERVED, "raymm.__main__"} and not name.startswith("raymm.studies")
)
TAUGHT = ("raymm.valuation", "raymm.data", "raymm.methods")


def examples_of(module):
    """Doctests of what a module defines itself, by name."""
    return [test for test in doctest.DocTestFinder().find(module, module.__name__) if test.examples]


@pytest.mark.parametrize("name", MODULES)
def test_examples_are_true(name, monkeypatch):
    for registry in (UTILITIES, METHODS, FAMILIES):  # examples may register a part
        registry.names()
        monkeypatch.setattr(registry, "_parts", dict(registry._parts))
    for test in examples_of(import_module(name)):
        runner = doctest.DocTestRunner(optionflags=FLAGS)
        runner.run(test)
        assert runner.failures == 0, test.name


@pytest.mark.parametrize("name", TAUGHT)
def test_every_public_function_has_an_example(name):
    package = import_module(name)
    functions = {word: getattr(package, word) for word in package.__all__}
    lacking = [word for word, thing in functions.items() if isfunction(thing) and ">>>" not in (thing.__doc__ or "")]
    assert lacking == []


def test_a_wrong_example_is_found():
    test = doctest.DocTestParser().get_doctest(">>> 1 + 1\n3\n", {}, "wrong", None, None)
    assert doctest.DocTestRunner().run(test, out=lambda _: None).failed == 1
