"""Labels of a manifest: the task is guessed and said, several labels a sample are stored, numbers are not classes."""

import re
import unicodedata
from collections import Counter

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from raymm.cli.prepare import prepare as verb
from raymm.config import ViewConfig
from raymm.data import BatchReader, Sample, Schema, VectorSpec, open_dataset, write_dataset
from raymm.data.in_memory import MemoryRows
from raymm.data.labels import choose_task, parse_task
from raymm.data.manifest import load_manifest
from raymm.errors import ConfigError, DataError
from raymm.tasks import Classification, MultiLabel
from raymm.tasks.multilabel import MultiLabelSettings
from tests.data.clips import SPLITS, manifest

TITLE = {"title": "text"}
MOODS = ["happy|loud", "calm", "", "loud", "calm | happy", "happy"]


def rows_of(labels, splits=SPLITS):
    return [
        {"sample_id": f"{split}-{n}", "title": f"t{n}", "label": label, "split": split}
        for split in splits
        for n, label in enumerate(labels)
    ]


def run(folder, rows, *options):
    arguments = ["--manifest", manifest(folder, rows), "--media-root", folder, "--out", folder / "out"]
    more = ["--modalities", "title:text", "--backend", "local", *options]
    return CliRunner().invoke(verb, [*map(str, arguments), *more])


INVISIBLE = ["\u200b", "\u200d", "\u2060", "\ufeff", "\u00ad"]


def spellings(word, mark, place):
    """A word in several spellings that look alike."""
    place = 1 + place % (len(word) - 1)
    composed, apart = (unicodedata.normalize(form, word) for form in ("NFC", "NFD"))
    return [composed, apart, f"{composed[:place]}{mark}{composed[place:]}", f"{apart}{mark}"]


