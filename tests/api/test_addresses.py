"""Addresses of object stores where a folder or file is meant are refused before anything is made, by every verb."""

import importlib
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

import raymm
from raymm.api.argument_types import types_of
from raymm.api.trained import Trained
from raymm.api.training_result import TrainingResult
from raymm.api.value_data import ValueOptions
from raymm.api.values_result import Values
from raymm.cli import main
from raymm.data.format import write_dataset
from raymm.data.opening import open_data
from raymm.errors import ConfigError
from raymm.models import predictor, serving
from raymm.study.settings import parse_study
from raymm.sweep.space_file import load_space_function
from raymm.valuation import read_table
from tests.api.test_arguments_of_verbs import GONE

REFUSED = "is an address, and a folder or file of this machine is needed"


def function_of(verb):
    return getattr(importlib.import_module(f"raymm.api.{verb}"), verb)


def paths_of(verb):
    """Names of arguments that may be paths, but for the one that may be an address."""
    types = types_of(function_of(verb)) | (types_of(ValueOptions) if verb == "value" else {})
    named = [name for name, hint in types.items() if "Path" in str(hint) and name not in {"resume", "return"}]
    return [*named, "model", "data"] if verb == "value" else named


CASES = [(verb, name) for verb in GONE for name in dict.fromkeys(paths_of(verb))]


def test_the_cases_are_all_that_name_a_path():
    assert {("train", "out"), ("train", "data"), ("train", "store"), ("prepare", "media_root"), ("value", "out")} <= {
        *CASES
    }
    assert len(CASES) > 30
    assert {field.name for field in fields(ValueOptions)} >= {"out"}


@pytest.mark.parametrize(("verb", "name"), CASES)
def test_every_verb_refuses_addresses(verb, name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for given in ("s3://bucket/x", "gs://bucket/x"):
        value = {"runs": [given], "sentence_encoders": {"a": given}}.get(name, given)
        more, named = ([given], {}) if name == "others" else ([], {name: value})
        first = list(GONE[verb].values()) if name == "others" else []
        with pytest.raises(ConfigError, match=REFUSED):
            function_of(verb)(*first, *more, **(named and {**GONE[verb], **named}))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "ask",
    [
        lambda place: raymm.write_dataset(place, {"a": np.zeros((9, 2))}, labels=[0, 1, 2] * 3),
        lambda place: write_dataset(place, [], None),
        raymm.open_dataset,
        open_data,
        read_table,
        Values.read,
        Trained.of,
        TrainingResult.of,
        predictor.load,
        serving.load,
        serving.served_form,
        lambda place: load_space_function(f"{place}/space.py"),
        lambda place: parse_study({"data": [place], "arms": ["joint"]}),
        lambda place: parse_study({"data": {"a": place}, "arms": ["joint"]}),
    ],
)
@pytest.mark.parametrize("of", [str, Path])
def test_functions_that_are_no_verbs_refuse_addresses(ask, of, tmp_path, monkeypatch):
    if of is Path and ask.__name__ == "<lambda>":
        pytest.skip("takes texts")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=REFUSED):
        ask(of("s3://bucket/x"))
    assert not list(tmp_path.iterdir())


COMMANDS = [
    ["train", "--data", "d", "--out", "{}"],
    ["train", "--data", "{}", "--out", "o"],
    ["train", "--data", "d", "--out", "o", "--store", "{}"],
    ["train", "--data", "d", "--out", "o", "--config", "{}"],
    ["prepare", "--manifest", "m.csv", "--modalities", "a", "--out", "{}"],
    ["prepare", "--manifest", "{}", "--modalities", "a", "--out", "o"],
    ["value", "--data", "d", "--checkpoint", "c", "--out", "{}"],
    ["value", "--data", "d", "--checkpoint", "{}", "--out", "o.parquet"],
    ["value", "--data", "d", "--checkpoint", "c", "--out", "o.parquet", "--html", "{}"],
    ["predict", "--checkpoint", "{}", "a.wav"],
    ["predict", "--checkpoint", "c", "a.wav", "--out", "{}"],
    ["sweep", "--data", "d", "--space", "s.py", "--out", "{}"],
    ["study", "--data", "d", "--arms", "joint", "--out", "{}"],
    ["study", "--data", "{}", "--arms", "joint", "--out", "o"],
    ["report", "{}"],
    ["compare", "a", "b", "--out", "{}"],
    ["export", "r", "--onnx", "{}"],
    ["status", "{}"],
    ["doctor", "--path", "{}"],
    ["demo", "--out", "{}"],
    ["ui", "--store", "{}"],
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_refuses_addresses(command, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main([word.format("s3://bucket/x") for word in command])
    assert ended.value.code in {1, 2}
    assert "s3://bucket/x: is an address" in " ".join(capsys.readouterr().err.split())
    assert not list(tmp_path.iterdir())


def test_the_address_of_a_file_is_taken(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "my data"
    made = raymm.write_dataset(folder.as_uri(), {"a": np.zeros((9, 2))}, labels=[0, 1, 2] * 3)
    assert made.folder == folder
    assert len(raymm.open_dataset(folder.as_uri())) == len(open_data(folder.as_uri())) == 9
    assert [path.name for path in tmp_path.iterdir() if path.suffix != ".lock"] == ["my data"]
