"""`raymm config`: every setting, its default, the values that it takes, and what it means."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from raymm.cli.options import json_option, plugin_names, plugins_option

if TYPE_CHECKING:
    from raymm.config.catalogue import Section

__all__ = ["config"]

WIDTH = 80
"""Columns of the tables."""


@click.command(
    epilog="Example: raymm config training. A part: raymm config method.sample. By words: raymm config --find warm"
)
@click.argument("section", required=False)
@click.option("--find", metavar="WORDS", help="Settings whose name, values or meaning hold these words.")
@plugins_option
@json_option("settings")
def config(section: str | None, find: str | None, plugins: tuple[str, ...], as_json: bool) -> None:
    """Show all settings, those of a SECTION such as training, or of a part such as method.sample."""
    from raymm.config.looking_up import merged, sections_called, settings_with
    from raymm.config.plugins import load_plugins
    from raymm.reports.settings_page import settings_text

    if section is not None and find is not None:
        raise click.UsageError("give one of SECTION and --find")
    load_plugins(plugin_names(plugins))
    found = sections_called(section) if find is None else settings_with(find.split())
    if as_json:
        click.echo(json.dumps({"sections": [asdict(one) for one in merged(found)]}))
        return
    click.echo(settings_text(found, WIDTH))
    if find is None:
        click.echo("".join(_parts(found)), nl=False)


def _parts(sections: list["Section"]) -> list[str]:
    """Where the settings of the parts are that the shown sections choose."""
    from raymm.config.looking_up import parts_below

    above = [name for section in sections for name in (section.name, *_choosing(section))]
    below = {name: parts_below(name) for name in dict.fromkeys(above)}
    said = (
        f"raymm config {name}.NAME shows what a part reads: {', '.join(parts)}"
        for name, parts in below.items()
        if parts
    )
    return [f"\n{click.wrap_text(words, WIDTH, '', '  ')}\n" for words in said]


def _choosing(section: "Section") -> list[str]:
    """Names that settings of parts stand below, by the settings that choose the parts."""
    ends = (".name", ".family")
    return [
        ".".join(word for word in one.key.split(".")[:-1] if word != "settings")
        for one in section.settings
        if one.key.endswith(ends)
    ]
