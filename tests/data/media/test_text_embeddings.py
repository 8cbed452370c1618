"""Texts become vectors: by any encoder that is handed in, or a model in a local folder; mistakes are named."""

import sys

import numpy as np
import pytest
from click.testing import CliRunner

from raymm.cli.prepare import prepare as verb
from raymm.data.dataset import open_dataset
from raymm.data.manifest import load_manifest
from raymm.data.media.text_embeddings import SentenceEncoder, open_encoder, parse_encoders
from raymm.data.prepare import chunks_of, finish, run_here
from raymm.data.schema_inference import build_schema, parse_kinds
from raymm.errors import ConfigError, DataError
from tests.data.clips import SPLITS, manifest

KINDS = {"title": "text", "view": "vector"}
PACKAGE = """
import numpy as np

LOADED = []

class SentenceTransformer:
    def __init__(self, folder, *, device, local_files_only):
        if "broken" in folder:
            raise OSError("no weights in it")
        assert (device, local_files_only) == ("cpu", True)
        LOADED.append(folder)

    def encode(self, texts, *, batch_size, show_progress_bar):
        return np.array([[len(text), text.count("e"), 1.0] for text in texts])
"""


def lengths(texts):
    return np.array([[len(text), text.count("e")] for text in texts], np.float32)


def rows_of_texts():
    keys = [(split, label) for split in SPLITS for label in "ab"]
    return [
        {"sample_id": f"s{n}", "label": label, "split": split, "title": f"{n} were / here" * (n + 1)}
        for n, (split, label) in enumerate(keys)
    ]


def prepared(folder, encode=lengths, settings=(), name="lengths@1", rows=None):
    kinds = parse_kinds("title:text")
    listing = load_manifest(manifest(folder, rows or rows_of_texts()), folder, kinds)
    encoders = {"title": SentenceEncoder(name, encode)}
    schema = build_schema(kinds, listing, folder, settings, encoders)
    reports = list(run_here(chunks_of(listing.records, encoders), schema, folder, folder / "out"))
    finish(folder / "out", schema, reports, "quarantine")
    return reports


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A stand-in for sentence-transformers, whose vectors are easy to foresee."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sentence_transformers.py").write_text(PACKAGE)
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    monkeypatch.delitem(sys.modules, "sentence_transformers", raising=False)
    yield lambda: sys.modules["sentence_transformers"].LOADED
    sys.modules.pop("sentence_transformers", None)


@pytest.fixture
def model(tmp_path):
    folder = tmp_path / "minilm"
    folder.mkdir()
    (folder / "modules.json").write_text("[]")
    (folder / "weights").write_bytes(b"1")
    return folder


def test_texts_become_vectors_and_the_schema_says_by_which_encoder(tmp_path):
    rows = rows_of_texts()
    prepared(tmp_path)
    dataset = open_dataset(tmp_path / "out")
    spec = dataset.schema["title"]
    assert (spec.kind, spec.shape, spec.encoder) == ("vector", (2,), "lengths@1")
    assert np.array_equal(dataset.shards.read("title", np.arange(6)), lengths(row["title"] for row in rows))
    assert len(dataset.statistics["title"]["mean"]) == 2


def test_an_empty_text_is_a_missing_modality(tmp_path):
    rows = rows_of_texts()
    rows[3]["title"] = ""
    with pytest.raises(DataError, match="without the quarantined samples split 'val' has no sample of class b"):
        prepared(tmp_path, rows=rows)
    said = (tmp_path / "out" / "quarantine.csv").read_text()
    assert "s3,,,every modality is missing" in said


def test_texts_of_a_chunk_are_encoded_together(tmp_path):
    calls = []

    def encode(texts):
        calls.append(len(texts))
        return lengths(texts)

    prepared(tmp_path, encode)
    assert calls == [1, 6]  # the first finds out the size


