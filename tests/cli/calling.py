"""The command line, called in this process."""

import pytest

from raymm.cli import main

__all__ = ["call"]


def call(capfd, *arguments):
    """Exit code, output and errors of `raymm ARGUMENTS`."""
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    captured = capfd.readouterr()
    return ended.value.code, captured.out, captured.err
