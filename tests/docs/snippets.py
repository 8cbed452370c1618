"""The fenced snippets of Markdown pages, and the commands in those of a shell."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["LANGUAGES", "Command", "Snippet", "commands_of", "snippets_of"]

LANGUAGES = ("python", "bash", "console", "yaml", "csv", "text", "")
"""Known kinds of snippet; text is output; one without a language is a drawing or a listing, and holds no command."""

FENCE = re.compile(
    r"^(?P<indent> *)(?P<fence>`{3,})(?P<language>[^\n`]*)\n(?P<text>.*?)^ *(?P=fence) *$", re.MULTILINE | re.DOTALL
)
SEPARATORS = {"|", "||", "&", "&&", ";"}
ASSIGNMENT = re.compile(r"^[A-Za-z_][A-Za-z0-9_]*=")


@dataclass(frozen=True)
class Snippet:
    """One fenced block: the page, the line of its first line, and what it holds."""

    page: str
    line: int
    language: str
    text: str

    @property
    def where(self) -> str:
        """Page and line."""
        return f"{self.page}:{self.line}"

    @property
    def file(self) -> str:
        """The file that a block which begins with `# NAME.py` is; empty for others."""
        first = self.text.split("\n", 1)[0]
        return first.removeprefix("# ") if first.startswith("# ") and first.endswith(".py") else ""


@dataclass(frozen=True)
class Command:
    """One program with its arguments, without redirections and the variables that are set for it."""

    where: str
    words: tuple[str, ...]


def snippets_of(page: str, text: str) -> list[Snippet]:
    """All fenced blocks of a page.

    Raises
    ------
    ValueError
        When a block is of an unknown language, has none but holds a command, or is never closed.
    """
    found = []
    for match in FENCE.finditer(text):
        line = text.count("\n", 0, match.start("text")) + 1
        snippet = Snippet(page, line, match["language"].strip(), match["text"])
        if snippet.language not in LANGUAGES:
            raise ValueError(f"{snippet.where}: no way to check the language '{snippet.language}'")
        if not snippet.language and re.search(r"^\s*(\$ |raymm |ray |make |python )", snippet.text, re.MULTILINE):
            raise ValueError(f"{snippet.where}: a command in a block without a language; write ```bash")
        found.append(snippet)
    if len(re.findall(r"^ *```", text, re.MULTILINE)) != 2 * len(found):
        raise ValueError(f"{page}: a block is not closed")
    return found


def commands_of(text: str, where: str, console: bool = False) -> Iterator[Command]:
    """The commands of shell lines; of a console those behind `$ `, the rest is output."""
    for line in _logical_lines(text):
        if console and not line.startswith("$ "):
            continue
        yield from _simple_commands(line.removeprefix("$ "), where)


def _logical_lines(text: str) -> Iterator[str]:
    """Lines, continued ones in one piece, without the bodies of here-documents."""
    ends = ""
    for line in text.replace("\\\n", " ").splitlines():
        if ends:
            ends = "" if line.strip() == ends else ends
            continue
        here = re.search(r"<<-?\s*'?\"?(\w+)", line)
        ends = here[1] if here else ""
        if line.strip() and not line.lstrip().startswith("#"):
            yield line.strip()


def _simple_commands(line: str, where: str) -> Iterator[Command]:
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    words: list[str] = []
    redirected = False
    for word in [*lexer, ";"]:
        if redirected:
            redirected = False
        elif set(word) <= set("<>&") and set(word) & set("<>"):
            redirected = True
            if words and words[-1].isdigit():  # the number of a stream, as in 2>&1
                words.pop()
        elif word in SEPARATORS:
            while words and ASSIGNMENT.match(words[0]):
                words.pop(0)
            if words:
                yield Command(where, tuple(words))
            words = []
        else:
            words.append(word)


def pages_of(root: Path) -> list[Path]:
    """README, CONTRIBUTING, SECURITY and every page below docs."""
    return [
        *(root / f"{name}.md" for name in ("README", "CONTRIBUTING", "SECURITY")),
        *sorted(root.glob("docs/**/*.md")),
    ]
