"""Search spaces: found, loaded beside their neighbours, checked in full before anything is trained."""

import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import numpy as np
import pytest

from raymm.config import load
from raymm.config.registries import METHODS
from raymm.data.kinds.vector import VectorSpec
from raymm.data.schema import Schema
from raymm.errors import ConfigError
from raymm.sweep.space import load_space, overlay, resolve

SCHEMA = Schema(modalities=(VectorSpec(name="m0", size=4), VectorSpec(name="m1", size=4)), classes=("a", "b"))


def write(folder: Path, name: str, body: str) -> str:
    path = folder / f"{name}.py"
    path.write_text("from ray import tune\n\n" + dedent(body))
    return str(path)


def words_of(spec: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load_space(spec)
    return str(caught.value)


def test_the_function_of_the_files_name_is_the_default_and_another_can_be_named(tmp_path):
    spec = write(
        tmp_path,
        "small",
        """
        def small():
            return {"optimizer.lr": tune.loguniform(1e-4, 1e-2)}

        def other():
            return {"optimizer.lr": 0.5, "model.encoders.audio.width": tune.choice([8, 16])}
        """,
    )
    assert list(load_space(spec)) == ["optimizer.lr"]
    assert load_space(f"{spec}:other")["optimizer.lr"] == 0.5


def test_a_space_that_ends_the_process_is_named(tmp_path):
    spec = write(tmp_path, "ending", "raise SystemExit(3)\n")
    assert words_of(spec) == f"{spec}: cannot be made (SystemExit: 3 ({spec}, line 3))"


def test_spaces_compose_through_the_files_beside_them_and_folders_do_not_mix(tmp_path, monkeypatch):
    for folder, rate in (("one", 0.1), ("two", 0.2)):
        (tmp_path / folder).mkdir()
        write(tmp_path / folder, "part", f"def part():\n    return {{'optimizer.lr': {rate}}}\n")
        write(tmp_path / folder, "whole", "from part import part\n\ndef whole():\n    return {**part()}\n")
    path = list(sys.path)
    monkeypatch.chdir(tmp_path)
    assert load_space("one/whole.py") == {"optimizer.lr": 0.1}
    assert load_space("two/whole.py") == {"optimizer.lr": 0.2}
    assert sys.path == path
    assert "part" not in sys.modules


def test_a_space_loads_in_a_fresh_process_from_any_folder(tmp_path):
    spaces = Path(__file__).parents[2] / "tune_spaces"
    code = f"from raymm.sweep.space import load_space; print(len(load_space({str(spaces / 'fs_fm.py')!r})))"
    root = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": root},
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(done.stdout) > 10


def test_what_is_missing_is_named_with_the_nearest(tmp_path):
    assert "gone.py: no such file; write it as FILE.py or FILE.py:function" in words_of(str(tmp_path / "gone.py"))
    spec = write(tmp_path, "space", "def spaec():\n    return {}\n")
    assert words_of(spec) == f"{spec}: no function 'space'; did you mean 'spaec'?"
    assert "no function 'spec'; did you mean 'spaec'?" in words_of(f"{spec}:spec")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("def s():\n    return [1]\n", r"must return a dictionary of dotted settings, and returned \[1\]"),
        ("def s():\n    return {}\n", r"must return a dictionary of dotted settings, and returned \{\}"),
        ("def s():\n    return {'a': 1 / 0}\n", r"ZeroDivisionError: division by zero \(.*s\.py, line 4\)"),
        ("import nothing_like_it\n", r"ModuleNotFoundError: No module named 'nothing_like_it' \(.*s\.py, line 3\)"),
        ("def s():\n    return {'a': tune.loguniform(-1, 1)}\n", r"lower bound greater than 0.*s\.py, line 4\)"),
        ("def s(:\n", r"SyntaxError: .*s.py, line 3"),
        ("def s(x):\n    return {}\n", r"missing 1 required positional argument: 'x'"),
    ],
)
def test_a_space_that_cannot_be_made_is_explained(tmp_path, body, words):
    spec = write(tmp_path, "s", body)
    with pytest.raises(ConfigError, match=words) as caught:
        load_space(spec)
    assert str(caught.value).startswith(spec)


