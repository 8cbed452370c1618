"""The commands of the guide to clusters exist: their verbs, options, settings and files."""

import re
import shlex
from importlib import import_module
from pathlib import Path

import pytest

from raymm.cli import VERBS
from raymm.config import load

ROOT = Path(__file__).parents[1]
GUIDE = (ROOT / "docs" / "cluster.md").read_text()


def lines_of(text):
    """Command lines of the shell blocks, each in one piece."""
    blocks = re.findall(r"```bash\n(.*?)```", text, re.DOTALL)
    return [line for block in blocks for line in block.replace("\\\n", " ").splitlines() if line.strip()]


def calls_of(text):
    """Verb and arguments of every call of raymm, by name or by its job."""
    for line in lines_of(text):
        words = shlex.split(line, comments=True)
        for position, word in enumerate(words):
            job = re.fullmatch(r"jobs/(\w+)\.py", word)
            if job:
                yield job[1], words[position + 1 :]
        if words[:1] == ["raymm"]:
            yield words[1], words[2:]


CALLS = list(calls_of(GUIDE))


def test_there_are_calls_to_look_at():
    assert {verb for verb, _ in CALLS} >= {"doctor", "train", "value"}


@pytest.mark.parametrize(("verb", "arguments"), CALLS)
def test_every_call_is_understood(verb, arguments):
    assert verb in VERBS
    given = getattr(import_module(f"raymm.cli.{verb}"), verb).make_context(verb, list(arguments)).params
    load(None, given.get("overrides", ()))


def test_a_call_with_an_option_that_is_not_there_is_found():
    (call,) = calls_of("```bash\nray job submit -- \\\n  python jobs/train.py --dato DATA\n```")
    assert call == ("train", ["--dato", "DATA"])
    with pytest.raises(Exception, match="No such option"):
        test_every_call_is_understood(*call)


def test_files_that_it_names_are_there():
    names = set(re.findall(r"\b(?:[\w-]+/)?[\w-]+\.(?:yaml|json|lock|py)\b", GUIDE))
    assert len(names) > 5
    assert [name for name in sorted(names) if not (ROOT / name).is_file()] == []
