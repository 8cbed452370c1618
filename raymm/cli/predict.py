"""`raymm predict`: files in, labels, probabilities and contributions out."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from raymm.cli.options import FILE, FOLDER, json_option, plugin_names, plugins_option
from raymm.cli.progress import printing, show_result

if TYPE_CHECKING:
    from raymm.data.schema import Schema

__all__ = ["predict"]

MODALITY = re.compile(r"[a-z][a-z0-9_]*=")


@click.command(epilog="Example: raymm predict --checkpoint runs/sample clips/*.mp4")
@click.option("--checkpoint", type=FOLDER, required=True, help="Folder of a finished run, or of an exported model.")
@click.argument("samples", nargs=-1, metavar="[FILE | NAME=FILE[,NAME=FILE...]]...")
@click.option("--manifest", type=FILE, help="A table of samples, as of `raymm prepare`; needs no labels.")
@click.option("--media-root", type=FOLDER, help="Folder of the manifest's paths; default: that of the manifest.")
@click.option("--allow-outside", is_flag=True, help="Also read paths that lead out of the media root.")
@click.option(
    "--sentence-encoder",
    "encoders",
    multiple=True,
    metavar="MODALITY=FOLDER",
    help="The encoder that made a modality of texts, so that texts can be given.",
)
@plugins_option
@click.option("--out", type=FILE, help="Also write a table, .csv or .parquet.")
@json_option("predictions", steps=True)
@click.pass_context
def predict(
    context: click.Context,
    checkpoint: Path,
    samples: tuple[str, ...],
    manifest: Path | None,
    media_root: Path | None,
    allow_outside: bool,
    encoders: tuple[str, ...],
    plugins: tuple[str, ...],
    out: Path | None,
    as_json: bool,
) -> None:
    """Answer samples without labels, and say what each modality contributed.

    A sample is a file (a video gives frames, flow and sound), or files and texts by modality:
    audio=a.wav,rgb=b.mp4. Samples that cannot be read are named, and the exit code is then 1.
    """
    import raymm
    from raymm.api.predictions import check_table_name
    from raymm.config.plugins import load_plugins

    if out is not None:
        check_table_name(out)
    told = printing(as_json)
    load_plugins(plugin_names(plugins))
    trained = raymm.load(checkpoint)
    found = raymm.predict(
        trained,
        [_sample(word, trained.schema) for word in samples],
        manifest=manifest,
        media_root=media_root,
        allow_outside=allow_outside,
        sentence_encoders=encoders,
        progress=told,
    )
    if as_json:
        show_result(json.loads(found.to_json()))
    else:
        click.echo(found.summary())
    if out is not None:
        click.echo(f"wrote {found.save(out)}", err=True)
    if found.failed:
        click.echo(f"{len({one.sample_id for one in found.failed})} samples could not be read", err=True)
        context.exit(1)


def _sample(word: str, schema: "Schema") -> Any:
    """A file, or `audio=a.wav,rgb=b.mp4` as a mapping; a comma that no modality follows is part of what it is in."""
    if not MODALITY.match(word) or Path(word).exists():
        return word
    return dict(part.split("=", 1) for part in re.split(_next_name(schema.names), word))


def _next_name(names: Sequence[str]) -> str:
    return rf",(?=(?:{'|'.join(map(re.escape, (*names, 'file')))})=)"