@settings(max_examples=20)
@given(
    word=st.sampled_from(["café", "Ärger", "plain", "한국", "ş x"]),
    mark=st.sampled_from(INVISIBLE),
    place=st.integers(0, 9),
    used=st.sets(st.integers(0, 3), min_size=1),
    everywhere=st.booleans(),
)
def test_labels_that_look_alike_are_named_with_their_counts(tmp_path_factory, word, mark, place, used, everywhere):
    folder = tmp_path_factory.getbasetemp()
    spelt = [spellings(word, mark, place)[number] for number in sorted(used)]
    rows = rows_of([*spelt, "other", "cafe", spelt[0]])
    rows = rows if everywhere else rows[: len(rows) // 3 + 1]
    counts = Counter(row["label"].strip() for row in rows)
    alike = [f"{name!a} ({number} sample{'s' * (number > 1)})" for name, number in counts.items() if name in spelt]
    if everywhere:
        said = " ".join(load_manifest(manifest(folder, rows), folder, TITLE).notes)
    else:
        with pytest.raises(DataError, match="has no sample of class") as caught:
            load_manifest(manifest(folder, rows), folder, TITLE)
        said = str(caught.value)
    found = re.findall(r"classes look alike: (.*); give each one spelling", said)
    assert [sorted(one.split(" and ")) for one in found] == ([sorted(alike)] if len(alike) > 1 else [])


@settings(max_examples=15)
@given(single=st.integers(0, 20), several=st.integers(2, 12))
def test_classes_that_mostly_have_one_sample_are_doubted(tmp_path_factory, single, several):
    folder = tmp_path_factory.getbasetemp()
    rows = rows_of([f"c{number}" for number in range(several)])
    rows += [{**rows[0], "sample_id": f"x{number}", "label": f"only {number}"} for number in range(single)]
    words = f"{single} of {single + several} classes have one sample only; is 'label' the column of the classes"
    if not single:
        assert load_manifest(manifest(folder, rows), folder, TITLE).notes == ()
        return
    with pytest.raises(DataError, match="has no sample of class") as caught:
        load_manifest(manifest(folder, rows), folder, TITLE)
    assert (words in str(caught.value)) == (single > several and single + several >= 10)


@settings(max_examples=15)
@given(shifted=st.sets(st.integers(1, 12), max_size=4), empty=st.integers(1, 3))
def test_cells_that_a_comma_shifts_behind_the_columns_are_said(tmp_path_factory, shifted, empty):
    folder = tmp_path_factory.getbasetemp()
    lines = [f"t,split,label{',' * empty}"]
    for row, (split, label) in enumerate(((split, label) for split in SPLITS for label in "abab"), start=1):
        end = "," * (empty - (row in shifted))
        lines.append(f"word,{split},{label}{', more' * (row in shifted)}{end}")
    (folder / "shift.csv").write_text("\n".join(lines))
    notes = load_manifest(folder / "shift.csv", folder, {"t": "text"}).notes
    said = re.findall(
        r"(\d+) rows? ha\w+ cells behind the last column with a name \(first: row (\d+)\)", " ".join(notes)
    )
    assert said == ([(str(len(shifted)), str(min(shifted)))] if shifted else [])


def test_several_labels_a_sample_are_guessed_said_and_stored(tmp_path):
    done = run(tmp_path, rows_of(MOODS))
    assert done.exit_code == 0, done.output
    assert (
        "note: labels look like several a sample (happy|loud): taken as multilabel; --task classification takes"
        in done.stderr
    )
    assert "18 samples, 3 classes" in done.stdout
    dataset = open_dataset(tmp_path / "out", check=True)
    assert (dataset.schema.task, dataset.schema.classes) == (MultiLabel(), ("calm", "happy", "loud"))
    expected = [[0, 1, 1], [1, 0, 0], [0, 0, 0], [0, 0, 1], [1, 1, 0], [0, 1, 0]]
    assert dataset.label.dtype == bool
    assert dataset.label.tolist() == [[bool(on) for on in row] for row in expected * 3]
    batch = BatchReader(dataset, ViewConfig()).batch(np.array([0, 4]))
    assert batch.labels.tolist() == [[False, True, True], [True, True, False]]


def test_classification_can_be_asked_for(tmp_path):
    done = run(tmp_path, rows_of(["happy|loud", "calm"]), "--task", "classification")
    assert done.exit_code == 0, done.output
    assert "note" not in done.stderr
    dataset = open_dataset(tmp_path / "out")
    assert (dataset.schema.task, dataset.schema.classes) == (Classification(), ("calm", "happy|loud"))
    assert dataset.label.tolist() == [1, 0] * 3


def test_settings_of_the_task_are_kept_by_the_data_set(tmp_path):
    done = run(
        tmp_path,
        rows_of(["a;b", "b", "a"]),
        "--task=multilabel",
        "--task-setting=separator=;",
        "--task-setting=match=.5",
    )
    assert done.exit_code == 0, done.output
    schema = open_dataset(tmp_path / "out").schema
    assert schema.task == MultiLabel(MultiLabelSettings(separator=";", match=0.5))
    assert Schema.model_validate(schema.model_dump(mode="json")) == schema


def test_lists_of_a_parquet_manifest_are_labels(tmp_path):
    labels = [["happy", "loud"], ["calm"], [], ["loud"]]
    pq.write_table(pa.Table.from_pylist(rows_of(labels)), tmp_path / "m.parquet")
    loaded = load_manifest(tmp_path / "m.parquet", tmp_path, TITLE)
    assert loaded.task == MultiLabel()
    assert [tuple(record.label) for record in loaded.records[:4]] == [
        (False, True, True),
        (True, False, False),
        (False, False, False),
        (False, False, True),
    ]


def test_a_rare_label_may_be_absent_from_validation_but_not_from_training(tmp_path):
    rows = [*rows_of(["a|b", "b"]), {"sample_id": "x", "title": "x", "label": "c", "split": "train"}]
    assert load_manifest(manifest(tmp_path, rows), tmp_path, TITLE).classes == ("a", "b", "c")
    rows[-1]["split"] = "test"
    with pytest.raises(DataError, match="split 'train' has no sample of class c; put some there"):
        load_manifest(manifest(tmp_path, rows), tmp_path, TITLE)


def test_very_many_labels_of_few_samples_each_are_refused_before_their_marks_fill_the_memory(tmp_path, monkeypatch):
    monkeypatch.setattr("raymm.data.labels.MARKS", 30 * 30 - 1)
    rows = [{"sample_id": f"s{row}", "label": f"l{row}|l{(row + 1) % 30}", "pose": f"{row}.npy"} for row in range(30)]
    table, kinds = manifest(tmp_path, rows), {"pose": "vector"}
    said = re.escape(
        f"{table}: 30 different labels in 30 samples, 2.0 samples a label on average: marks of all labels of all "
        "samples would take 0.0 GB, several times; leave out labels of few samples, or, where all are meant, name "
        "them by --classes; is 'label' the column of the labels?"
    )
    with pytest.raises(DataError, match=f"^{said}$"):
        load_manifest(table, tmp_path, kinds)
    named = load_manifest(table, tmp_path, kinds, classes=[f"l{label}" for label in range(30)])
    assert [record.label.sum() for record in named.records] == [2] * 30
    monkeypatch.setattr("raymm.data.labels.FEW", 2)
    assert len(load_manifest(table, tmp_path, kinds).classes) == 30


def test_very_many_labels_that_are_asked_for_must_have_a_large_manifest(tmp_path, monkeypatch):
    rows = [{"label": "a|b", "pose": f"{row}.npy"} for row in range(30)]
    table, kinds = manifest(tmp_path, rows), {"pose": "vector"}
    size, classes = table.stat().st_size, ["a", "b", *(f"c{number}" for number in range(28))]
    monkeypatch.setattr("raymm.data.labels.MARKS", 30 * 30 - 1)
    monkeypatch.setattr("raymm.data.labels.MARKS_A_BYTE", 0)
    said = re.escape(
        f"{table}: 30 labels of --classes for 30 samples in {size} bytes: marks of all labels of all samples would "
        "take 0.0 GB, several times; name fewer labels"
    )
    with pytest.raises(DataError, match=f"^{said}$"):
        load_manifest(table, tmp_path, kinds, classes=classes)
    monkeypatch.setattr("raymm.data.labels.MARKS_A_BYTE", -(-30 * 30 // size))
    with pytest.raises(DataError, match="has no sample of class c0"):
        load_manifest(table, tmp_path, kinds, classes=classes)


def test_splits_are_dealt_within_the_rarest_label(tmp_path):
    rows = [
        {"sample_id": f"{label}{n}", "title": "t", "label": label} for label in ("a", "a|b", "") for n in range(20)
    ]
    records = load_manifest(manifest(tmp_path, rows), tmp_path, TITLE).records
    for label in {tuple(record.label) for record in records}:
        splits = [record.split for record in records if tuple(record.label) == label]
        assert [splits.count(split) for split in SPLITS] == [14, 3, 3]


def test_whole_numbers_become_classes_and_that_is_said(tmp_path):
    done = run(tmp_path, rows_of([str(score) for score in range(-3, 4)]))
    assert done.exit_code == 0, done.output
    assert (
        "note: labels are whole numbers: taken as 7 classes without an order (-3, -2, -1, 0, 1 and 2 more); "
        "--task regression reads numbers" in done.stderr
    )


@pytest.mark.parametrize("labels", [["-0.004", "1.25", "3"], [0.5, 1.5], [1e-3, 2]])
def test_numbers_with_fractions_become_a_regression_and_that_is_said(labels):
    task, said = choose_task(labels)
    assert task.name == "regression"
    assert re.fullmatch(r"labels look continuous \(.*\): taken as regression; --task classification takes .*", said)


def test_many_numbers_with_fractions_are_said_in_a_few_words(tmp_path):
    rows = rows_of([str(number / 7) for number in range(100)])
    loaded = load_manifest(manifest(tmp_path, rows), tmp_path, TITLE)
    assert (loaded.task.name, loaded.classes) == ("regression", ("target",))
    (said,) = [note for note in loaded.notes if "continuous" in note]
    assert said.startswith("labels look continuous (0.0, 0.14")
    assert " and 95 more)" in said
    assert len(said) < 200
    assert len(load_manifest(manifest(tmp_path, rows), tmp_path, TITLE, task=Classification()).classes) == 100


def test_numbers_whose_exponent_is_beyond_all_are_said():
    cells = ["1e-99999999999999999999", "1", "0.5"]
    assert "labels look continuous (1e-99999999999999999999, 0.5, 1)" in choose_task(cells)[1]


@pytest.mark.parametrize("labels", [["cat", "dog"], ["nan", "cat"], ["1", "two"], [None, "a"], [], ["v1.5", "2"]])
def test_names_are_classes_without_a_word(labels):
    assert choose_task(labels) == (Classification(), "")


def test_absent_classes_are_counted_when_there_are_many(tmp_path):
    rows = [*rows_of(["a", "b"]), *rows_of([f"c{n}" for n in range(30)], ["train"])]
    rows = [{**row, "sample_id": str(number)} for number, row in enumerate(rows)]
    with pytest.raises(DataError, match="split 'test' has no sample of class c0, c1, c10, c11, c12 and 25 more"):
        load_manifest(manifest(tmp_path, rows), tmp_path, TITLE)


@pytest.mark.parametrize(
    ("name", "settings", "words"),
    [
        ("multilable", [], "no task 'multilable'; did you mean 'multilabel'"),
        ("multilabel", ["separatr=;"], "separatr: no such setting; did you mean 'separator'"),
        ("multilabel", ["separator"], "write it as field=value"),
        (None, ["separator=;"], "name it by --task"),
        ("raymm.data:Schema", [], "is no subclass of raymm.tasks.Task"),
    ],
)
def test_tasks_that_cannot_be(name, settings, words):
    with pytest.raises(ConfigError, match=words):
        parse_task(name, settings)


SCHEMA = Schema(modalities=(VectorSpec(name="v", size=1),), classes=("a", "b", "c"), task="multilabel")


@pytest.mark.parametrize("label", [1, (True, False)])
def test_a_label_of_another_task_is_named(tmp_path, label):
    samples = [Sample("s", "train", label, {"v": np.ones(1)})]
    with pytest.raises(DataError, match=r"sample 's': .*label"):
        write_dataset(tmp_path / "d", samples, SCHEMA)


def test_labels_of_written_samples_come_back_over_shards(tmp_path):
    generator = np.random.default_rng(0)
    labels = generator.random((600, 3)) < 0.4
    samples = (Sample(f"s{n}", SPLITS[n % 3], tuple(label), {"v": np.ones(1)}) for n, label in enumerate(labels))
    dataset = open_dataset(write_dataset(tmp_path / "d", samples, SCHEMA))
    assert np.array_equal(dataset.label, labels)


def test_rows_in_memory_have_no_labels_of_the_right_form():
    assert MemoryRows(SCHEMA, {"v": [[1.0], [2.0]]}).label.tolist() == [[False] * 3] * 2


def test_the_schema_names_the_task_only_where_it_is_another():
    assert SCHEMA.model_dump(mode="json")["task"] == {
        "name": "multilabel",
        "threshold": 0.5,
        "match": 1.0,
        "separator": "|",
    }
    plain = Schema(modalities=SCHEMA.modalities, classes=("a", "b"))
    assert set(plain.model_dump(mode="json")) == {"modalities", "classes"}
    assert plain != Schema(modalities=SCHEMA.modalities, classes=("a", "b"), task="multilabel")
    with pytest.raises(ValueError, match="1 classes; classification needs 2 or more"):
        Schema(modalities=SCHEMA.modalities, classes=("a",))
    assert Schema(modalities=SCHEMA.modalities, classes=("a",), task="multilabel").classes == ("a",)


@pytest.mark.parametrize("labels", [["a", None], [None], ["a", ""], ["b", "  "]], ids=str)
def test_an_empty_one_in_a_list_of_labels_is_refused_by_row(tmp_path, labels):
    lists = [["a"], ["b"], labels]
    pq.write_table(pa.Table.from_pylist(rows_of(lists)), tmp_path / "m.parquet")
    with pytest.raises(DataError) as caught:
        load_manifest(tmp_path / "m.parquet", tmp_path, TITLE)
    words = f"row 3, sample 'train-2': the list of labels {labels} has an empty one; leave it out of the list"
    assert words in str(caught.value)
