"""The programs of the folder `examples`, as modules."""

import importlib.util
import sys
from pathlib import Path

__all__ = ["EXAMPLES", "example"]

EXAMPLES = Path(__file__).parents[1] / "examples"


def example(name):
    """The module of an example, which is imported under a name that no other module has."""
    found = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(found)
    sys.modules[found.name] = module
    found.loader.exec_module(module)
    return module
