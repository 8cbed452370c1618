"""Files that the guide to clusters names exist; its commands are checked with those of all pages (tests/docs)."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
GUIDE = (ROOT / "docs" / "cluster.md").read_text()


def test_files_that_it_names_are_there():
    names = set(re.findall(r"\b(?:[\w-]+/)?[\w-]+\.(?:yaml|json|lock|py)\b", GUIDE))
    assert len(names) > 5
    assert [name for name in sorted(names) if not (ROOT / name).is_file()] == []
