"""Mistakes in a model of one's own are said in words, before anything is trained."""

import re
from functools import partial

import pytest

from raymm.config import load
from raymm.config.own_code import name_of_builder
from raymm.errors import ConfigError
from raymm.models.model import model_mistakes
from raymm.models.valued import load_own
from raymm.training.run import create_or_open
from tests.games import gappy_dataset
from tests.models.own_models import NAME, Good, settings_of

pytestmark = pytest.mark.usefixtures("without_copies_of_the_tests")


@pytest.mark.parametrize(
    ("build", "args", "words"),
    [
        ("Good", {}, []),
        ("Good", {"width": 3}, []),
        ("Good", {"widht": 3}, [r"model\.args\.widht: .*:Good takes no such argument; did you mean 'width'\?"]),
        ("nothing", {}, ["its builder returns a NoneType; expected a torch"]),
        ("failing", {}, [r":failing: its builder raises KeyError: 'backbone' \(.*own_models.py, line \d+\)"]),
        ("NoEncode", {}, ["its builder returns a NoEncode without encode and fuse; return a module"]),
        ("no_arguments", {}, ["takes no argument; it is called with the schema"]),
        ("Empty", {}, ["its model has no parameters"]),
        ("Fails", {}, [r"in your encode, called with a batch of 2 rows, inputs m0 \[2, 6\].*: RuntimeError"]),
        ("Narrow", {}, [r"fuse returned float32 \[2, 1\] for 2 rows; expected \[B, K\] = \[2, 3\]"]),
        ("RowsMeet", {}, ["encode: a row's features depend on the other rows"]),
        ("Frozen", {}, ["all parameters of the model are frozen .* free some, such as those of its head"]),
        ("Draws", {}, ["encode: gives something else when it is called again with the same rows: it draws"]),
        ("ChangesInputs", {}, ["encode: gives something else .* or changes its inputs in place"]),
        ("ModalitiesMeet", {}, ["encode: features of other modalities depend on 'm0'"]),
        ("Probable", {}, [r"Probable: fuse returns probabilities .* leave the softmax out, or return out\.log\(\)"]),
        ("LogProbable", {}, []),
        ("OutputsMeet", {}, ["fuse: a row's output depends on the other rows"]),
        ("NotFinite", {}, ["encode returns NaN or infinite numbers for finite inputs"]),
        (
            "Lying",
            {},
            [r":Lying: fuse: .*the shortcut gives .* partials, finish and fuse must describe one function"],
        ),
        ("unrepeatable", {}, ["its builder makes other weights when it is called again"]),
        ("the_same_again", {}, ["its builder returns the same module when it is called again"]),
        ("of_others", {}, ["its model reads a, b; the data has m0, m1, m2"]),
        (
            "no_encoder",
            {},
            [
                "no modality 'm3'; known: m0, m1, m2",
                "'m1' is a int; expected a torch",
                "none for 'm2'; give a module",
            ],
        ),
        ("wrong_part", {}, ["did you mean 'width'", "no encoder 'mpl'; did you mean 'mlp'", "did you mean 'concat'"]),
        (
            "encoders_that_fail",
            {},
            [
                r"encoders\['m0'\], called with float32 \[2, 6\], raises RuntimeError",
                r"encoders\['m1'\] returns float32 \[2, 2, 3\] for float32 \[2, 6\]; expected features \[b, W\]",
            ],
        ),
        ("own_fusion", {}, ["fusion: raises "]),
    ],
)
def test_mistakes_are_said_before_anything_is_trained(tmp_path, data, build, args, words):
    config = settings_of(build, args=args)
    if not words:
        assert create_or_open(tmp_path / "run", config, data).config.model.args == args
        return
    with pytest.raises(ConfigError) as refused:
        create_or_open(tmp_path / "run", config, data)
    assert not (tmp_path / "run").exists()
    for part in words:
        assert re.search(part, str(refused.value)), str(refused.value)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (["model.build=NAME:gone"], r"model\.build: module '.*' has no 'gone'"),
        (["model.build=no_such_module:build"], "model.build: there is no module 'no_such_module'"),
        (["model.build=gone.py:build"], r"model\.build: there is no file 'gone\.py' in "),
        (["model.build=lstm"], "model.build: no model 'lstm'"),
        (["model.build=NAME:NAME"], r"'.*:NAME' is a str; a model is made by a function build\(schema, \.\.\.\)"),
        (["model.build=NAME:Good", "model.fusion=mlp"], r"model: fusion: of raymm's own models, and model\.build="),
        (["model.build=NAME:Good", "model.feature_size=9"], "feature_size: of raymm's own models"),
        (["model.build=NAME:Good", "model.args.width=.inf"], "model.args: width: must be plain values"),
    ],
)
def test_settings_that_name_no_model_are_refused(settings, words):
    with pytest.raises(ConfigError, match=words):
        load(None, tuple(setting.replace("=NAME", f"={NAME}") for setting in settings))


