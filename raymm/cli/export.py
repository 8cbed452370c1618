"""`raymm export`: a trained model as a file that runs without raymm."""

from pathlib import Path

import click

from raymm.cli.options import FILE, FOLDER, json_option, plugin_names, plugins_option
from raymm.cli.progress import printing

__all__ = ["export"]


@click.command(epilog="Example: raymm export runs/sample --onnx model.onnx")
@click.argument("run", type=FOLDER)
@click.option("--onnx", type=FILE, help="Write ONNX: FILE.onnx; needs the extra `onnx`.")
@click.option("--torch", "torch_file", type=FILE, help="Write a program of torch.export: FILE.pt2.")
@click.option("--data", metavar="DATA", help="What answers are compared on; default: the run's test split.")
@click.option(
    "--samples", type=click.IntRange(1), default=100, show_default=True, help="On how many samples at most."
)
@plugins_option
@json_option("names of inputs and outputs, and the files,")
def export(
    run: Path,
    onnx: Path | None,
    torch_file: Path | None,
    data: str | None,
    samples: int,
    plugins: tuple[str, ...],
    as_json: bool,
) -> None:
    """Write a trained model for use outside raymm, and compare its answers with raymm's.

    RUN is a finished run, or an exported model. The file takes values as the data set stores them and a mask of the
    modalities that a row has, and gives outputs, answers and probabilities. Exit code 2, and no file, when the model
    cannot be written or the file would answer otherwise.
    """
    import raymm

    found = raymm.export(
        run,
        onnx=onnx,
        torch=torch_file,
        data=data,
        samples=samples,
        plugins=plugin_names(plugins),
        progress=printing(),
    )
    click.echo(found.to_json() if as_json else found.summary())
