"""What is asked of every bad input: one line, exit code 2, no trace, at once, and nothing left behind."""

import time

from tests.cli.calling import call

__all__ = ["contents", "prepare_words", "refused", "refused_all", "refused_sample", "taken"]

SECONDS = 5
"""Of the processor, since other work may run beside."""
KEPT = {"out", "out/quarantine.csv", "out/report.json", "out/shards"}
"""What a preparation that found bad samples leaves: their list, and the shards of the good ones for the next try."""


def contents(folder):
    """Bytes of all files below a folder by name, and the names of all folders."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else b"folder"
        for path in sorted(folder.rglob("*"))
    }


def said_by(capfd, *arguments):
    """The one line that a command is refused with."""
    start = time.process_time()
    code, out, err = call(capfd, *arguments)
    assert time.process_time() - start < SECONDS
    assert code == 2, (code, out, err)
    assert "Traceback" not in err
    said = [line for line in err.splitlines() if line and not line.startswith(("note: ", "preparing: "))]
    assert len(said) == 1, err
    assert said[0].startswith("error: "), err
    return said[0]


def refused(capfd, folder, *arguments):
    """The one line that a command is refused with; all below the folder stays as it is."""
    before = contents(folder)
    said = said_by(capfd, *arguments)
    assert contents(folder) == before
    return said


def refused_all(capfd, folder, *arguments):
    """What a command is refused with that has several mistakes: a line each."""
    before = contents(folder)
    code, out, err = call(capfd, *arguments)
    assert code == 2, (code, out, err)
    assert "Traceback" not in err
    first, *mistakes = err.splitlines()
    assert first.startswith("error: ")
    assert first.endswith(f" {len(mistakes)} problems")
    assert all(line.startswith("  - ") for line in mistakes)
    assert contents(folder) == before
    return err


def refused_sample(capfd, folder, *arguments):
    """The same of a sample that `prepare` finds bad once it reads its file: no data set comes to be."""
    before = contents(folder)
    said = said_by(capfd, *arguments)
    after = contents(folder)
    assert {name: content for name, content in after.items() if name in before} == before
    new = after.keys() - before.keys() - KEPT
    assert all(name.startswith("out/shards/") and name.endswith(("00.arrow", "00.json")) for name in new), new
    return said


def taken(capfd, *arguments):
    """What a command that must not be refused says on standard error."""
    code, out, err = call(capfd, *arguments)
    assert code == 0, (code, out, err)
    assert "Traceback" not in err
    return err


def prepare_words(manifest, modalities, *more):
    """The words that prepare a manifest beside its media; the data set is `out` beside their folder."""
    words = ["prepare", "--manifest", manifest, "--media-root", manifest.parent, "--modalities", modalities]
    return [*words, "--out", manifest.parent.parent / "out", "--backend", "local", *more]