@pytest.mark.parametrize(
    ("build", "words"),
    [
        ("own_nets.py", r"model\.build: 'own_nets.py' names a file; .* as own_nets.py:NAME"),
        ("own_net.py:build", r"model\.build: there is no file 'own_net.py' in .*; did you mean 'own_nets.py'"),
        ("gone/x.py:build", r"model\.build: there is no file 'gone/x.py' in [^;]*$"),
        ("own_nets_broken.py:build", r"'own_nets_broken.py' is there, but importing it raises SyntaxError"),
        ("own_nets_needy.py:build", r"raises ModuleNotFoundError: No module named 'nowhere' .*needy.py, line 1\)"),
    ],
)
def test_a_file_that_brings_no_builder_is_refused_in_words(tmp_path, monkeypatch, build, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own_nets.py").write_text("def build(schema):\n    return None\n")
    (tmp_path / "own_nets_broken.py").write_text("x = (\n")
    (tmp_path / "own_nets_needy.py").write_text("import nowhere\n")
    with pytest.raises(ConfigError, match=words):
        load(None, (f"model.build={build}",))


def test_arguments_without_a_model_are_refused(data):
    config = load(None, ("model.args.width=3",))
    (words,) = model_mistakes(data.schema, config.model)
    assert words == "model.args.width: arguments of a model of one's own; name its builder by model.build (--model)"


def test_temperatures_of_modalities_are_for_an_ensemble(data):
    for fusion, refused in (("ensemble", False), ("concat", True)):
        config = settings_of("parts", args={"fusion": fusion}, calibrate="modality_temperatures")
        assert bool(model_mistakes(data.schema, config.model)) is refused


def test_a_builder_is_named_by_its_module_or_refused():
    def inside(schema):
        return schema

    assert name_of_builder(Good) == f"{NAME}:Good"
    assert name_of_builder("my_model.py:build") == "my_model.py:build"
    with pytest.raises(ConfigError, match="a lambda has no name by which other processes find it"):
        name_of_builder(lambda schema: None)
    with pytest.raises(ConfigError, match=r"'.*<locals>.inside' stands inside another function"):
        name_of_builder(inside)
    with pytest.raises(ConfigError, match="a partial has no name by which other processes find it"):
        name_of_builder(partial(Good, width=3))
    in_notebook = type("Net", (Good,), {"__module__": "__main__"})
    with pytest.raises(ConfigError, match="'Net' was defined in a notebook or in the script that runs"):
        name_of_builder(in_notebook)
    other = type("Good", (Good,), {"__module__": NAME, "__qualname__": "Good"})
    with pytest.raises(ConfigError, match="is now another object than the one that was given"):
        name_of_builder(other)


@pytest.mark.parametrize("build", ["Sure", "Good"])
def test_probabilities_of_labels_are_said_once_before_training(tmp_path, build, caplog):
    """They may be logits by chance, so that nothing is refused."""
    data = gappy_dataset(tmp_path / "d", 3, ("train",) * 9 + ("val",) * 3 + ("test",) * 3, (0.3, 0.4), "multilabel")
    create_or_open(tmp_path / "run", settings_of(build), data)
    create_or_open(tmp_path / "run", settings_of(build), data)
    told = [one.getMessage() for one in caplog.records if "probabilities" in one.getMessage()]
    assert len(told) == (build == "Sure")
    words = (
        r"Sure: fuse returns what look like probabilities of labels .*; leave the sigmoid out, or return out\.logit"
    )
    assert all(re.search(words, one) for one in told)


def test_probabilities_are_said_where_a_model_is_only_valued(data, caplog):
    load_own(f"{NAME}:ProbableSplit", data, "test")
    assert f"{NAME}:ProbableSplit: fuse returns what look like probabilities" in caplog.text
    assert "leave the softmax out, or return out.log()" in caplog.text
    caplog.clear()
    load_own("tests.games:own_model", data, "test")
    assert not caplog.text
