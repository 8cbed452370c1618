"""The examples in the docstrings of the valuation are run, and every public function has one."""

import doctest
import importlib
import inspect
import pkgutil

import pytest

import raymm.valuation
from raymm.config.registries import UTILITIES

MODULES = ["raymm.valuation", *(m.name for m in pkgutil.walk_packages(raymm.valuation.__path__, "raymm.valuation."))]


def examples_of(module):
    return {test.name: test for test in doctest.DocTestFinder().find(module, module.__name__) if test.examples}


@pytest.mark.parametrize("name", MODULES)
def test_examples_show_what_they_print(name, monkeypatch):
    monkeypatch.setattr(UTILITIES, "_parts", dict(UTILITIES._parts))  # one example registers a utility
    module = importlib.import_module(name)
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    printed = []
    for test in examples_of(module).values():
        runner.run(test, out=printed.append)
    assert not printed, "".join(printed)


def test_an_example_that_is_wrong_is_noticed():
    test = doctest.DocTestParser().get_doctest(">>> 1 + 1\n3\n", {}, "wrong", None, None)
    assert doctest.DocTestRunner().run(test, out=lambda _: None).failed == 1


def test_every_public_function_has_an_example():
    public = [getattr(raymm.valuation, name) for name in raymm.valuation.__all__]
    functions = {f"{made.__module__}.{made.__qualname__}" for made in public if inspect.isroutine(made)}
    assert len(functions) > 12
    found = {name for module in MODULES for name in examples_of(importlib.import_module(module))}
    assert functions - found == set()
