"""Configuration: mistakes are named all at once, with the nearest match; round trips; fingerprints."""

import pytest

from raymm.config import Config, flatten, load, parse
from raymm.config.registries import METHODS
from raymm.errors import ConfigError
from tests.limits import within_limits


def test_defaults_round_trip_through_yaml(tmp_path):
    config = load(
        None, ("method=sample", "training.epochs=10", "method.settings.fs.family=tanh", "view.noise_db.audio=-10")
    )
    (tmp_path / "c.yaml").write_text(config.to_yaml())
    assert load(tmp_path / "c.yaml") == config
    assert config.view.noise_db == {"audio": -10.0}
    assert load(tmp_path / "c.yaml", ("training.epochs=11",)) != config


def test_every_mistake_is_said_at_once_with_the_nearest_match():
    with pytest.raises(ConfigError) as caught:
        parse({"training": {"epoch": 3, "batch_size": 0}, "optimiser": {}, "optimizer": {"lr": "fast"}})
    words = str(caught.value)
    assert "4 problems" in words
    assert "training.epoch: no such setting; did you mean 'epochs'?" in words
    assert "optimiser: no such setting; did you mean 'optimizer'?" in words
    assert "training.batch_size: must be 1 or more (got 0)" in words
    assert "optimizer.lr: must be a number" in words


@pytest.mark.parametrize("above", ["training", "method"])
def test_thousands_of_unknown_settings_are_counted_and_the_first_ones_explained(above):
    with pytest.raises(ConfigError) as caught, within_limits():
        parse({above: {f"nam_{number}": 1 for number in range(5_000)}})
    lines = str(caught.value).splitlines()
    assert lines[0] == "configuration: 5000 problems"
    assert f"  - {above}.nam_49: no such setting; " in lines[50]
    assert lines[51:] == ["  ... and 4950 more"]


def test_a_wrong_value_that_stands_for_many_is_shown_only_where_its_mistake_is():
    with pytest.raises(ConfigError) as caught, within_limits():
        parse({"optimizer": {"groups": ["x" * 100_000] * 20_000}})
    assert "20000 problems" in str(caught.value)


def test_settings_of_a_part_that_came_later_are_suggested(monkeypatch):
    said = "did you mean method.settings.brand_new?"
    with pytest.raises(ConfigError) as caught:
        parse({"brand_new": 1})
    assert said not in str(caught.value)

    class Settings(METHODS.get("joint").Settings):
        brand_new: int = 1

    part = type("Late", (METHODS.get("joint"),), {"Settings": Settings})
    monkeypatch.setitem(METHODS._parts, "late", part)
    with pytest.raises(ConfigError) as caught:
        parse({"brand_new": 1})
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("training.epochs", "write it as section.field=value"),
        ("training.epochs.x=3", "training.epochs: must be a whole number"),
        ("model.encoders.audio.nam=cnn", "did you mean 'name'?"),
        ("method.settings.fs.famly=tanh", "did you mean 'family'?"),
        ("optimizer.lr=.nan", "optimizer.lr"),
        ("method.warmup=30", "^configuration: method.warmup=30 leaves no epoch of training.epochs=30"),
        ("epochs=3", "^configuration: epochs: no such setting; did you mean training.epochs?$"),
        ("training.lr=3", "training.lr: no such setting; did you mean optimizer.lr?$"),
        ("family=tanh", "did you mean method.settings.fm.family or method.settings.fs.family?$"),
    ],
)
def test_overrides_that_do_not_fit_are_explained(override, words):
    with pytest.raises(ConfigError, match=words.replace("?", r"\?")):
        load(None, ("method=sample", override))


