"""Words of advice that several signatures share; a method is named only where it is registered."""

from raymm.config.registries import METHODS

__all__ = ["first_method"]


def first_method(*names: str) -> str:
    """The first of some methods that there is, as an option of the command line.

    >>> first_method("none_of_this_name", "sample")
    '--method sample'
    """
    return f"--method {next(name for name in names if name in METHODS)}"
