"""The catalogue of settings: all of them, as validation knows them, and how they are found."""

import json

import pytest
from pydantic import Field

from raymm.config import Config, Settings, flatten, load, parse
from raymm.config.accepted import accepted
from raymm.config.aliases import ALIASES, meant_by
from raymm.config.catalogue import catalogue, setting_names
from raymm.config.loading import read_settings
from raymm.config.looking_up import merged, parts_below, sections_called, settings_with
from raymm.config.registries import ENCODERS, FAMILIES, FUSIONS, METHODS
from raymm.config.yaml_text import yaml_value
from raymm.errors import ConfigError

SECTIONS = {section.name: section for section in catalogue()}
OF_CONFIG = [section for section in SECTIONS.values() if not section.option]


def _chosen(section):
    """Settings that choose the part of a section."""
    above, _, name = section.name.rpartition(".")
    key = "family" if above in {"method.fs", "method.fm"} else "name"
    if above in {"method.fs", "method.fm"}:
        method = "sample" if above == "method.fs" else "modality"
        return {"method": {"name": method, "settings": {above.rpartition(".")[2]: {key: name}}}}
    if above == "method":
        given = {"modality": "rgb"} if name == "alone" else {}
        return {"method": {"name": name, "settings": given}, "training": {"epochs": 60}}
    return {"model": {above.rpartition(".")[2]: {key: name}}}


def test_every_setting_has_a_meaning_and_what_it_takes():
    unsaid = [(section.name, one.key) for section in SECTIONS.values() for one in section.settings if not one.meaning]
    assert unsaid == []
    assert all(one.values and "FieldInfo" not in one.values for s in SECTIONS.values() for one in s.settings)


def test_every_field_that_validation_writes_is_listed_with_its_default():
    """The other way to the defaults: dump a validated configuration."""
    listed = {one.key: one.default for s in SECTIONS.values() if not s.part for one in s.settings}
    flat = {key: value for key, value in flatten(Config()).items() if not key.startswith("method.settings.")}
    assert set(flat) <= set(listed)
    others = (
        set(listed)
        - set(flat)
        - {"model.build", "model.args", "model.encoders", "view.noise_db", "model.encoder.name"}
    )
    assert {key.partition("[]")[0] for key in others} <= {"optimizer.groups", "optimizer.args"}
    for key, value in flat.items():
        if key in listed:
            assert yaml_value(listed[key], key) == value, key


@pytest.mark.parametrize("section", [s for s in OF_CONFIG if s.part], ids=lambda section: section.name)
def test_the_settings_of_a_part_are_those_that_validation_writes_once_it_is_chosen(section):
    made = flatten(parse(_chosen(section)))
    for one in section.settings:
        if section.name != "method.alone" and one.key in made:
            assert yaml_value(one.default, one.key) == made[one.key], one.key
        assert one.key in made or one.default == "{}", one.key
    prefix = {"method": "method.settings."}.get(section.name.rpartition(".")[0], _prefix(section))
    own = {key for key in made if key.startswith(prefix)} - {f"{prefix}name", f"{prefix}family"}
    below = {key for key in own if key.count(".") == prefix.count(".") or key.endswith(".family")}
    assert below <= {one.key for one in section.settings}


def _prefix(section):
    above = section.name.rpartition(".")[0]
    return above.replace("method.", "method.settings.") + "."


def test_every_part_of_the_registries_has_a_section():
    assert parts_below("method") == METHODS.names()
    assert parts_below("model.fusion") == FUSIONS.names()
    assert parts_below("model.encoder") == ENCODERS.names()
    assert parts_below("method.fs") == parts_below("method.fm") == FAMILIES.names()


def test_a_plain_default_is_accepted_as_it_is_written():
    """What the table shows before and behind the `=` is an override that changes nothing."""
    for section in OF_CONFIG:
        if section.part or section.name == "plugins":
            continue
        for one in section.settings:
            if "[]" not in one.key and one.default not in {"{}", "[]"}:
                assert load(None, (f"{one.key}={one.default}",)) == Config(), one.key


