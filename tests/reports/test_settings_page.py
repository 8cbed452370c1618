"""The reference of settings: all of them, once; and tables that fit a terminal."""

from pathlib import Path

from raymm.config.catalogue import catalogue
from raymm.config.looking_up import sections_called
from raymm.reports.settings_page import settings_page, settings_text

ROOT = Path(__file__).parents[2]


def test_the_page_has_every_setting_with_its_meaning():
    page = settings_page()
    for section in catalogue():
        for one in section.settings:
            assert f"| `{one.key}` |" in page
            assert one.meaning.replace("|", r"\|") in page


def test_the_committed_page_is_what_the_settings_say():
    """`settings_page` writes it again; the command stands in the page."""
    assert (ROOT / "docs" / "settings.md").read_text() == settings_page()


def test_tables_fit_a_terminal():
    for section in catalogue():
        lines = settings_text([section], 80).splitlines()
        assert max(map(len, lines)) <= 80, section.name
    words = " ".join(settings_text(sections_called("optimizer")).split())
    assert "optimizer.lr 0.001 number > 0; learning rate" in words
    assert "reads no settings of its own" in settings_text(sections_called("method.joint"))
