"""Models that run without raymm: against what raymm answers to the same values, and with nothing in masked rows."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import raymm
from raymm.cli import main
from raymm.config import parse
from raymm.config.registries import ENCODERS, FUSIONS
from raymm.data.schema import Schema
from raymm.errors import CheckpointError, ConfigError, DataError, ExportError
from raymm.models.export import Exported
from raymm.models.graph.form import form_of_graph
from raymm.models.graph.module import WholeModel
from raymm.models.graph.samples import made_up
from raymm.models.graph.write import write_graphs
from raymm.models.model import build_model
from raymm.models.predictor import Predictor
from raymm.training.loop import Backends, train
from raymm.training.run import create_or_open
from tests.cli.calling import call
from tests.games import gappy_dataset, settings
from tests.models import own_models

onnxruntime = pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")

TASKS = ("classification", "multilabel", "regression")
VECTORS = (
    {"name": "pose", "kind": "vector", "size": 3},
    {"name": "mask", "kind": "vector", "size": 4},
    {"name": "outputs", "kind": "text", "max_tokens": 6},
)
STATISTICS = {"pose": {"mean": [1.0, -2.0, 5.0], "std": [2.0, 0.5, 3.0]}}
SPLITS = ("train",) * 22 + ("val",) * 9 + ("test",) * 12
SMALL = {
    "audio": {"rate": 8000, "seconds": 0.5, "n_mels": 32},
    "waveform": {"rate": 16000, "seconds": 0.1},
    "rgb": {"frames": 2, "height": 32, "width": 32},
    "flow": {"frames": 2, "height": 16, "width": 16},
    "image": {"height": 16, "width": 16},
    "embedding": {"tokens": 4, "size": 3},
    "sequence": {"channels": 3, "length": 40},
    "text": {"max_tokens": 6},
    "vector": {"size": 3},
}
READ_BY = {  # modalities, each by its kind and encoder, that one model reads
    "audio": ["cnn", "conformer", "resnet18"],
    "waveform": ["cnn1d", "wav2vec2"],
    "rgb": ["cnn", "r2plus1d_18"],
    "flow": ["cnn"],
    "image": ["cnn"],
    "embedding": ["pool"],
    "sequence": ["cnn1d"],
    "text": ["text"],
    "vector": ["mlp"],
}
OF_ENCODER = {"wav2vec2": {"layers": 1}, "conformer": {"width": 16, "layers": 1, "heads": 2, "kernel": 5}}
DEAR = {
    "resnet34",
    "resnet50",
    "convnext_tiny",
    "swin_t",
    "vit_b_16",
    "r3d_18",
    "mc3_18",
    "mvit_v2_s",
    "s3d",
    "swin3d_t",
}


def exported(modalities, model, task="classification", seed=3):
    schema = Schema(modalities=modalities, classes=["x", "y", "z"], task={"name": task})
    config = parse({"model": model})
    return Exported(build_model(schema, config.model, seed).eval(), config, schema, STATISTICS)


def write(one, folder, onnx=False, count=20):
    paths = folder / "model.onnx" if onnx else None, folder / "model.pt2"
    return write_graphs(one, made_up(one, count), np.arange(count), "0" * 64, *paths)[0]


def run(folder, form, inputs, mask, onnx):
    """The outputs of a file, as somebody without raymm has them."""
    if not onnx:
        found = torch.export.load(folder / "model.pt2").module()(inputs, mask)
        return [one.numpy() for one in found]  # as docs/predict.md calls it: nothing of it is trained
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"))
    assert [one.name for one in session.get_inputs()] == list(form.names)
    return session.run(None, {**{name: one.numpy() for name, one in inputs.items()}, form.mask: mask.numpy()})


def columns_of(one, rows):
    """Random values as a caller of `predict` gives them, of which some are missing, and the mask."""
    draw = np.random.default_rng(5)
    mask = draw.random((rows, len(one.schema.names))) < 0.6
    columns = {}
    for position, spec in enumerate(one.schema.modalities):
        values = (
            ["a dog b"] * rows if spec.is_text else list(draw.normal(size=(rows, *spec.shape)).astype(np.float32))
        )
        columns[spec.name] = [
            value if there else None for value, there in zip(values, mask[:, position], strict=True)
        ]
    return columns, mask


def check_against_predict(one, folder, form, onnx, rows=5):
    """Answers are those of the predictor, and do not depend on what stands where the mask is False."""
    columns, mask = columns_of(one, rows)
    inputs = {}
    for spec in one.schema.modalities:
        if spec.is_text:
            tokens = spec.to_tensor([value or "other words" for value in columns[spec.name]], None)
            inputs[spec.name] = tokens
        else:
            filled = [np.full(spec.shape, np.nan) if value is None else value for value in columns[spec.name]]
            inputs[spec.name] = torch.tensor(np.array(filled), dtype=torch.float32)
    found = run(folder, form, inputs, torch.from_numpy(mask), onnx)
    wanted = Predictor(one).answers(columns)
    assert found[0] == pytest.approx(wanted.outputs, abs=1e-5)
    if wanted.probabilities is not None:
        assert found[2] == pytest.approx(wanted.probabilities, abs=1e-5)
    if one.schema.task.categorical:
        assert np.array_equal(found[1], wanted.prediction)
    else:
        assert found[1] == pytest.approx(wanted.prediction, rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("number", range(len(list(FUSIONS))))
def test_every_fusion_and_task_answers_alike(tmp_path, number):
    fusion = sorted(FUSIONS)[number]
    task = TASKS[number % 3] if fusion != "entropy" else "multilabel"
    one = exported(VECTORS, {"feature_size": 8, "encoder": {"width": 4}, "fusion": fusion}, task)
    with torch.no_grad():
        one.model.baseline.normal_(generator=torch.Generator().manual_seed(1))
    check_against_predict(one, tmp_path, write(one, tmp_path), onnx=False)


@pytest.mark.parametrize("task", TASKS)
def test_onnx_answers_alike(tmp_path, task):
    one = exported(VECTORS, {"feature_size": 8, "encoder": {"width": 4}, "fusion": "gated"}, task)
    form = write(one, tmp_path, onnx=True)
    assert form.names == ("pose", "mask", "outputs", "mask_")  # no name stands for two things
    assert form.outputs[:2] == ("outputs_", "prediction")
    for rows in (1, 5):
        check_against_predict(one, tmp_path, form, onnx=True, rows=rows)


@pytest.mark.parametrize(
    ("fusion", "kind", "scales"),
    [
        ("mlp", "temperature", [0.5, 0.0, 0.0, 0.0]),
        pytest.param("concat", "modality_weights", [0.7, 0.2, -0.4, 0.9], marks=pytest.mark.long),
        pytest.param("ensemble", "modality_temperatures", [0.0, 0.4, 2.0, 0.9], marks=pytest.mark.long),
    ],
)
def test_calibrated_outputs_are_those_of_the_graph(tmp_path, fusion, kind, scales):
    one = exported(VECTORS, {"feature_size": 8, "fusion": fusion, "calibrate": kind})
    plain = write(one, tmp_path)
    inputs = {name.name: torch.zeros(2, *name.shape, dtype=getattr(torch, name.dtype)) for name in plain.inputs}
    all_there = torch.ones(2, 3, dtype=bool)
    before = run(tmp_path, plain, inputs, all_there, onnx=False)[0]
    one.model.calibration.scales.copy_(torch.tensor(scales))
    form = write(one, tmp_path)
    assert not np.allclose(
        run(tmp_path, form, inputs, torch.ones(2, 3, dtype=bool), onnx=False)[0], before, atol=1e-3
    )
    check_against_predict(one, tmp_path, form, onnx=False)


def model_of_encoders(chosen):
    pairs = [(kind, name) for kind, names in READ_BY.items() for name in names if name in chosen]
    modalities = [{"name": f"{kind}_{name}", "kind": kind, **SMALL[kind]} for kind, name in pairs]
    encoders = {f"{kind}_{name}": {"name": name, **OF_ENCODER.get(name, {})} for kind, name in pairs}
    return exported(modalities, {"feature_size": 8, "encoders": encoders})


@pytest.mark.parametrize("chosen", [{"cnn", "cnn1d", "pool", "text", "mlp"}, {"conformer", "resnet18"}])
def test_every_kind_answers_alike_with_its_encoders(tmp_path, chosen):
    """`write_graphs` compares with the model itself; that it finds a difference is tested below."""
    write(model_of_encoders(chosen), tmp_path, onnx="cnn" in chosen, count=12)


@pytest.mark.long
def test_networks_of_libraries_answer_alike(tmp_path):
    write(model_of_encoders({"wav2vec2", "r2plus1d_18"}), tmp_path, onnx=True, count=6)


def test_no_encoder_is_left_out():
    tried = {name for names in READ_BY.values() for name in names}
    assert {name for name in ENCODERS.names() if name.isidentifier()} == tried | DEAR


@pytest.mark.parametrize("build", ["parts", pytest.param("Good", marks=pytest.mark.long)])
def test_models_of_ones_own_answer_alike(tmp_path, build):
    one = own_exported(build)
    check_against_predict(one, tmp_path, write(one, tmp_path), onnx=False)


def test_a_model_that_counts_its_rows_in_python_is_read_by_its_code(tmp_path):
    """In a process without checks of shapes at run time, whose code torch cannot read."""
    program = f"""
