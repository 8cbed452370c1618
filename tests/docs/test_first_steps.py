"""The page of first steps is walked: its commands are run as they stand there, on clips that are made here.

What the page shows of their output is compared line by line, all numbers aside: they differ between machines in their
last digits.
"""

import csv
import re
import subprocess
import sys

import pytest

from raymm.cli.demo_clips import write_collection
from tests.docs.checks import ROOT, raymm_words
from tests.docs.snippets import commands_of, snippets_of

PAGE = "docs/first_steps.md"
SNIPPETS = snippets_of(PAGE, (ROOT / PAGE).read_text())
CLIPS = 100
MOST_COMMANDS = 8
ASIDE = "..."
"""Stands on the page for lines that are left out."""


def write_clips(folder):
    """Clips with sound, and a table of files and labels as a newcomer has it: nothing is split."""
    made = write_collection(folder, CLIPS, seed=1)
    rows = [row[:2] for row in csv.reader(made.manifest.read_text().splitlines())]
    assert rows[0] == ["file", "label"]
    with made.manifest.open("w", newline="") as file:
        csv.writer(file).writerows(rows)


def without_numbers(line):
    return re.sub(r"[+-]?\d[\d,.]*\b", "#", " ".join(line.split()))


def steps():
    """Each command of raymm on the page, with the lines that it is said to print."""
    for snippet in SNIPPETS:
        if snippet.language == "console":
            (command,) = commands_of(snippet.text, snippet.where, console=True)
            shown = [line for line in snippet.text.splitlines() if not line.startswith("$ ")]
            yield command, [without_numbers(line) for line in shown if line.strip() not in {"", ASIDE}]


def left_over(shown, printed):
    """The first of the lines shown that does not come, in their order, among those printed; empty if all do."""
    lines = iter(printed)
    return next((line for line in shown if not any(line == other for other in lines)), "")


@pytest.mark.slow
def test_the_page_leads_from_clips_to_an_answer(tmp_path):
    write_clips(tmp_path)
    for command, shown in steps():
        words = [sys.executable, "-m", "raymm", *raymm_words(command)]
        done = subprocess.run(
            words, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, text=True
        )
        assert done.returncode == 0, done.stdout
        printed = [without_numbers(line) for line in done.stdout.splitlines()]
        missing = left_over(shown, printed)
        assert not missing, f"{command.where} shows '{missing}'; printed is\n{done.stdout}"


def test_the_page_needs_no_more_commands_than_it_promises():
    console = {"bash": False, "console": True}
    commands = [
        command
        for snippet in SNIPPETS
        if snippet.language in console
        for command in commands_of(snippet.text, snippet.where, console=console[snippet.language])
    ]
    assert len(commands) == MOST_COMMANDS
    assert [command.words[0] for command in commands[:4]] == ["git", "cd", "make", "source"]
    assert sum(raymm_words(command) is not None for command in commands) == MOST_COMMANDS - 4


def test_lines_that_are_not_printed_or_come_in_another_order_are_found():
    assert without_numbers("epoch   2/30  loss 1.58  rows 1,400") == "epoch #/# loss # rows #"
    assert without_numbers("±0.10 of 12.") == "±# of #."
    assert left_over(["a", "c"], ["a", "b", "c"]) == ""
    assert left_over(["c", "a"], ["a", "b", "c"]) == "a"
    assert left_over(["d"], ["a"]) == "d"