def test_sections_are_called_by_section_part_of_one_setting_and_part():
    assert [section.name for section in sections_called()] == list(Config.model_fields)
    assert [one.key for one in sections_called("training.epochs")[0].settings] == ["training.epochs"]
    inner = sections_called("training.loss")
    assert [one.key for one in inner[0].settings][:2] == [
        "training.loss.label_smoothing",
        "training.loss.class_weights",
    ]
    assert all(one.key.startswith("training.loss.") for one in inner[0].settings)
    assert [section.name for section in sections_called("method.settings.amount")][:2] == [
        "method.coalition",
        "method.cml",
    ]
    assert {one.key for one in sections_called("optimizer.groups")[0].settings} >= {"optimizer.groups[].pattern"}
    assert sections_called("task.regression")[0].option == "raymm prepare --task-setting"
    assert {section.name for section in sections_called("task")} == {
        "task.classification",
        "task.multilabel",
        "task.regression",
    }
    library = sections_called("model.encoder.torchvision:resnet101")
    assert library[0].settings == SECTIONS["model.encoder.resnet50"].settings


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("trainig", "no section or setting 'trainig'; did you mean training?"),
        ("metod.sample", "did you mean method.sample?"),
        ("resnet18", "did you mean model.encoder.resnet18?"),
        ("training.warmup_epochs", "did you mean optimizer.warmup?"),
        ("training.lr", "did you mean optimizer.lr"),
        ("label_smoothin", "did you mean training.loss.label_smoothing?"),
        ("zzz", "the sections are view, model, method, valuation, optimizer, training, cluster, plugins"),
        ("model.encoder.torchvision:resnet9000", "resnet9000"),
    ],
)
def test_a_name_that_there_is_not_leads_to_the_nearest(name, words):
    with pytest.raises(ConfigError) as caught:
        sections_called(name)
    assert words in str(caught.value)


def test_words_are_searched_in_names_values_meanings_and_names_used_elsewhere():
    def keys(*words):
        return [one.key for section in settings_with(words) for one in section.settings]

    assert "optimizer.warmup" in keys("warm")
    assert keys("huber", "deviations") == ["training.loss.huber_delta"]
    assert keys("learning_rate") == ["optimizer.lr"]
    assert keys("plateau", "let", "PASS") == ["optimizer.plateau_patience"]
    with pytest.raises(ConfigError, match=r"no setting says 'schedul3'; did you mean optimizer\.schedule\?"):
        settings_with(["schedul3"])


def test_parts_with_equal_settings_are_shown_once():
    names = [section.name for section in merged(SECTIONS.values())]
    assert "model.encoder.cnn, model.encoder.cnn1d" in names
    assert sum(name.count("model.encoder.resnet18") for name in names) == 1
    assert sum(len(name.split(", ")) for name in names) == len(SECTIONS)


def test_the_settings_that_names_of_other_trainers_lead_to_exist():
    known = {*setting_names()}
    assert {key for key in ALIASES if key not in known} == set()
    every = [alias for names in ALIASES.values() for alias in names]
    assert len(every) == len(set(every))
    assert [alias for alias in every if alias in known] == []
    assert meant_by("Label-Smoothing-Factor") == "training.loss.label_smoothing"


@pytest.mark.parametrize(
    ("override", "meant"),
    [
        ("training.label_smoothing=0.1", "training.loss.label_smoothing"),
        ("label_smoothing=0.1", "training.loss.label_smoothing"),
        ("training.warmup_epochs=5", "optimizer.warmup"),
        ("optimizer.warmup_epochs=5", "optimizer.warmup"),
        ("training.gradient_accumulation_steps=4", "training.accumulate"),
        ("training.early_stopping=4", "training.patience"),
        ("training.amp=true", "training.precision"),
        ("optimizer.learning_rate=1", "optimizer.lr"),
        ("training.max_epochs=3", "training.epochs"),
        ("training.class_weight=balanced", "training.loss.class_weights"),
        ("training.step_epochs=3", "optimizer.step_epochs"),
        ("training.normalise=data", "model.encoder.normalise"),
        ("view.every=2", "method.every"),
    ],
)
def test_settings_in_the_wrong_place_lead_to_where_they_are(override, meant):
    with pytest.raises(ConfigError) as caught:
        load(None, ("method=joint", override))
    key = override.partition("=")[0]
    assert f"{key}: no such setting; did you mean {meant}" in str(caught.value)


class Mine(Settings):
    """Annotations of many forms."""

    size: int = Field(default=2, ge=1, lt=9, description="size")
    ratio: float | None = Field(default=None, gt=0.5)
    names: tuple[str, ...] = ()
    by: dict[str, int] = Field(default_factory=dict)


def test_what_a_field_takes_is_said_in_words():
    said = {name: accepted(field) for name, field in Mine.model_fields.items()}
    assert said == {
        "size": "whole number >= 1 and < 9",
        "ratio": "number > 0.5, or null",
        "names": "list of text",
        "by": "by name: whole number",
    }


def test_the_catalogue_is_plain():
    json.dumps([vars(one) for section in SECTIONS.values() for one in section.settings])
    assert read_settings(None) == {}
