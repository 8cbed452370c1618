"""The folder of a study: made once, opened again by the same settings on the same data only."""

import pytest
import yaml

from raymm.errors import CheckpointError, ConfigError, DataError
from raymm.study.settings import parse_study, read_study_file
from raymm.study.store import create_or_open, open_study
from tests.games import small_dataset
from tests.study.studies import SETTINGS, study_of

SAMPLES = 60


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    return small_dataset(tmp_path_factory.mktemp("other") / "e", 80)


def test_the_file_has_all_that_decides_a_study_and_makes_it_again(tmp_path, dataset, other):
    sets = {"d": dataset, "e": other}
    study = study_of(tmp_path / "s", sets, {"joint": None, "wide": {"method": "random", "model.feature_size": 32}})
    saved = yaml.safe_load((tmp_path / "s" / "study.yaml").read_text())
    assert saved["data"]["e"] == {"path": str(other.path), "digest": other.digest, "settings": {}}
    assert saved["resolved"]["common"]["training.epochs"] == 4
    assert saved["resolved"]["e/wide"]["model.feature_size"] == 32
    again = create_or_open(tmp_path / "t", parse_study(read_study_file(tmp_path / "s" / "study.yaml")))
    assert again.settings == study.settings
    assert again.key != study.key
    assert open_study(tmp_path / "s") == study
    assert study_of(tmp_path / "s", sets, {"joint": None, "wide": study.settings.arms["wide"]}) == study


def test_other_settings_are_refused_by_each_difference(tmp_path, dataset, other):
    study_of(tmp_path / "s", {"d": dataset}, ["joint", "random"])
    with pytest.raises(CheckpointError) as raised:
        study_of(
            tmp_path / "s",
            {"d": other},
            ["joint", "random"],
            seeds=[0],
            settings={**SETTINGS, "training": {**SETTINGS["training"], "epochs": 5}},
        )
    words = str(raised.value)
    assert "holds another study" in words
    assert "seeds: [0, 1] then, [0] now" in words
    assert f"data d: {dataset.digest} then, {other.digest} now" in words
    assert "training.epochs: 4 then, 5 now (d/joint, d/random)" in words
    assert len(words.splitlines()) == 4


def test_an_arm_more_is_another_study(tmp_path, dataset):
    study_of(tmp_path / "s", {"d": dataset}, ["joint", "random"])
    with pytest.raises(CheckpointError, match=r"method.name: not there then, sample now \(d/sample\)"):
        study_of(tmp_path / "s", {"d": dataset}, ["joint", "random", "sample"])


def test_a_setting_that_came_later_has_the_value_that_it_had_before_there_was_one(tmp_path, dataset):
    old = {"optimizer.decay": "all"}
    study = study_of(tmp_path / "s", {"d": dataset}, {"joint": old, "random": old})
    file = tmp_path / "s" / "study.yaml"
    saved = yaml.safe_load(file.read_text())
    del saved["resolved"]["common"]["optimizer.decay"], saved["resolved"]["common"]["training.patience"]
    file.write_text(yaml.safe_dump(saved))
    assert study_of(tmp_path / "s", {"d": dataset}, {"joint": old, "random": old}).key == study.key
    file.write_text(yaml.safe_dump(saved))
    with pytest.raises(CheckpointError, match=r"optimizer\.decay: all then, weights now \(d/joint, d/random\)"):
        study_of(tmp_path / "s", {"d": dataset}, ["joint", "random"])


def test_a_folder_of_something_else_is_left_alone(tmp_path, dataset):
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "notes.txt").write_text("mine")
    with pytest.raises(CheckpointError, match="not empty, and no study of raymm"):
        study_of(tmp_path / "s", {"d": dataset}, ["joint"])
    assert [path.name for path in (tmp_path / "s").iterdir()] == ["notes.txt"]


def test_data_that_changed_or_are_not_there_are_all_named(tmp_path, dataset, other):
    settings = {
        "data": {
            "d": {"path": str(dataset.path), "digest": other.digest},
            "e": {"path": str(tmp_path / "nowhere")},
        },
        "arms": ["joint"],
    }
    with pytest.raises(DataError) as raised:
        create_or_open(tmp_path / "s", parse_study(settings))
    assert "data d: " in str(raised.value)
    assert "is another data set" in str(raised.value)
    assert "data e: " in str(raised.value)
    assert not (tmp_path / "s").exists()


def test_what_runs_ask_of_the_cluster_is_the_same_on_every_data_set(tmp_path, dataset):
    data = {"d": {"path": str(dataset.path), "settings": {"cluster": {"workers": 2}}}}
    with pytest.raises(ConfigError, match=r"cluster\.workers: runs train in the same lanes; give it to all"):
        create_or_open(tmp_path / "s", parse_study({"data": data, "arms": ["joint"], "seeds": [0]}))


@pytest.mark.parametrize(
    ("arms", "settings", "words"),
    [
        (["joint", "smaple"], {}, "no method 'smaple'; did you mean 'sample'?"),
        ({"joint": {"method.settings.fs.scale": 3}}, {}, "method.settings.fs: 'joint' does not read it"),
        ({"a": {"training.seed": 3}}, {}, "training.seed: every arm is trained with the same seeds"),
        ({"joint": {"cluster.workers": 2}}, {}, "cluster.workers: runs train in the same lanes; give it to all"),
        (["joint"], {"cluster": {"mirror": "s3://b/c"}}, "cluster.mirror: a study has no mirror"),
        (["joint"], {"training": {"epohcs": 3}}, "did you mean 'epochs'?"),
        ({"a": {"training.selection": "loss"}, "joint": None}, {}, "training.selection: arms are compared by one"),
        (
            {"a": {"method": "sample", "valuation.utility": "logit"}},
            {},
            "arms.a on d: method=sample: valuation.utili",
        ),
        ({"a": {"training.epochs.x": 3}}, {}, "training.epochs.x: 'epochs' is a value, not a section"),
    ],
)
def test_arms_that_cannot_be_trained_are_refused_before_anything_is_made(tmp_path, dataset, arms, settings, words):
    given = {**SETTINGS, **settings}
    with pytest.raises(ConfigError) as raised:
        study_of(tmp_path / "s", {"d": dataset}, arms, settings=given)
    assert words in str(raised.value)
    assert not (tmp_path / "s").exists()


def test_settings_of_a_data_set_hold_for_it_alone(tmp_path, dataset, other):
    data = {"d": str(dataset.path), "e": {"path": str(other.path), "settings": {"training.epochs": 7}}}
    values = {"data": data, "arms": {"joint": None, "long": {"method": "joint", "training.epochs": 9}}}
    study = create_or_open(tmp_path / "s", parse_study({**values, "settings": SETTINGS}))
    saved = yaml.safe_load((study.path / "study.yaml").read_text())["resolved"]
    assert [saved[name]["training.epochs"] for name in ("d/joint", "e/joint", "d/long", "e/long")] == [4, 7, 9, 9]
