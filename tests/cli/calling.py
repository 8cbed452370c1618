"""The command line, called in this process."""

import pytest

from raymm.cli import main

__all__ = ["call", "exit_code"]


def exit_code(*arguments):
    """Exit code of `raymm ARGUMENTS`."""
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return ended.value.code


def call(capfd, *arguments):
    """Exit code, output and errors of `raymm ARGUMENTS`."""
    code, captured = exit_code(*arguments), capfd.readouterr()
    return code, captured.out, captured.err
