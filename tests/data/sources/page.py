"""The table of sources in docs/manifests.md, made from the sources: `python -m tests.data.sources.page`."""

import re
from pathlib import Path

from raymm.config.registries import SOURCES

PAGE = Path(__file__).parents[3] / "docs" / "manifests.md"
COLUMNS = ("`--source`", "in `--root`", "splits", "modalities", "classes", "know before you compare")
HEAD = f"| {' | '.join(COLUMNS)} |\n{'|---' * len(COLUMNS)}|\n"


def table():
    """A row a source."""
    return HEAD + "".join(_row(name, SOURCES.get(name)) for name in SOURCES)


def _row(name, source):
    further = f" (also {', '.join(source.further)})" if source.further else ""
    cells = [
        f"`{name}`: {source.title}",
        "; ".join(source.layout),
        source.splits,
        ", ".join(source.modalities) + further,
        source.classes,
        source.trap,
    ]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


if __name__ == "__main__":
    text = PAGE.read_text()
    PAGE.write_text(re.sub(rf"{re.escape(HEAD)}(\|.*\n)*", lambda _: table(), text))
