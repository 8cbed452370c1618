"""The tables of sources in docs/manifests.md, made from the sources: `python -m tests.data.sources.page`."""

import re
from pathlib import Path
from typing import get_args

from raymm.config.registries import SOURCES

PAGE = Path(__file__).parents[3] / "docs" / "manifests.md"
COLUMNS = ("`--source`", "in `--root`", "splits", "modalities", "classes", "know before you compare")
HEAD = f"| {' | '.join(COLUMNS)} |\n{'|---' * len(COLUMNS)}|\n"
SETTINGS_HEAD = "| setting | of | default | meaning |\n|---|---|---|---|\n"


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


def settings():
    """A row a setting, with the sources that have it."""
    found = {}
    for name in SOURCES:
        for field, about in SOURCES.get(name).Settings.model_fields.items():
            found.setdefault((field, about.description, _choices(about)), []).append(name)
    rows = [
        f"| `{field}` | {'all' if len(names) == len(SOURCES) else ', '.join(names)} | {default} | {meaning} |\n"
        for (field, meaning, default), names in found.items()
    ]
    return SETTINGS_HEAD + "".join(rows)


def _choices(about):
    """The default, and what else may be chosen where that is a few words."""
    others = [f"`{word}`" for word in get_args(about.annotation) if word != about.default]
    return f"`{about.default}`" + (f" (or {', '.join(others)})" if others else "")


if __name__ == "__main__":
    text = PAGE.read_text()
    for head, made in ((HEAD, table()), (SETTINGS_HEAD, settings())):
        text = re.sub(rf"{re.escape(head)}(\|.*\n)*", lambda _, made=made: made, text)
    PAGE.write_text(text)