from pathlib import Path
from tests.models.test_graph import check_against_predict, own_exported, write
for build in ("Wrapped", "Additive"):
    one = own_exported(build)
    check_against_predict(one, Path({str(tmp_path)!r}), write(one, Path({str(tmp_path)!r})), onnx=False)
"""
    subprocess.run([sys.executable, "-c", program], check=True, cwd=Path(__file__).parents[2])


def own_exported(build):
    config = parse({"model": {"build": f"{own_models.NAME}:{build}"}})
    schema = own_models.SCHEMA
    return Exported(build_model(schema, config.model, 0).eval(), config, schema, {})


def test_python_that_depends_on_values_is_refused_with_torchs_reason(tmp_path, capfd):
    with pytest.raises(ExportError) as caught:
        write(own_exported("Branching"), tmp_path)
    words = str(caught.value)
    assert "torch.export cannot record this model" in words
    assert "in your fuse" in words
    assert "data-dependent" in words
    assert "no Python code in its encode and fuse depends on the values" in words
    assert "GraphModule" not in "".join(capfd.readouterr())
    assert not list(tmp_path.iterdir())


def test_an_operation_that_onnx_lacks_is_named_and_torch_writes_it(tmp_path):
    one = own_exported("Bessel")
    with pytest.raises(
        ExportError, match=r"as ONNX: ONNX has no operation for \w+\.\w*bessel_j0; write --torch, or compute it"
    ):
        write(one, tmp_path, onnx=True)
    assert not list(tmp_path.iterdir())
    check_against_predict(one, tmp_path, write(one, tmp_path), onnx=False)


def test_a_graph_that_answers_otherwise_is_not_written(tmp_path, monkeypatch):
    one = exported(VECTORS, {"feature_size": 8})
    answers = WholeModel.forward

    def forward(self, inputs, mask):
        outputs, *others = answers(self, inputs, mask)
        return (outputs + 0.01 * mask[:, :1], *others)

    monkeypatch.setattr(WholeModel, "forward", forward)
    with pytest.raises(
        ExportError, match=r"its outputs_ of sample made up \d+ with pose.* differ from raymm's by 0.01"
    ):
        write(one, tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    data = gappy_dataset(folder / "d", 3, SPLITS, (0.3, 0.4), "classification")
    one = create_or_open(folder / "r", settings(model={"modalities": ["m0", "m2"]}, training={"epochs": 2}), data)
    train(one, data, Backends())
    return folder, data


def test_a_run_is_exported_from_the_command_line_and_the_file_says_what_it_is(finished, tmp_path, capfd):
    folder, data = finished
    code, out, err = call(
        capfd, "export", folder / "r", "--onnx", tmp_path / "m.onnx", "--torch", tmp_path / "m.pt2", "--json"
    )
    assert code == 0, err
    said = json.loads(out)
    assert [one["name"] for one in said["inputs"]] == ["m0", "m2"]  # what the model does not read is no input
    assert said["samples"] == 12
    assert said["of"] == f"of {data.path}"
    assert all(0 <= one["largest_difference"] < 1e-4 for one in said["files"])
    session = onnxruntime.InferenceSession(str(tmp_path / "m.onnx"))
    about = json.loads(session.get_modelmeta().custom_metadata_map["raymm"])
    assert about["classes"] == ["a", "b", "c"]
    assert about["task"]["name"] == "classification"
    assert [(one["name"], one["input"], one["row"]) for one in about["modalities"]] == [
        ("m0", "float32", [6]),
        ("m2", "float32", [6]),
    ]
    assert (about["mask"], about["outputs"]) == ("mask", ["outputs", "prediction", "probabilities"])
    assert [one.shape[0] for one in (*session.get_inputs(), *session.get_outputs())] == ["batch"] * 6
    extra = {"raymm.json": ""}
    torch.export.load(tmp_path / "m.pt2", extra_files=extra)
    assert json.loads(extra["raymm.json"]) == about
    trained = raymm.load(folder / "r")
    rows = data.rows("test")
    columns = {name: list(data.shards.read(name, rows)) for name in ("m0", "m2")}
    wanted = trained.predict(columns, progress=None)
    given = {name: np.stack(column) for name, column in columns.items()}
    found = session.run(["outputs"], {**given, "mask": np.ones((12, 2), bool)})[0]
    assert found == pytest.approx(wanted.outputs, abs=1e-5)


def test_an_exported_model_without_its_data_is_compared_on_samples_that_are_made_up(finished, tmp_path):
    found = raymm.export(finished[0] / "r" / "result" / "model", torch=tmp_path / "m.pt2", samples=9, progress=None)
    assert (found.samples, found.where) == (9, "that were made up")
    assert "largest difference from raymm" in found.summary()
    assert found.to_pandas()["input"].tolist() == ["m0", "m2"]


def test_mistakes_are_named_before_anything_is_done(finished, tmp_path, capfd):
    run_folder = finished[0] / "r"
    with pytest.raises(ConfigError, match=r"name a file: --onnx FILE.onnx, --torch FILE.pt2, or both"):
        raymm.export(run_folder, progress=None)
    with pytest.raises(ConfigError, match=r"--onnx m.pt2: give it a name that ends in .onnx(.|\n)*ends in .pt2"):
        raymm.export(run_folder, onnx="m.pt2", torch="m.onnx", progress=None)
    with pytest.raises(ConfigError, match="samples=0"):
        raymm.export(run_folder, torch=tmp_path / "m.pt2", samples=0, progress=None)
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="file: is there already, and is no folder; choose another name"):
        raymm.export(run_folder, torch=tmp_path / "file" / "m.pt2", progress=None)
    other = gappy_dataset(tmp_path / "d", 2, SPLITS, (0.3, 0.4), "classification")
    with pytest.raises(CheckpointError, match="modalities: the model reads m0"):
        raymm.export(run_folder, torch=tmp_path / "m.pt2", data=other, progress=None)
    with pytest.raises(SystemExit):
        main(["export", str(tmp_path / "none"), "--torch", "m.pt2"])
    assert "no model there" in capfd.readouterr().err


def test_without_the_extra_it_says_what_to_install(finished, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(ConfigError, match=r"onnx cannot be imported .*pip install 'raymm\[onnx\]'"):
        raymm.export(finished[0] / "r", onnx=tmp_path / "m.onnx", progress=None)


def test_a_form_has_one_name_for_each_thing():
    schema = Schema(
        modalities=[{"name": name, "kind": "vector", "size": 1} for name in ("mask", "mask_")], classes=["a", "b"]
    )
    form = form_of_graph(schema, ("mask", "mask_"), ("outputs", "prediction"))
    assert form.names == ("mask", "mask_", "mask__")
