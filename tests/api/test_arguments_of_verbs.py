"""Arguments of other types than a public function has are refused in words, before anything is opened or made."""

import importlib
import inspect
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import torch

import raymm
from raymm.api.argument_types import types_of
from raymm.api.public import public
from raymm.api.value_data import ValueOptions
from raymm.errors import ConfigError, DataError, RaymmError
from raymm.valuation import value_batches

GONE = {
    "check": {"data": "gone"},
    "compare": {"runs": ["gone"]},
    "export": {"model": "gone"},
    "load": {"folder": "gone"},
    "predict": {"model": "gone"},
    "prepare": {"manifest": "gone.csv", "media_root": ".", "modalities": "a:vector", "out": "o"},
    "report": {"run": "gone"},
    "status": {"folder": "gone"},
    "study": {"data": "gone", "arms": "joint", "out": "o"},
    "sweep": {"data": "gone", "space": "gone.py", "out": "o"},
    "train": {"data": "gone", "out": "o"},
    "value": {"model": "gone", "data": "gone"},
}
"""Arguments with which every function ends before it does anything."""

WRONG = (None, 3, -1, 1.5, "x", b"x", [], [3], {3: 4}, object())


def arguments_of(verb):
    function = getattr(importlib.import_module(f"raymm.api.{verb}"), verb)
    known = [one.name for one in inspect.signature(function).parameters.values() if one.kind != one.VAR_POSITIONAL]
    return [*known, *(field.name for field in fields(ValueOptions))] if verb == "value" else known


def raised(found):
    """What `raymm.check` returns instead of raising it."""
    raise RaymmError(found.problems[0])


@pytest.mark.parametrize("verb", GONE)
def test_no_argument_of_any_type_is_answered_with_a_raw_error(verb, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    function = getattr(raymm, verb)
    for name in arguments_of(verb):
        for wrong in WRONG:
            with pytest.raises(RaymmError):
                raised(function(**{**GONE[verb], name: wrong}))
    assert not [path for path in tmp_path.iterdir() if path.name not in {"x", "x.data"}]


def test_all_verbs_have_arguments_of_types_that_can_be_told():
    for verb in GONE:
        function = getattr(importlib.import_module(f"raymm.api.{verb}"), verb)
        assert set(types_of(inspect.unwrap(function))) == set(inspect.signature(function).parameters)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: raymm.train("d", out="o", backend="zz"), "train: backend='zz': give 'local' or 'ray'"),
        (lambda: raymm.train("d", out="o", backend="Local"), "train: backend='Local': give 'local' or 'ray'"),
        (lambda: raymm.check("d", backend=3), "check: backend=3: give 'local' or 'ray'"),
        (lambda: raymm.study("d", "joint", out="o", backend="zz"), "study: backend='zz': give 'local' or 'ray'"),
        (lambda: raymm.prepare("m", ".", "a", out="o", backend="zz"), "prepare: backend='zz': give 'local' or 'ray'"),
        (lambda: raymm.value("r", "d", backend="zz"), "value: backend='zz': give 'local' or 'ray'"),
        (lambda: raymm.value("r", "d", actors=0), "value: actors=0: give 1 or more"),
        (lambda: raymm.value("r", "d", actors=-1), "value: actors=-1: give 1 or more"),
        (lambda: raymm.value("r", "d", actors="a"), "value: actors='a': give a whole number"),
        (lambda: raymm.value("r", "d", gpus_per_actor=-1), "value: gpus_per_actor=-1: give 0 or more"),
        (lambda: raymm.value("r", "d", gpus_per_actor=float("nan")), "value: gpus_per_actor=nan: give 0 or more"),
        (lambda: raymm.value("r", "d", split=None), "value: split=None: give a text"),
        (lambda: raymm.value("r", "d", masking=3), "value: masking=3: give a list of texts"),
        (lambda: raymm.value("r", "d", out=3), "value: out=3: give a path or None"),
        (lambda: raymm.train("d", out=None), "train: out=None: give a path"),
        (
            lambda: raymm.train("d", out="o", settings=[3]),
            r"train: settings=\[3\]: give a list of texts or a mapping",
        ),
        (
            lambda: raymm.train("d", out=3, seed="x"),
            r"train: 2 problems\n  - out=3: give a path\n  - seed='x': give a ",
        ),
        (lambda: raymm.load(None), "load: folder=None: give a path or a result of raymm"),
        (lambda: raymm.compare("runs"), "compare: runs='runs': give a list of paths or results of raymm"),
        (lambda: raymm.report("r", None), r"report: others=\(None,\): give a list of paths or results of raymm"),
        (lambda: raymm.sweep("d", "s.py", out="o", trials=0), "sweep: trials=0: give 1 or more"),
        (lambda: raymm.study("d", "joint", out="o", lanes=-1), "study: lanes=-1: give 1 or more"),
        (lambda: raymm.prepare("m", ".", "a", out="o", workers=0), "prepare: workers=0: give 1 or more"),
    ],
)
def test_the_argument_is_named_and_what_it_must_be(call, words):
    with pytest.raises(ConfigError, match=f"^{words}"):
        call()