def test_every_mistake_of_a_space_is_said_at_once(tmp_path):
    spec = write(
        tmp_path,
        "s",
        """
        def s():
            return {
                "optimizer.lrr": tune.loguniform(1e-4, 1e-2),
                "optimizer.weight_decay": tune.uniform(-1.0, 1.0),
                "optimizer.lr": [1, 2],
                "method.settings.fs.family": tune.choice(["linear", "tanhh"]),
                "method.name": "sampel",
                "method.settings.fm": tune.grid_search([{"scale": 1.0}, {"scal": 2.0}]),
                "method.settings.fm.scale": tune.uniform(0.5, 1.0),
                "method.every": tune.sample_from(lambda spec: 1),
                "training.seed": tune.randint(0, 5),
                "cluster.workers": tune.choice([1, 2]),
                "model": {"feature_size": tune.choice([8, 16])},
            }
        """,
    )
    words = words_of(spec)
    for message in (
        "11 problems",
        "optimizer.lrr: no such setting; did you mean 'lr'?",
        "optimizer.weight_decay: must be 0 or more (got -1.0)",
        "(got [1, 2]); to draw one of a list, write tune.choice([...])",
        "method.settings.fs: no family of fs and fm 'tanhh'; did you mean 'tanh'?",
        "method.name: no method 'sampel'; did you mean 'sample'?",
        "method.settings.fm.scal: no such setting; did you mean 'scale'?",
        "method.settings.fm.scale: set by 'method.settings.fm' and by 'method.settings.fm.scale'; keep one",
        "method.every: tune.sample_from cannot be written down",
        "training.seed: cannot be searched: every trial trains the same seeds; give --seeds",
        "cluster.workers: cannot be searched: it changes no result",
        "model: a sampler inside a value; write it at the top, as 'model.feature_size': tune...",
    ):
        assert message in words


@pytest.mark.parametrize(
    ("sampler", "words"),
    [
        ("grid_search([])", "tune.grid_search([]) has nothing to draw; give it at least one value"),
        ("choice([])", "tune.choice([]) has nothing to draw; give it at least one value"),
        ("choice({})", "tune.choice([]) has nothing to draw; give it at least one value"),
        ("grid_search(None)", "tune.grid_search(None) is of no list; write tune.grid_search([...])"),
        ("grid_search((8, 16))", "tune.grid_search((8, 16)) is of no list; write tune.grid_search([...])"),
        ("grid_search('ab')", "tune.grid_search('ab') is of no list; write tune.grid_search([...])"),
        ("randint(9, 5)", "a sampler from 9 to 5 draws nothing (low >= high); give the lower end first"),
        ("randint(8, 8)", "a sampler from 8 to 8 draws nothing (low >= high); give the lower end first"),
        (
            "uniform(9, 5)",
            "a sampler from 9 to 5 draws nothing (high - low < 0); give the lower end first",
        ),
        ("qrandint(8, 9, 5)", "a sampler from 8 to 9 draws nothing (There is no multiple of the"),
        ("choice(object)", "cannot be made (TypeError: 'type' object is not iterable"),
        ("lograndint(0, 9)", "cannot be made (ValueError: LogUniform requires a lower bound greater than 0"),
    ],
)
def test_a_sampler_that_can_draw_nothing_is_named_with_its_key(tmp_path, sampler, words):
    spec = write(tmp_path, "s", f"def s():\n    return {{'model.feature_size': tune.{sampler}}}\n")
    said = words_of(spec)
    assert words in said
    assert "\n" not in said
    assert said.startswith(f"{spec}: " if "made" in words else f"{spec}: model.feature_size: ")


def test_one_choice_is_a_choice(tmp_path):
    for sampler in ("choice([8])", "grid_search([8])", "uniform(8, 8)", "choice(range(8, 9))"):
        spec = write(tmp_path, "s", f"def s():\n    return {{'model.feature_size': tune.{sampler}}}\n")
        assert load_space(spec, load(None), SCHEMA)


def test_lists_are_drawn_as_other_values_are(tmp_path):
    body = "def s():\n    return {{'model.modalities': tune.{}}}\n"
    for sampler in ("choice([('m0',), ['m1'], None])", "grid_search([['m0'], ['m0', 'm1']])"):
        assert load_space(write(tmp_path, "s", body.format(sampler)), load(None), SCHEMA)
    base = load(None)
    assert resolve(base, {"model.modalities": ["m0"]}) == resolve(base, {"model.modalities": ("m0",)})
    assert resolve(base, {"model": {"modalities": ["m0"]}}).model.modalities == ("m0",)
    for sampler, words in (
        ("choice([['m0'], ['m7']])", "model.modalities: no modality 'm7'"),
        ("choice([[]])", "model.modalities: "),
        ("choice([[['m0']]])", "[['m0']] is neither a sampler of ray.tune nor plain"),
    ):
        with pytest.raises(ConfigError) as caught:
            load_space(write(tmp_path, "s", body.format(sampler)), base, SCHEMA)
        assert words in str(caught.value)


