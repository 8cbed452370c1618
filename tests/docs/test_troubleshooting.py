"""Every message that docs/troubleshooting.md quotes is one that raymm gives."""

import ast
import re

import pytest

from tests.docs.checks import ROOT

PAGE = (ROOT / "docs" / "troubleshooting.md").read_text()
QUOTED = re.findall(r"^\| `([^`]+)` \|", PAGE, re.MULTILINE)
GAP = "\0"
"""What stands for a value in a message."""


def said(tree):
    """Constant texts and f-strings of a module, each value of the latter as a gap."""
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(part.value if isinstance(part, ast.Constant) else GAP for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


@pytest.fixture(scope="module")
def messages():
    """All of raymm's texts, one a line."""
    texts = {text for path in (ROOT / "raymm").rglob("*.py") for text in said(ast.parse(path.read_text()))}
    return "\n".join(text.replace("\n", " ").replace("`", "'") for text in texts)


def pattern(quoted):
    """What a quoted message looks like in the code: `...` is a value, or whatever stands there."""
    return ".*".join(re.escape(piece.strip()) for piece in quoted.split("..."))


def is_said(quoted, messages):
    whole = re.search(pattern(quoted), messages)
    pieces = [piece.strip() for piece in quoted.split("...") if len(piece.strip()) > 12]
    return bool(whole) or (bool(pieces) and all(piece in messages for piece in pieces))


@pytest.mark.parametrize("quoted", QUOTED)
def test_a_message_is_one_that_raymm_gives(quoted, messages):
    assert is_said(quoted, messages), quoted


def test_there_are_many_and_none_twice():
    assert len(QUOTED) == len(set(QUOTED)) >= 40
    assert len(QUOTED) == len(re.findall(r"^\| (?!what it says|---)", PAGE, re.MULTILINE))


def test_a_message_that_nobody_gives_is_found(messages):
    assert not is_said("the moon is in the way; wait for the morning", messages)
    assert not is_said("no column 'label'; dig deeper for it", messages)
    assert not is_said("no moon ...", messages)