def test_a_dotted_name_of_too_many_parts_is_refused_and_cut():
    with pytest.raises(ConfigError, match=r"^configuration: a: no such setting"):
        load(None, ("a" + ".a" * 31 + "=1",))
    for parts in (33, 100_000):
        with pytest.raises(
            ConfigError, match=rf"^override 'a[.a]*: a dotted name of {parts} parts; a setting has 32"
        ):
            load(None, ("a" + ".a" * (parts - 1) + "=1",))
    with pytest.raises(ConfigError, match=r"^override {'a\.a[.a]*: a dotted name of 33 parts") as caught:
        Config().override({"a" + ".a" * 32: "x" * 10_000})
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(("epochs", "warmup"), [(1, 0), (2, 0), (3, 1), (5, 1), (6, 5), (30, 5)], ids=str)
def test_a_warmup_that_was_not_given_leaves_epochs_to_resample(caplog, epochs, warmup):
    made = load(None, ("method=sample", f"training.epochs={epochs}"))
    assert made.method.warmup == warmup
    assert Config(training=made.training, method={"name": "sample"}).method.warmup == warmup
    said = f"method.warmup is {warmup}: the default of 5 leaves none of training.epochs={epochs} to re-sample"
    assert (said in caplog.messages) == (epochs <= 5)


def test_a_warmup_that_was_given_and_that_of_joint_stay(tmp_path):
    with pytest.raises(ConfigError, match=r"method\.warmup=5 leaves no epoch of training\.epochs=3"):
        load(None, ("method=sample", "training.epochs=3", "method.warmup=5"))
    assert load(None, ("training.epochs=3", "method.name=joint")).method.warmup == 5
    (tmp_path / "c.yaml").write_text("training: {epochs: 4}\nresampling: {warmup: 3}")
    assert load(tmp_path / "c.yaml").method.warmup == 3


@pytest.mark.parametrize(
    ("content", "words"), [("a: [", "not YAML"), ("- a", "must be a mapping of sections, not list")]
)
def test_a_file_that_is_no_configuration_is_named(tmp_path, content, words):
    path = tmp_path / "c.yaml"
    path.write_text(content)
    with pytest.raises(ConfigError, match=rf"c\.yaml: {words}"):
        load(path)
    with pytest.raises(ConfigError, match=r"gone\.yaml: cannot be read"):
        load(tmp_path / "gone.yaml")


def test_yaml_runs_no_code(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("training: !!python/object/apply:os.system ['true']")
    with pytest.raises(ConfigError, match="not YAML"):
        load(path)


def test_the_fingerprint_covers_what_decides_the_numbers():
    base = Config()
    assert base.fingerprint() == load(None, ("cluster.workers=7", "training.keep=5")).fingerprint()
    assert base.fingerprint() != load(None, ("training.seed=1",)).fingerprint()


def test_flat_keys_are_dotted_and_complete():
    flat = flatten(load(None, ("method=sample",)))
    assert flat["method.settings.fs.family"] == "linear"
    assert flat["training.precision"] == "float32"
    assert all(not isinstance(value, dict) for value in flat.values())


def test_fm_keeps_its_own_scale_when_only_its_family_is_given():
    fm = load(None, ("method=modality", "method.settings.fm.family=tanh")).method.settings.fm
    fs = load(None, ("method=sample", "method.settings.fs.family=tanh")).method.settings.fs
    assert (fm.settings.scale, fs.settings.scale) == (1.0, 2.0)


@pytest.mark.parametrize(
    ("setting", "value", "words"),
    [
        ("model.feature_size", 10**30, "model.feature_size: must be 2147483647 or less"),
        ("training.batch_size", 10**30, "training.batch_size: 10{30} is too large; at most 18446744073709551615"),
        ("training.selection", "\ud800", r"training.selection: '\\ud800' holds half of a character"),
        ("method.name", "\ud800", "a text in it holds half of a character, which is no text .*no method"),
    ],
)
def test_values_that_nothing_can_be_of_are_refused_by_name(setting, value, words):
    with pytest.raises(ConfigError, match=words):
        Config().override({setting: value})


def test_long_and_deep_values_are_cut_in_messages():
    deep = 1
    for _ in range(600):
        deep = [deep]
    with pytest.raises(ConfigError, match=r"training.epochs: .* \(got \[\[\[\[\[\[\[\.\.\.\]\]\]\]\]\]\]\)$"):
        Config().override({"training.epochs": deep})