def test_another_encoder_makes_the_shards_again(tmp_path):
    again = [prepared(tmp_path, name=name)[0].reused for name in ("a@1", "a@1", "a@2")]
    assert again == [False, True, False]


@pytest.mark.parametrize(
    ("encode", "shape"), [(lambda texts: np.zeros(3), r"\[3\]"), (lambda texts: np.zeros((2, 3)), r"\[2, 3\]")]
)
def test_an_encoder_must_give_a_row_for_each_text(tmp_path, encode, shape):
    with pytest.raises(
        ConfigError, match=rf"'lengths@1': gives shape {shape} for one text; it must give \[1, size\]"
    ):
        prepared(tmp_path, encode)


def test_a_vector_that_is_not_finite_names_the_sample(tmp_path):
    with pytest.raises(DataError):
        prepared(tmp_path, lambda texts: np.where(lengths(texts) == 39, np.nan, lengths(texts)))
    assert "s2,,title,holds 1 values that are NaN or infinite" in (tmp_path / "out" / "quarantine.csv").read_text()


@pytest.mark.parametrize("setting", ["title.max_tokens=3", "title.size=3", "title.encoder=x"])
def test_an_encoded_text_has_no_settings(tmp_path, setting):
    with pytest.raises(ConfigError, match=f"'{setting}': no field"):
        prepared(tmp_path, settings=[setting])


def test_nobody_writes_the_encoder_of_a_vector_by_hand(tmp_path):
    kinds = parse_kinds("title:vector")
    with pytest.raises(ConfigError, match="no field 'encoder'"):
        build_schema(
            kinds, load_manifest(manifest(tmp_path, rows_of_texts()), tmp_path, kinds), tmp_path, ["title.encoder=x"]
        )


def test_every_mistake_in_the_option_is_named(tmp_path, model):
    options = ["title", "titel=x", "view=x", "title=nowhere", f"title={model}", f"title={model}"]
    with pytest.raises(ConfigError) as caught:
        parse_encoders(options, KINDS)
    for words in (
        "'title': write it as modality=folder",
        "'titel=x': no modality 'titel'; did you mean 'title'?",
        "'view=x': 'view' is vector, only text is encoded; write --modalities view:text",
        "'title=nowhere': there is no sentence-transformers model in nowhere (no modules.json)",
        "'title' has an encoder already",
    ):
        assert words in str(caught.value)


def test_the_name_tells_the_folder_and_what_is_in_it(model):
    before = open_encoder(model).name
    assert before.startswith("minilm@sha256:")
    (model / ".cache").mkdir()
    (model / ".cache" / "lock").write_text("1")
    assert open_encoder(model).name == before
    (model / "weights").write_bytes(b"2")
    assert open_encoder(model).name != before


def test_without_the_package_the_error_says_what_to_install(model, monkeypatch):
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(ConfigError, match=r"sentence-transformers cannot be imported.*pip install 'raymm\[text\]'"):
        open_encoder(model).encode(["a"])


def test_a_folder_that_cannot_be_loaded(tmp_path, package):
    with pytest.raises(ConfigError, match=r"broken cannot be loaded as a sentence encoder \(no weights in it\)"):
        open_encoder(tmp_path / "broken").encode(["a"])


def test_the_verb_loads_the_model_once_and_stores_its_vectors(tmp_path, package, model):
    arguments = [
        "--manifest",
        manifest(tmp_path, rows_of_texts()),
        "--media-root",
        tmp_path,
        "--out",
        tmp_path / "out",
    ]
    arguments += ["--modalities", "title:text", "--sentence-encoder", f"title={model}", "--backend", "local"]
    result = CliRunner().invoke(verb, [str(argument) for argument in arguments], catch_exceptions=False)
    assert "6 samples, 2 classes: title [3]" in result.output
    assert open_dataset(tmp_path / "out").schema["title"].encoder == open_encoder(model).name
    assert "nothing has changed" in CliRunner().invoke(verb, [str(argument) for argument in arguments]).stderr
    assert package() == [str(model)]
