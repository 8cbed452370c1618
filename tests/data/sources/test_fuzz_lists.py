"""Lists of any content: a source reads them or says what is wrong, and never fails in another way."""

import json
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from raymm.data.sources import collect, write_collection
from raymm.errors import DataError
from tests.data.sources.trees import TREES

LISTS = {
    "kinetics_sounds": "my_train.txt",
    "vggsound": "vggsound.csv",
    "ave": "trainSet.txt",
    "crema_d": "train.csv",
    "food101": "texts/train_titles.csv",
    "ucf101": "ucfTrainTestlist/trainlist01.txt",
    "nvgesture": "nvgesture_train_correct_cvpr2016_v2.lst",
    "mm_debiased": "MM-Debiased.json",
}
WORDS = st.sampled_from(
    [",", "&", " ", "/", ":", '"', "\n", "\r\n", "\0", "..", "1", "9" * 5_000, "train", "label", "ä"]
)


@pytest.fixture(scope="module", params=sorted(LISTS))
def tree(request, tmp_path_factory):
    root = tmp_path_factory.mktemp(request.param) / "root"
    root.mkdir()
    TREES[request.param](root)
    path = root / LISTS[request.param]
    return request.param, root, path, path.read_text()


def collected(name, root):
    with suppress(DataError):
        write_collection(collect(name, root), root.parent / "data")


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(WORDS, max_size=12), st.integers(0, 400))
def test_changed_lists_are_read_or_refused(tree, words, place):
    name, root, path, content = tree
    path.write_text(content[:place] + "".join(words) + content[place:], newline="")
    collected(name, root)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=60))
def test_bytes_are_read_or_refused(tree, content):
    name, root, path, _ = tree
    path.write_bytes(content)
    collected(name, root)


@pytest.mark.parametrize("line", ["-3Mwkq-7TV4_{0},10,3\n", "-3Mwkq-7TV4_2,10,{0}\n"])
def test_numbers_of_thousands_of_digits_are_no_seconds_and_no_classes(tmp_path, line):
    TREES["kinetics_sounds"](tmp_path)
    path = tmp_path / LISTS["kinetics_sounds"]
    path.write_text(path.read_text() + line.format("9" * 5_000))
    with suppress(DataError):
        collect("kinetics_sounds", tmp_path)


def test_a_clip_whose_second_has_thousands_of_digits_is_left_out(tmp_path):
    TREES["mm_debiased"](tmp_path)
    path = tmp_path / LISTS["mm_debiased"]
    clips = json.loads(path.read_text())
    known = clips.get("database", clips)
    known[f"abcdefghijk_{'9' * 5_000}"] = next(iter(known.values()))
    path.write_text(json.dumps(clips))
    with suppress(DataError):
        collect("mm_debiased", tmp_path)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.sampled_from(["training", "bowling", "\ud800", ""]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["subset", "label", "database", "\udcff", "-A000000000_20"]), inner, max_size=4
        )
    ),
)


@given(JSON)
def test_any_json_is_read_or_refused(tmp_path_factory, content):
    root = tmp_path_factory.mktemp("json") / "root"
    (root / "videos").mkdir(parents=True)
    (root / "videos" / "-A000000000_20.mp4").touch()
    (root / "MM-Debiased.json").write_text(json.dumps(content))
    collected("mm_debiased", root)


def test_ids_of_mosei_that_cannot_be_used_are_said(tmp_path):
    TREES["cmu_mosei"](tmp_path)
    with np.load(tmp_path / "mosei_senti_data.npz") as arrays:
        good = dict(arrays)
    for ids, words in ((np.array("x"), "train_id has the shape []; expected 6 rows"), (np.zeros((5, 3)), "[5, 3]")):
        np.savez(tmp_path / "mosei_senti_data.npz", **{**good, "train_id": ids})
        with pytest.raises(DataError) as said:
            collect("cmu_mosei", tmp_path)
        assert words in str(said.value)
    np.savez(tmp_path / "mosei_senti_data.npz", **good)
    content = bytearray((tmp_path / "mosei_senti_data.npz").read_bytes())
    content[content.rindex("train2".encode("utf-32-le"))] ^= 0xFF
    (tmp_path / "mosei_senti_data.npz").write_bytes(bytes(content))
    with pytest.raises(DataError, match=r"train_id cannot be read \(Bad CRC-32"):
        collect("cmu_mosei", tmp_path)
