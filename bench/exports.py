"""Export encoders of libraries as ONNX and as programs of torch, each compared with raymm, and write a table of it.

`python -m bench.exports [NAME ...]` tries those that are named, or all (a quarter of an hour), and writes
`bench/results/exports.json` and the table of docs/encoders.md. `--table` writes the table of what is known.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bench.export_networks import NETWORKS, WORDS, Network
from raymm.config import parse
from raymm.data.manifest import Manifest
from raymm.data.schema import Schema
from raymm.data.schema_inference import build_schema
from raymm.errors import RaymmError
from raymm.models.export import Exported
from raymm.models.graph.samples import made_up
from raymm.models.graph.write import write_graphs
from raymm.models.model import build_model

__all__ = ["attempt", "table"]

ROOT = Path(__file__).parents[1]
RESULTS, PAGE = ROOT / "bench" / "results" / "exports.json", ROOT / "docs" / "encoders.md"
START, END = "<!-- exports: written by `python -m bench.exports` -->", "<!-- end of exports -->"
SAMPLES = 6
WAYS = {"torch": "pt2", "onnx": "onnx"}


def attempt(network: Network, folder: Path) -> dict[str, Any]:
    """What became of a model of this encoder and a vector: by way the difference from raymm, or why there is none."""
    start = time.perf_counter()
    try:
        one = _exported(network, folder)
    except RaymmError as refused:
        return {way: str(refused) for way in WAYS}
    both = _written(one, folder, *WAYS)
    found = both if isinstance(both, dict) else {way: _alone(one, folder, way) for way in WAYS}
    return {**found, "seconds": round(time.perf_counter() - start, 1)}


def _alone(one: Exported, folder: Path, way: str) -> float | str:
    said = _written(one, folder, way)
    return said if isinstance(said, str) else said[way]


def _written(one: Exported, folder: Path, *ways: str) -> dict[str, float] | str:
    """The largest differences of the files, or why there are none."""
    onnx, program = (folder / f"m.{WAYS[way]}" if way in ways else None for way in ("onnx", "torch"))
    try:
        _, written = write_graphs(one, made_up(one, SAMPLES), np.arange(SAMPLES), "0" * 64, onnx, program)
    except RaymmError as refused:
        return str(refused)
    apart = {file.path.suffix[1:]: float(f"{file.difference:.1g}") for file in written}
    return {way: apart[WAYS[way]] for way in ways}


def _exported(network: Network, folder: Path) -> Exported:
    """A model of the encoder, and of a vector beside it."""
    name, modality, settings = network.name.split(" (")[0], dict(network.modality), dict(network.settings)
    if network.config:
        name = f"hf:{_saved(network, folder / 'network')}"
        if modality["kind"] == "text":
            modality = _tokenised(folder / "network")
        elif modality["kind"] != "waveform":
            settings["normalise"] = "data"
    modalities = [{**modality, "name": "it"}, {"name": "pose", "kind": "vector", "size": 3}]
    schema = Schema(modalities=modalities, classes=["x", "y", "z"])
    config = parse({"model": {"feature_size": 8, "encoders": {"it": {"name": name, **settings}}}})
    return Exported(build_model(schema, config.model, 3).eval(), config, schema, {})


def _saved(network: Network, folder: Path) -> Path:
    """A network of Transformers with random weights in a folder, with a tokenizer where it reads texts."""
    import tokenizers
    import transformers

    torch.manual_seed(0)
    config = getattr(transformers, network.config)(**network.sizes)
    transformers.AutoModel.from_config(config).save_pretrained(folder)
    if network.modality["kind"] == "text":
        numbers = {word: number for number, word in enumerate(WORDS)}
        words = tokenizers.Tokenizer(tokenizers.models.WordLevel(numbers, unk_token=WORDS[0]))
        words.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
        ends = [(word, numbers[word]) for word in ("[CLS]", "[SEP]")]
        template = tokenizers.processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ends)
        words.post_processor = template
        words.save(str(folder / "tokenizer.json"))
    return folder


def _tokenised(folder: Path) -> dict[str, Any]:
    settings = [f"it.tokenizer={folder}", "it.max_tokens=8"]
    spec = build_schema({"it": "text"}, Manifest(records=(), classes=("a", "b")), None, settings)["it"]
    return {**spec.model_dump(mode="json"), "kind": "text"}


def table(found: Mapping[str, Mapping[str, Any]]) -> str:
    """The rows of the page: by library what is written in both forms, then each that is not, with its reason."""
    lines = ["| library | written in both forms |", "|---|---|"]
    refused = ["| encoder | `--torch` | `--onnx` |", "|---|---|---|"]
    for library in dict.fromkeys(network.library for network in NETWORKS):
        names = [one.name for one in NETWORKS if one.library == library and one.name in found]
        whole = [name for name in names if all(isinstance(found[name][way], float) for way in WAYS)]
        lines += [f"| {library} | {', '.join(f'`{name}`' for name in whole)} |"] if whole else []
        refused += [_row(name, found[name]) for name in names if name not in whole]
    return "\n".join(lines + (["", *refused] if len(refused) > 2 else []))


def _row(name: str, said: Mapping[str, Any]) -> str:
    cells = ["yes" if isinstance(said[way], float) else _short(said[way]) for way in WAYS]
    return f"| `{name}` | {' | '.join(cells)} |"


def _short(reason: str) -> str:
    """A reason as a cell: without the word that all begin with."""
    return reason.removeprefix("export: ").replace("|", "\\|")


def write_page(found: Mapping[str, Mapping[str, Any]]) -> None:
    """Write the table between its marks."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(START)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{START}\n\n{table(found)}\n\n{END}{after}", encoding="utf-8")


def known() -> dict[str, dict[str, Any]]:
    """What was found before."""
    found: dict[str, dict[str, Any]] = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    return found


def main() -> None:
    """Try, remember after each, and write the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.exports")
    parser.add_argument("names", nargs="*", help="of encoders, as the table has them")
    parser.add_argument("--table", action="store_true")
    asked = parser.parse_args()
    networks = {one.name: one for one in NETWORKS}
    chosen = [networks[name] for name in asked.names or networks]
    for network in () if asked.table else chosen:
        with tempfile.TemporaryDirectory() as folder:
            said = attempt(network, Path(folder))
        print(network.name, said, flush=True)
        found = {**known(), network.name: said}
        RESULTS.write_text(json.dumps({one.name: found[one.name] for one in NETWORKS if one.name in found}, indent=1))
    write_page(known())


if __name__ == "__main__":
    main()