def test_both_ends_of_a_range_are_checked(tmp_path):
    body = "def s():\n    return {{'optimizer.momentum': tune.uniform(0.0, {end})}}\n"
    assert load_space(write(tmp_path, "s", body.format(end=0.99)))
    assert "optimizer.momentum: must be less than 1 (got 1.5)" in words_of(write(tmp_path, "s", body.format(end=1.5)))


@pytest.mark.parametrize(
    ("sampler", "fits"), [("randint(1, 4)", True), ("randint(1, 5)", False), ("choice([4])", False)]
)
def test_each_value_is_tried_with_the_settings_that_all_trials_share(tmp_path, sampler, fits):
    spec = write(tmp_path, "s", f"def s():\n    return {{'method.warmup': tune.{sampler}}}\n")
    base, schema = load(None, ("method=sample", "training.epochs=4", "method.warmup=1")), SCHEMA
    assert load_space(spec)
    if fits:
        assert load_space(spec, base, schema)
    else:
        with pytest.raises(ConfigError, match=r"s\.py: method\.warmup=4 leaves no epoch of training\.epochs=4"):
            load_space(spec, base, schema)


def test_each_value_is_tried_with_those_of_the_other_keys(tmp_path):
    body = "def s():\n    return {{'method.warmup': tune.choice([1, 3]), 'method.name': '{strategy}'}}\n"
    base = load(None, ("training.epochs=3",))
    assert load_space(write(tmp_path, "s", body.format(strategy="joint")), base, SCHEMA)
    spec = write(tmp_path, "s", body.format(strategy="sample"))
    with pytest.raises(ConfigError, match=r"s\.py: method\.warmup=3 leaves no epoch"):
        load_space(spec, base, SCHEMA)


def test_values_are_laid_over_the_base_and_equal_runs_become_equal():
    base = load(None, ("training.epochs=12", "view.noise_db.audio=-10"))
    one = resolve(
        base, {"method.settings.fs.family": "linear", "method.settings.fs.rate": 3.0, "method.name": "sample"}
    )
    two = resolve(base, {"resampling": {"strategy": "sample", "fs": {"family": "linear", "steps": 5}}})
    assert one == two
    assert one.training.epochs == 12
    assert one.view.noise_db == {"audio": -10.0}
    assert one != resolve(base, {"method.settings.fs.family": "tanh", "method.settings.fs.rate": 3.0})


def test_a_value_that_does_not_fit_the_base_is_refused_with_all_others():
    with pytest.raises(ConfigError, match=r"trial: .*leaves no epoch of training\.epochs=4"):
        resolve(load(None, ("method=sample", "training.epochs=4", "method.warmup=1")), {"method.warmup": 4})
    with pytest.raises(ConfigError, match=r"method\.settings\.fs: no family of fs and fm 'tan'"):
        resolve(load(None, ("method=sample",)), {"method.settings.fs.family": "tan"})


def test_values_are_plain_whatever_drew_them():
    flat = overlay({"a": np.float64(0.5), "b": {"c": np.int64(3), "d": {"e": None}}, "f": True})
    assert flat == {"a": 0.5, "b.c": 3, "b.d.e": None, "f": True}
    assert [type(value) for value in flat.values()] == [float, int, type(None), bool]
    with pytest.raises(TypeError, match=r"neither a sampler of ray\.tune nor plain"):
        overlay({"a": object()})


@pytest.mark.parametrize("base", METHODS.names())
def test_a_method_that_is_drawn_has_its_own_defaults_whatever_the_base_trains(base):
    given = load(None, (f"method.name={base}",))
    for drawn in METHODS.names():
        expected = load(None, (f"method.name={drawn}",)).method.settings
        assert resolve(given, {"method.name": drawn}).method.settings == expected, drawn


def test_settings_that_were_given_hold_for_a_method_that_reads_them():
    base = load(None, ("method.name=sample", "method.settings.keep=coalition"))
    assert resolve(base, {"method.name": "random"}).method.settings.keep == "coalition"
    assert load(None, ("method.name=random",)).method.settings.keep == "single"
