"""Tables of settings: for a terminal, and the reference of all of them, `docs/settings.md`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from raymm.config.catalogue import catalogue
from raymm.config.looking_up import merged
from raymm.reports.html import render
from raymm.reports.tables import markdown_table, text_table

if TYPE_CHECKING:
    from raymm.config.catalogue import Section

__all__ = ["settings_page", "settings_text"]

HEADER = ("setting", "default", "values", "meaning")


def settings_text(sections: Sequence[Section], width: int = 80) -> str:
    """Sections as tables that fit a terminal; the last column is wrapped."""
    return "\n\n".join("\n".join(_text(section, width)) for section in merged(sections))


def settings_page() -> str:
    """The page as Markdown: the sections of a configuration, then what each part reads."""
    sections = merged(catalogue())
    own = "\n\n".join(_section(section) for section in sections if not section.part)
    parts = "\n\n".join(_section(section) for section in sections if section.part and section.settings)
    return render("settings.md", sections=own, parts=parts).rstrip() + "\n"


def _text(section: Section, width: int) -> Iterable[str]:
    yield from text_table([f"{section.name}: {section.about}".removesuffix(": ")], [], width=width)
    if not section.settings:
        yield "reads no settings of its own"
        return
    rows = [(one.key, one.default, f"{one.values}; {one.meaning}") for one in section.settings]
    yield from text_table(("setting", "default", "values; meaning"), rows, width=width)


def _section(section: Section) -> str:
    rows = [
        (f"`{one.key}`", f"`{one.default}`" if one.default else "", one.values, one.meaning)
        for one in section.settings
    ]
    about = [section.about, ""] if section.about and len(section.settings) > 1 else []
    return "\n".join([f"### {section.name}", "", *about, *markdown_table(HEADER, rows)])
