"""Files in, answers out: against the rows of the prepared data set, and the definition of the Shapley value."""

import csv
import re
from itertools import permutations
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

import raymm
from raymm.api.predictions import Predictions
from raymm.data.dataset import open_dataset
from raymm.data.media.write import write_clip, write_wav
from raymm.data.reader import BatchReader
from raymm.errors import ConfigError, DataError
from raymm.models.export import export_model, load_model
from raymm.models.model import build_model
from tests.cli.calling import call, result_in
from tests.data.clips import RATE, collection, cut, flashes, manifest, prepare, tone
from tests.games import settings

NAMES = ("audio", "rgb", "flow", "caption")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Clips with captions, as files, as a data set, and an untrained model of it."""
    folder = tmp_path_factory.mktemp("predict")
    rows = collection(folder / "clips", "mp4")
    for number, row in enumerate(rows):
        row["caption"] = "" if number == 2 else f"the {row['label']} one, number {number}"
        write_clip(
            folder / "clips" / row["file"], flashes(start=0.06 * number), 25, tone(frequency=300 + 90 * number)
        )
    small = ("rgb.height=16", "rgb.width=16", "flow.height=16", "flow.width=16")
    kinds = "audio,rgb,flow,caption:text"
    prepare(manifest(folder, rows), folder / "clips", kinds, folder / "data", settings=small)
    dataset = open_dataset(folder / "data")
    config = settings(view={"noise_db": {"audio": -5.0}})
    export_model(folder / "model", build_model(dataset.schema, config.model, 3), config, dataset)
    return folder, rows, dataset


@pytest.fixture(scope="module")
def trained(place):
    return raymm.load(place[0] / "model")


def stored_outputs(place, trained, names=NAMES):
    """Outputs for the rows of the data set, of which some modalities are kept."""
    view = trained.config.view.model_copy(update={"noise_db": {}})
    dataset = place[2]
    kept = np.isin(dataset.schema.names, names)[None].repeat(len(dataset), 0)
    with torch.inference_mode():
        return trained.model(BatchReader(dataset, view).batch(np.arange(len(dataset)), kept)).numpy()


def given(place):
    """Each sample by its clip and its caption."""
    return [{"file": place[0] / "clips" / row["file"], "caption": row["caption"] or None} for row in place[1]]


def test_files_have_the_outputs_of_the_rows_that_were_prepared_from_them(place, trained):
    found = trained.predict(given(place), progress=None)
    assert isinstance(found, Predictions)
    assert not found.failed
    assert np.array_equal(found.outputs, stored_outputs(place, trained))
    probabilities = np.exp(found.outputs) / np.exp(found.outputs).sum(1, keepdims=True)
    assert found.probabilities == pytest.approx(probabilities)
    assert found.labels == [trained.schema.classes[row] for row in probabilities.argmax(1)]
    assert found.probability == pytest.approx(probabilities.max(1))
    assert found.samples == [str(place[0] / "clips" / row["file"]) for row in place[1]]


def test_contributions_are_shapley_values_of_the_answers_probability(place, trained):
    found = trained.predict(given(place), progress=None)
    answer = found.outputs.argmax(1)
    worth = {}
    for pattern in range(16):
        names = tuple(name for bit, name in enumerate(NAMES) if pattern >> bit & 1)
        outputs = stored_outputs(place, trained, names)
        worth[frozenset(names)] = (np.exp(outputs) / np.exp(outputs).sum(1, keepdims=True))[
            range(len(answer)), answer
        ]
    for row in range(len(found)):
        players = [name for name in NAMES if not (name == "caption" and row == 2)]
        phi = dict.fromkeys(players, 0.0)
        orders = list(permutations(players))
        for order in orders:
            for place_of, name in enumerate(order):
                before = worth[frozenset(order[:place_of])][row]
                phi[name] += (worth[frozenset(order[: place_of + 1])][row] - before) / len(orders)
        for position, name in enumerate(NAMES):
            expected = phi.get(name, np.nan)
            assert found.phi[row, position] == pytest.approx(expected, abs=1e-6, nan_ok=True)
    assert found.utility == "probability"


def test_all_forms_of_one_sample_have_one_answer(place, trained, tmp_path):
    dataset, file = place[2], str(place[0] / "clips" / place[1][1]["file"])
    text = place[1][1]["caption"]
    (tmp_path / "said.txt").write_text(f"{text}\n")
    arrays = {name: dataset.shards.read(name, np.array([1]))[0] for name in NAMES[:3]}
    forms = [
        {"file": file, "caption": text},
        {"audio": file, "rgb": file, "flow": file, "caption": text},
        {"file": file, "caption": tmp_path / "said.txt"},
        {"file": [file], "caption": [text]},
        {**arrays, "caption": text},
        {**{name: torch.from_numpy(value) for name, value in arrays.items()}, "caption": text},
        {"file": file, "audio": arrays["audio"], "caption": text},
        {**{name: value[None] for name, value in arrays.items()}, "caption": [text]},
        pd.DataFrame({"file": [file], "caption": [text], "audio": [np.nan]}).drop(columns="audio"),
        pd.DataFrame({**{name: [value] for name, value in arrays.items()}, "caption": [text]}),
    ]
    expected = stored_outputs(place, trained)[1]
    for form in forms:
        found = trained.predict(form, progress=None)
        assert len(found) == 1
        assert found.outputs[0] == pytest.approx(expected, abs=1e-5), form
    assert trained.predict(forms, progress=None).outputs == pytest.approx(np.stack([expected] * len(forms)), abs=1e-5)


def test_a_modality_that_is_not_given_is_missing(place, trained, tmp_path):
    clip = place[0] / "clips" / place[1][0]["file"]
    write_wav(tmp_path / "a.WAV", tone(), RATE)
    write_clip(tmp_path / "silent.mp4", flashes(), 25, None)
    for form, missing in [
        (clip, {"caption"}),
        (tmp_path / "a.WAV", {"rgb", "flow", "caption"}),
        (tmp_path / "silent.mp4", {"audio", "caption"}),
        ({"caption": "high"}, {"audio", "rgb", "flow"}),
        ({"file": clip, "audio": None}, {"audio", "caption"}),
    ]:
        row = trained.predict(form, progress=None).to_dicts()[0]
        assert {name for name in NAMES if row[f"phi_{name}"] is None} == missing
    outputs = trained.predict([row["file"] for row in given(place)], progress=None).outputs
    assert outputs == pytest.approx(stored_outputs(place, trained, NAMES[:3]), abs=1e-5)


def test_what_cannot_be_read_is_named_and_the_others_are_answered(place, trained, tmp_path):
    good = place[0] / "clips" / place[1][0]["file"]
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(good.read_bytes())
    cut(broken)
    (tmp_path / "empty.wav").touch()
    (tmp_path / "odd.txt").write_bytes(b"\xff\xfe\xff")
    (tmp_path / "a.xyz").write_text("?")
    wrong = [
        (broken, "cannot be decoded|truncated"),
        (tmp_path / "gone.mp4", "there is no file"),
        (tmp_path / "empty.wav", "is an empty file"),
        (tmp_path / "odd.txt", "no text in UTF-8"),
        (place[0] / "clips", rf"is a folder; give the files in it, such as {place[0] / 'clips'}/\S+\.mp4"),
        ({"audio": tmp_path}, "is a folder; give the files in it, such as"),
        (tmp_path / "a.xyz", "fits no modality by its suffix; say which it is: audio=FILE, rgb=FILE"),
        ({"audio": np.zeros(7, np.float32)}, r"has shape \[7\], the schema says \[6400\]"),
        ({"audio": None, "caption": " "}, "every modality is missing"),
    ]
    found = trained.predict([good, *(form for form, _ in wrong), good], progress=None)
    assert found.samples == [str(good)] * 2
    assert found.outputs[0] == pytest.approx(found.outputs[1], abs=1e-6)
    told = found.summary()
    for form, words in wrong:
        with pytest.raises(DataError, match=words) as error:
            trained.predict(form, progress=None)
        assert re.search(words, told)
        if not isinstance(form, dict):
            assert str(form) in str(error.value)
    assert "not read" in repr(found)


@pytest.mark.parametrize("kind", ["array", "objects", "bytes", "series", "arrow", "strings", "in_a_mapping", "one"])
def test_arrays_of_texts_are_taken_as_lists_are(place, trained, kind):
    clips = [str(place[0] / "clips" / row["file"]) for row in place[1][:2]]
    made = {
        "array": lambda: np.array(clips),
        "objects": lambda: np.array([Path(clip) for clip in clips], dtype=object),
        "bytes": lambda: np.array([clip.encode() for clip in clips]),
        "series": lambda: pd.Series(clips),
        "arrow": lambda: pa.array(clips),
        "strings": lambda: pd.array(clips, dtype="string"),
        "in_a_mapping": lambda: {"file": np.array(clips)},
        "one": lambda: np.array(clips[0]),
    }
    expected = trained.predict(clips[:1] if kind == "one" else clips, progress=None)
    found = trained.predict(made[kind](), progress=None)
    assert found.samples == expected.samples
    assert found.outputs == pytest.approx(expected.outputs, abs=1e-6)


def test_mistakes_of_the_call_are_said(place, trained):
    with pytest.raises(DataError, match="no modality 'audoi'; did you mean 'audio'"):
        trained.predict({"audoi": "a.wav"})
    with pytest.raises(DataError, match="columns must be of one length, and they are: caption 2, audio 1"):
        trained.predict({"caption": ["a", "b"], "audio": ["a.wav"]})
    with pytest.raises(DataError, match="caption is of one sample and audio a column"):
        trained.predict({"caption": "a", "audio": ["a.wav"]})
    with pytest.raises(DataError, match="a ndarray is of no modality; give a file"):
        trained.predict(np.zeros(3))
    with pytest.raises(DataError, match="a int is of no modality"):
        trained.predict(3)
    with pytest.raises(ConfigError, match=r"give samples, or a manifest$"):
        trained.predict()
    with pytest.raises(ConfigError, match="not both"):
        trained.predict("a.wav", manifest="m.csv")


def test_two_of_a_kind_are_not_guessed(tmp_path):
    data = raymm.write_dataset(
        tmp_path / "d", {"left": np.eye(3)[[0, 1] * 30], "right": np.eye(3)[[1, 2] * 30]}, labels=[0, 1] * 30
    ).open()
    export_model(tmp_path / "model", build_model(data.schema, settings().model, 0), settings(), data)
    np.save(tmp_path / "a.npy", np.eye(3, dtype=np.float32)[0])
    with pytest.raises(DataError, match="may be left or right; say which: left=FILE, right=FILE"):
        raymm.predict(tmp_path / "model", tmp_path / "a.npy", progress=None)
    file = raymm.predict(tmp_path / "model", {"left": tmp_path / "a.npy"}, progress=None)
    array = raymm.predict(tmp_path / "model", {"left": [1.0, 0.0, 0.0], "right": None}, progress=None)
    assert np.array_equal(file.outputs, array.outputs)


def test_the_verb_answers_files_and_manifests(place, trained, tmp_path, capfd):
    clips, rows = place[0] / "clips", place[1]
    checkpoint = ["predict", "--checkpoint", place[0] / "model"]
    words = [f"file={clips / rows[1]['file']},caption={rows[1]['caption']}", clips / rows[2]["file"]]
    code, out, said = call(capfd, *checkpoint, *words, "--json", "--out", tmp_path / "p.parquet")
    assert code == 0, said
    answers = result_in(out)
    expected = stored_outputs(place, trained)
    for row, number in zip(answers["predictions"], (1, 2), strict=True):
        probability = np.exp(expected[number]) / np.exp(expected[number]).sum()
        assert [row["probability_high"], row["probability_low"]] == pytest.approx(probability, abs=1e-5)
    assert answers["predictions"][1]["phi_caption"] is None
    assert pq.read_table(tmp_path / "p.parquet").to_pylist() == answers["predictions"]
    with (tmp_path / "m.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerows([["file", "caption"], *([row["file"], row["caption"]] for row in rows), ["gone.mp4", "x"]])
    code, out, said = call(
        capfd, *checkpoint, "--manifest", tmp_path / "m.csv", "--media-root", clips, "--out", tmp_path / "p.csv"
    )
    assert code == 1
    assert "not read: sample 'gone': gone.mp4: audio, rgb, flow: there is no file gone.mp4" in out
    assert "1 samples could not be read" in said
    table = pd.read_csv(tmp_path / "p.csv")
    assert table["sample"].tolist() == [row["file"].removesuffix(".mp4") for row in rows]
    assert table["prediction"].tolist() == [trained.schema.classes[row] for row in expected.argmax(1)]
    code, _, said = call(capfd, *checkpoint, "gone.wav")
    assert (code, said.strip()) == (2, "error: predict: gone.wav: audio: there is no file gone.wav")
    code, _, said = call(capfd, *checkpoint, "gone.wav", "--out", "p.xlsx")
    assert code == 2
    assert "written as .csv or .parquet" in said
    (tmp_path / "o.csv").write_text("file,caption\n../up.mp4,x\n")
    code, _, said = call(capfd, *checkpoint, "--manifest", tmp_path / "o.csv")
    assert code == 2
    assert "leaves the media root" in said


@pytest.mark.parametrize("task", ["multilabel", "regression"])
def test_other_tasks_are_answered(task, tmp_path):
    labels = [["a"], ["a", "b"], ["b"]] * 20 if task == "multilabel" else [0.5, 1.5, 2.25] * 20
    vectors = np.random.default_rng(0).normal(size=(60, 2, 3)).astype(np.float32)
    columns = {"one": vectors[:, 0], "two": vectors[:, 1]}
    data = raymm.write_dataset(tmp_path / "d", columns, labels=labels, task=task).open()
    export_model(tmp_path / "m", build_model(data.schema, settings().model, 0), settings(), data)
    found = raymm.predict(tmp_path / "m", {name: column[:5] for name, column in columns.items()}, progress=None)
    empty = torch.zeros(5, 2, dtype=torch.bool)
    model = load_model(tmp_path / "m").model
    with torch.inference_mode():
        nothing = model.fuse(torch.zeros(5, 2, model.size), empty)
    frame = found.to_pandas()
    total = frame["phi_one"] + frame["phi_two"]
    if task == "regression":
        assert frame["prediction"].tolist() == found.answers.prediction[:, 0].tolist()
        base = data.schema.task.predict(nothing)[:, 0].numpy()
        assert total.to_numpy() + base == pytest.approx(frame["prediction"].to_numpy(), abs=1e-5)
        assert found.utility == "answer"
    else:
        wide = 1 / (1 + np.exp(-found.outputs))
        assert frame[["probability_a", "probability_b"]].to_numpy() == pytest.approx(wide, abs=1e-6)
        assert (total.abs() > 0).all()
