"""What is said of settings that cannot be, by every type of mistake that settings can raise."""

import re
from typing import Annotated, Literal

import pytest
from pydantic import Field

from raymm.config import load, parse
from raymm.config.base import Settings
from raymm.config.catalogue import setting_names
from raymm.config.loading import lay_over
from raymm.config.mistakes import settings_mistakes
from raymm.errors import ConfigError


def words_of(*settings):
    with pytest.raises(ConfigError) as caught:
        load(None, settings)
    return str(caught.value).removeprefix("configuration: ")


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("training.epochs=x", "training.epochs: must be a whole number (got 'x')"),
        ("training.epochs=1.5", "training.epochs: must be a whole number (got 1.5)"),
        ("training.epochs=[3]", "training.epochs: must be a whole number (got [3])"),
        ("training.epochs=1e300", "training.epochs: must be a whole number of fewer digits (got 1e+300)"),
        ("training.epochs=null", "training.epochs: must be a whole number (got null)"),
        ("training.epochs=0", "training.epochs: must be 1 or more (got 0)"),
        ("optimizer.lr=x", "optimizer.lr: must be a number (got 'x')"),
        ("optimizer.lr=0", "optimizer.lr: must be more than 0 (got 0)"),
        ("optimizer.lr=.inf", "optimizer.lr: must be a finite number (got inf)"),
        ("optimizer.momentum=1", "optimizer.momentum: must be less than 1 (got 1)"),
        ("view.shift=0.75", "view.shift: must be 0.5 or less (got 0.75)"),
        ("view.augment=x", "view.augment: must be true or false (got 'x')"),
        (
            "training.selection=3",
            "training.selection: must be text (got 3); YAML takes it for text where it stands in",
        ),
        ("model.modalities=[yes]", "model.modalities.0: must be text (got True); YAML takes it for text"),
        ("model.modalities=[yes,a]", "model.modalities.0: must be text (got True); YAML takes it for text"),
        ("training.precision=half", "training.precision: must be 'float32', 'bfloat16' or 'float16' (got 'half')"),
        ("view.noise_db=3", "view.noise_db: must be a mapping, NAME: VALUE (got 3)"),
        ("training=3", "training: must be a mapping, NAME: VALUE (got 3)"),
        ("optimizer.groups=a,b", "optimizer.groups: must be a list: write [a,b]"),
        ("optimizer.groups=3", "optimizer.groups: must be a list (got 3)"),
        ("optimizer.groups=[3]", "optimizer.groups.0: must be a mapping, NAME: VALUE (got 3)"),
        ("optimizer.groups=[{lr: 1}]", "optimizer.groups.0.pattern: must be given"),
        ("model.modalities=[]", "model.modalities: must be a list of 1 item or more (got [])"),
        ("method.row_budget=None", "method.row_budget: must be a number (got 'None'); no value is written null"),
        (
            "training.patience=none",
            "training.patience: must be a whole number (got 'none'); no value is written null",
        ),
        ("training.epochs=None", "training.epochs: must be a whole number (got 'None')"),
        ("valuation.budget=x", "valuation.budget: must be a whole number or a number and x, such as '2x' (got 'x')"),
        (
            "optimizer.groups=[{pattern: a, frozen_epochs: x}]",
            "optimizer.groups.0.frozen_epochs: must be a number of epochs, 0 or more, or 'all' (got 'x')",
        ),
    ],
)
def test_words_of_a_wrong_value(setting, words):
    said = words_of(setting)
    assert said.startswith(words)
    if not words.endswith(("in", "text")):
        assert said == words


class Forms(Settings):
    word: Annotated[str, Field(min_length=2, max_length=3, pattern="^[a-z]*$")] = "ab"
    many: Annotated[list[int], Field(max_length=2)] = Field(default_factory=list)
    step: Annotated[int, Field(multiple_of=4)] = 4
    nothing: None = None
    sizes: Literal["all"] | tuple[Annotated[int, Field(gt=0)], ...] = "all"
    weights: dict[str, float] | Literal["balanced"] | None = None


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"word": "a"}, "word: must be text of 2 or more letters (got 'a')"),
        ({"word": "abcd"}, "word: must be text of 3 letters at most (got 'abcd')"),
        ({"word": "A1"}, "word: must be text of the form ^[a-z]*$ (got 'A1')"),
        ({"many": [1, 2, 3]}, "many: must be a list of 2 items at most (got [1, 2, 3])"),
        ({"step": 3}, "step: must be a multiple of 4 (got 3)"),
        ({"nothing": 3}, "nothing: must be null (got 3)"),
        ({"sizes": 3}, "sizes: must be 'all' or a list (got 3)"),
        ({"sizes": [1, 0]}, "sizes.1: must be more than 0 (got 0)"),
        ({"weights": {"a": "x"}}, "weights.a: must be a number (got 'x')"),
        ({"weights": "None"}, "weights: must be a mapping, NAME: VALUE or 'balanced' (got 'None'); no value is"),
        ({"wrod": 1}, "wrod: no such setting; did you mean 'word'?"),
    ],
)
def test_words_of_forms_that_few_settings_have(given, words):
    with pytest.raises(ValueError, match="validation error") as caught:
        Forms.model_validate(given)
    (said,) = settings_mistakes(caught.value, Forms)
    assert said.startswith(words)


@pytest.mark.parametrize("wrong", [None, "x", -1, [], {"a": {"b": 1}}, float("nan")], ids=repr)
def test_no_words_of_pydantic_are_left(wrong):
    """Of any setting that there is."""
    said = []
    for name in setting_names():
        try:
            parse(lay_over({}, {name: wrong}), drop=lambda _: None)
        except ConfigError as cause:
            said.append(str(cause))
    assert len(said) > 50 or wrong in (None, [])
    assert not [line for line in said if re.search(r"Input should|should have|valid|constrained|\[str|Tuple", line)]


@pytest.mark.parametrize("names", ["a,b", "a, b,", "[a, b]"])
def test_names_of_modalities_may_stand_between_commas(names, tmp_path):
    assert load(None, (f"model.modalities={names}",)).model.modalities == ("a", "b")
    (tmp_path / "c.yaml").write_text(f"model:\n  modalities: {names}\n")
    assert load(tmp_path / "c.yaml").model.modalities == ("a", "b")
    assert load(None, ("model.modalities=a",)).model.modalities == ("a",)


EMPTY = """
view:
  # augment: true
training:
  epochs: 3
  loss:
    # focal: 1
model:
  encoders:
  fusion:
  args:
  encoder:
method:
  settings:
optimizer:
  groups:
cluster:
"""


def test_a_section_whose_lines_are_comments_is_empty(tmp_path):
    (tmp_path / "c.yaml").write_text(EMPTY)
    assert load(tmp_path / "c.yaml") == load(None, ("training.epochs=3",))
    (tmp_path / "c.yaml").write_text("training:\nmodel:\n  encoders:\n    a:\n")
    assert load(tmp_path / "c.yaml", ("training.epochs=3",)).training.epochs == 3
    assert parse({"training": None, "plugins": None}) == parse({})
    assert load(None, ("training.patience=4", "training.patience=null")).training.patience is None


@pytest.mark.parametrize(
    ("text", "nested"),
    [("training.epochs: 3", "training: {epochs: ...}"), ("a.b.c: 3", "a: {b: {c: ...}}")],
)
def test_a_dotted_name_in_a_file_says_to_nest_it(text, nested, tmp_path):
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(tmp_path / "c.yaml")
    assert str(caught.value).endswith(f"stands in its section, not under a dotted name: {nested}")
