"""The command line, called in this process."""

import json

import pytest

from raymm.cli import main

__all__ = ["call", "exit_code", "result_in"]


def exit_code(*arguments):
    """Exit code of `raymm ARGUMENTS`."""
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return ended.value.code


def call(capfd, *arguments):
    """Exit code, output and errors of `raymm ARGUMENTS`."""
    code, captured = exit_code(*arguments), capfd.readouterr()
    return code, captured.out, captured.err


def result_in(out):
    """The result that `--json` printed, after objects of other events; every line is an object."""
    *steps, result = [json.loads(line) for line in out.splitlines()]
    assert "result" not in {step["event"] for step in steps}
    assert result.pop("event") == "result"
    return result
