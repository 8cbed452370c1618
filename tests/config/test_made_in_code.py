"""Settings, specs and schemas that code makes itself: wrong arguments are said as those of a file."""

import pickle

import pytest
from pydantic import ValidationError, model_validator

import raymm
from raymm.config import Settings
from raymm.data import ImageSpec, Schema, TextSpec, VectorSpec
from raymm.errors import ConfigError

POSE = {"name": "pose", "kind": "vector", "size": 2}


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (
            lambda: VectorSpec(name="a", size=0),
            "VectorSpec: size: must be 1 or more (got 0)",
        ),
        (lambda: ImageSpec(name="a", hieght=3, height=8, width=8), "hieght: no such setting; did you mean 'height'?"),
        (lambda: TextSpec(name="a b"), "TextSpec: name: 'a b' is no name of a modality; write letters a to z"),
        (lambda: Schema(modalities=[POSE], classes=["a", "a"]), "Schema: class names must differ; twice: a"),
        (lambda: Schema(modalities=[POSE | {"size": -1}], classes=["a", "b"]), "modalities.0.size: must be"),
        (
            lambda: Schema(modality=[POSE], classes=["a", "b"]),
            "modality: no such setting; did you mean 'modalities'?",
        ),
        (lambda: raymm.Config(trainin={}), "configuration: trainin: no such setting; did you mean 'training'?"),
        (lambda: raymm.Config(training={"epochs": 0}), "training.epochs: must be 1 or more"),
        (lambda: raymm.Config(training={"lr": 1}), "training.lr: no such setting; did you mean optimizer.lr"),
        (lambda: raymm.Config(model={"fusion": {"name": "mlp", "sise": 3}}), "model.fusion.sise: no such setting"),
    ],
)
def test_wrong_arguments_are_said_in_words(make, words):
    with pytest.raises(ConfigError) as raised:
        make()
    assert words in str(raised.value)
    assert "pydantic" not in str(raised.value)


def test_all_mistakes_are_said_at_once():
    with pytest.raises(ConfigError) as raised:
        Schema(modalities=[POSE | {"size": 0}, POSE | {"name": "A"}], classes=[])
    for words in ("modalities.0.size: ", "modalities.1.name: 'A' is no name", "classes: "):
        assert f"  - {words}" in str(raised.value)


class Inner(Settings):
    size: int = 1


class Outer(Settings):
    inner: Inner = Inner()

    @model_validator(mode="before")
    @classmethod
    def _made_by_hand(cls, values):
        return {"inner": Inner(size=values["size"])} if "size" in values else values


def test_validation_stays_that_of_pydantic():
    for wrong in ({"inner": {"size": "x"}}, {"size": "x"}):
        with pytest.raises(ValidationError):
            Outer.model_validate(wrong)
        with pytest.raises(ConfigError, match=r"Outer: .*size: must be a whole number"):
            Outer(**wrong)


@pytest.mark.parametrize(
    "made", [VectorSpec(**POSE), Schema(modalities=[POSE], classes=["a", "b"]), raymm.Config(training={"epochs": 3})]
)
def test_they_are_copied_and_sent_as_before(made):
    assert (
        pickle.loads(pickle.dumps(made)) == made.model_copy() == type(made).model_validate(made.model_dump()) == made
    )
    assert made.model_fields_set == made.model_copy().model_fields_set
