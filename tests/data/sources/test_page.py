"""What docs/manifests.md says about sources is what they are."""

import pickle

import numpy as np

from raymm.data.sources import SOURCES, collect
from tests.data.sources import trees
from tests.data.sources.page import PAGE, settings, table
from tests.docs.snippets import snippets_of


def test_the_table_of_sources_is_that_of_the_sources():
    assert table() in PAGE.read_text()
    assert settings() in PAGE.read_text()  # else `python -m tests.data.sources.page`


def test_every_source_says_what_a_person_must_know():
    for name in SOURCES:
        source = SOURCES.get(name)
        assert all((source.title, source.layout, source.splits, source.classes, source.trap, source.modalities)), name


def test_the_documented_conversion_of_the_published_pickle_is_read(tmp_path):
    trees.cmu_mosei(tmp_path)
    expected = collect("cmu_mosei", tmp_path)
    with np.load(tmp_path / "mosei_senti_data.npz") as arrays:
        splits = {
            split: {key.partition("_")[2]: arrays[key] for key in arrays if key.startswith(f"{split}_")}
            for split in ("train", "valid", "test")
        }
    for about in splits.values():
        about["id"] = about["id"].astype(object)
    (tmp_path / "mosei_senti_data.pkl").write_bytes(pickle.dumps(splits))
    (tmp_path / "mosei_senti_data.npz").unlink()
    (snippet,) = [found for found in snippets_of(PAGE.name, PAGE.read_text()) if found.file == "convert_mosei.py"]
    namespace = {}
    exec(snippet.text, namespace)
    namespace["convert"](tmp_path / "mosei_senti_data.pkl", tmp_path / "mosei_senti_data.npz")
    assert collect("cmu_mosei", tmp_path) == expected