def test_values_refuse_wrong_arguments(tmp_path):
    batch = {"shown": torch.eye(2), "label": [0, 0]}
    shown = lambda batch, mask: batch["shown"] * mask[..., None].any(1)  # noqa: E731
    values = raymm.api.values_result.Values(value_batches(shown, [batch], modalities=["a", "b"]))
    for call, words in [
        (lambda: values.lowest("a", "x"), "lowest: count='x': give a whole number"),
        (lambda: values.lowest("a", 1.5), "lowest: count=1.5: give a whole number"),
        (lambda: values.lowest(None), "lowest: modality=None: give a text"),
        (lambda: values.lowest("a", -1), "lowest: count=-1: give 0 or more"),
        (lambda: values.save(None), "save: path=None: give a path"),
        (lambda: values.html(None), "html: path=None: give a path"),
        (lambda: values.save(tmp_path), "save: .* is a folder; name a file in it, such as .*values.parquet"),
        (lambda: values.html(tmp_path), "html: .* is a folder; name a file in it, such as .*values.html"),
    ]:
        with pytest.raises(ConfigError, match=f"^{words}"):
            call()
    assert len(values.lowest("a", np.int64(1))) == 1
    assert not len(values.lowest("a", 0))


def test_what_stands_for_a_type_is_taken():
    @public
    def taken(place: str | Path, count: int | None, share: float, loud: bool, names: Sequence[str]) -> bool:
        return bool(loud)

    assert taken(Path("x"), np.int64(3), np.float32(1), np.True_, np.array(["a"]))
    assert taken("x", None, 2, 1, (name for name in ["a"]))


def test_what_the_system_refuses_is_worded_and_ones_own_errors_stay(tmp_path):
    @public
    def made(place: Path) -> None:
        (place / "below").mkdir(parents=True)

    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):  # this file is somebody's own code
        made(tmp_path / "file")
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(DataError, match=r"file.*: a part of this path is a file where a folder is needed"):
        raymm.train("gone", out=tmp_path / "file" / "o")
    with pytest.raises(DataError, match=r"loop.*: is a link that leads back to itself"):
        raymm.train("gone", out=tmp_path / "loop" / "o")


@pytest.mark.parametrize("verb", ["load", "predict", "export", "status", "report", "compare", "value", "study"])
def test_places_that_are_no_runs_are_refused_in_words(verb, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("x")
    (tmp_path / "folder").mkdir()
    (tmp_path / "loop").symlink_to("loop")
    first = next(iter(GONE[verb]))
    for place in ("missing", "file", "folder", "loop", "file/below", "x" * 5000, "a\0b"):
        if (verb, place) == ("status", "folder"):
            continue
        with pytest.raises(RaymmError, match=r"^(?!.*Traceback)"):
            getattr(raymm, verb)(**{**GONE[verb], first: [place] if verb == "compare" else place})


def test_sets_have_no_order(tmp_path):
    with pytest.raises(ConfigError, match=r"train: plugins=\{'a'\}: give a list of texts"):
        raymm.train("gone", out=tmp_path / "o", plugins={"a"})
    with pytest.raises(ConfigError, match="classes is a set; give a list of names of the classes, in their order"):
        raymm.write_dataset(tmp_path / "d", {"a": np.ones((2, 1))}, labels=["x", "y"], classes={"x", "y"})


class Place:
    """What stands for a path."""

    def __init__(self, path):
        self._path = path

    def __fspath__(self):
        return str(self._path)


def test_whatever_stands_for_a_path_is_one(tmp_path):
    for call in (
        lambda: raymm.value(Place(tmp_path / "run"), Place(tmp_path / "data")),
        lambda: raymm.train(Place(tmp_path / "data"), out=tmp_path / "o"),
        lambda: raymm.train("gone", out=tmp_path / "o", config=Place(tmp_path / "data")),
        lambda: raymm.load(Place(tmp_path / "data")),
    ):
        with pytest.raises(RaymmError, match=f"{tmp_path}/"):
            call()
