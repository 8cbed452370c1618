"""The reference of the command line: what `raymm VERB --help` says, as Markdown."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator

import click

from raymm.cli import VERBS, cli
from raymm.reports.tables import markdown_table

__all__ = ["verb_section", "verbs"]

PAGE_OF_DOCS = re.compile(r"\bdocs/([\w/]+\.md)")


def verbs() -> str:
    """A section a verb, in the order in which a newcomer meets them."""
    return "\n\n".join(map(verb_section, VERBS))


def verb_section(verb: str) -> str:
    """Usage, what the verb does, an example, and its arguments and options."""
    context = click.Context(cli, info_name="raymm")
    command = cli.get_command(context, verb)
    if command is None:
        raise ValueError(f"no verb '{verb}'")
    own = click.Context(command, info_name=verb, parent=context)
    usage = " ".join(["raymm", verb, *command.collect_usage_pieces(own)])
    about = as_markdown(inspect.cleandoc(command.help or ""))
    examples = "\n".join(examples_of(command.epilog or ""))
    options = markdown_table(("option", "meaning"), records(command, own))
    return "\n".join([f"## {verb}", "", about, "", "```text", usage, "```", "", examples, "", *options])


def records(command: click.Command, context: click.Context) -> Iterator[tuple[str, str]]:
    """Names and meaning of each option, as its help has them, without `--help` and what only the usage says."""
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record and record[1] and "--help" not in parameter.opts:
            yield f"`{record[0]}`", as_markdown(record[1])


def examples_of(epilog: str) -> Iterator[str]:
    """The calls that an epilog names, each as a block."""
    for call in re.findall(r"\braymm [^\n]+?(?=\.\s|\n|$)", epilog):
        yield f"```bash\n{call}\n```"


def as_markdown(text: str) -> str:
    r"""Words of a help text; what Markdown would take for marks is escaped, and pages are links.

    >>> as_markdown("clips/*.mp4 of <DIR> (docs/your_data.md)")
    'clips/\\*.mp4 of \\<DIR> ([your_data](your_data.md))'
    """
    escaped = re.sub(r"(`[^`]*`)|([*<])", lambda found: found[1] or f"\\{found[2]}", text.replace("\b\n", ""))
    return PAGE_OF_DOCS.sub(lambda found: f"[{found[1].removesuffix('.md')}]({found[1]})", escaped)
