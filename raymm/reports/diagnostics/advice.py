"""Words of advice that several signatures share; a method is named only where it is registered."""

from raymm.config.registries import METHODS

__all__ = ["TRAINED_ALONE", "first_method"]


TRAINED_ALONE = frozenset({"coalition", "valued", "auto", "multitask", "ensemble", "mmpareto", "mla", "umt", "cml"})
"""Methods whose loss has one of each modality alone: to name another of them to a run of one says nothing new."""


def first_method(*names: str, but: str = "") -> str:
    """The first of some methods that there is and that the run does not have, as an option of the command line.

    >>> first_method("none_of_this_name", "sample")
    '--method sample'
    >>> first_method("coalition", "multitask", but="coalition")
    '--method multitask'
    """
    return f"--method {next(name for name in names if name in METHODS and name != but)}"
