"""Parts from outside raymm, by name after a plug-in is loaded and as "package.module:NAME"; and what is refused."""

import json
import socket

import numpy as np
import pytest
import torch

from raymm.cli import main
from raymm.config import parse
from raymm.config.plugins import load_plugins
from raymm.data import open_dataset
from raymm.data.kinds import kind_of
from raymm.data.media.files import SampleFiles
from raymm.data.schema import Schema, spec_of
from raymm.errors import ConfigError
from raymm.methods import build_method, get_function
from raymm.models.model import build_model
from raymm.tasks import get_task

BY_NAME = {
    "kind": "events",
    "encoder": "rates",
    "fusion": "committee",
    "loss": "multitask_alone",
    "gradients": "balance",
    "task": "ordinal",
    "family": "smooth",
    "utility": "triple",
}
BY_PLACE = {
    "kind": "partpack.events:Events",
    "encoder": "partpack.encoders:rates",
    "fusion": "partpack.fusions:Committee",
    "loss": "partpack.multitask:MultiTask",
    "gradients": "partpack.balance:Balance",
    "task": "partpack.ordinal:Ordinal",
    "family": "single_file_parts:SMOOTH",
    "utility": "single_file_parts:TRIPLE",
}


@pytest.fixture(params=["by name", "by place"])
def named(request, outside):
    load_plugins(["elsewhere/single_file_parts.py"])
    if request.param == "by place":
        return BY_PLACE
    load_plugins(["partpack"])
    return BY_NAME


def config_of(named, method="gradients"):
    settings = {
        "loss": {"alpha": 0.5},
        "gradients": {"momentum": 0.5, "fs": {"family": named["family"], "height": 3.0}},
    }
    return parse(
        {
            "model": {
                "feature_size": 8,
                "encoders": {"taps": {"name": named["encoder"], "hidden": 5}},
                "fusion": {"name": named["fusion"], "temperature": 2.0},
            },
            "method": {"name": named[method], "settings": settings[method]},
            "valuation": {"utility": named["utility"]},
        }
    )


def schema_of(named):
    return Schema(
        modalities=(
            spec_of({"name": "taps", "kind": named["kind"], "most": 3, "bins": 4}),
            spec_of({"name": "pose", "kind": "vector", "size": 6}),
        ),
        classes=("low", "middle", "high"),
    )


def test_a_model_is_built_of_a_kind_an_encoder_and_a_fusion(named):
    config, schema = config_of(named), schema_of(named)
    model = build_model(schema, config.model, 0)
    assert model.encoders["taps"].body[0].weight.shape == (5, 4)
    assert type(model.fusion).__name__ == "Committee"
    assert model.fusion.temperature == 2.0
    assert parse(config.model_dump(mode="json")) == config


def test_a_kind_reads_checks_and_transforms(named, outside):
    spec = schema_of(named)["taps"]
    (outside / "a.csv").write_text("0.1,2\n0.9,1\n0.15,4\n0.5,7\n")
    value = spec.decode("a.csv", SampleFiles(outside))
    assert value.tolist() == [[np.float32(0.1), 2], [np.float32(0.9), 1], [np.float32(0.15), 4]]
    assert spec.check(value) == []
    view = parse({"view": {"shift": 0.5}}).view
    batch = torch.from_numpy(value)[None]
    assert spec.transform(batch, None, view).tolist() == [[6, 0, 0, 1]]
    shifted = spec.transform(batch, np.array([3], np.uint64), view)
    assert shifted.sum() == 7
    assert shifted.tolist() != [[6, 0, 0, 1]]
    assert kind_of(named["kind"]).default_encoder == "rates"


@pytest.mark.parametrize("method", ["loss", "gradients"])
def test_a_method_has_its_own_settings(named, method):
    config = config_of(named, method)
    made = build_method(config, schema_of(named))
    assert made.settings.model_dump() == config.model_dump()["method"]["settings"]
    with pytest.raises(ConfigError, match="no such setting; did you mean 'alpha'"):
        parse({"method": {"name": named["loss"], "settings": {"alpa": 1}}})


def test_a_family_bends_and_a_utility_has_its_fair_share(named):
    config = config_of(named)
    fs = get_function(config.method.settings.fs)
    assert fs(np.array([0.0, 0.5, 1.0])).tolist() == [0.0, 1.5, 3.0]
    assert build_method(config, schema_of(named)).context.utility.fair_share == 3.0


def test_a_task_decides_what_is_correct_and_what_it_loses(named):
    strict, lenient = get_task(named["task"]), get_task(named["task"], {"tolerance": 1})
    outputs, labels = torch.tensor([[[4.0, 0.0, 0.0]]]), torch.tensor([1])
    assert not strict.correct(outputs, labels).item()
    assert lenient.correct(outputs, labels).item()
    far, near = (strict.losses(outputs[0], torch.tensor([label])) for label in (2, 1))
    assert far > near


def test_an_encoder_refuses_a_kind_that_it_cannot_read(named):
    with pytest.raises(ConfigError, match=r"model\.encoders\.pose\.name: '.*rates' reads events; 'pose' is vector"):
        build_model(schema_of(named), parse({"model": {"encoders": {"pose": named["encoder"]}}}).model, 0)


def test_a_plugin_that_cannot_be_imported_is_refused_with_line_reason_and_machine(outside):
    (outside / "broken.py").write_text("import math\n\nmath.root(2)\n")
    with pytest.raises(ConfigError) as refused:
        parse({"plugins": ["broken.py", "gone.py", "no_such_package"]})
    message = str(refused.value)
    assert "plugins: 3 problems" in message
    assert f"'broken.py': cannot be imported on {socket.gethostname()}: AttributeError" in message
    assert "(broken.py, line 3)" in message
    assert f"{outside}/gone.py': there is no such file on {socket.gethostname()}" in message
    assert "'no_such_package': cannot be imported" in message


def test_two_parts_of_one_name_are_refused_and_one_imported_twice_is_not(outside):
    load_plugins(["partpack"])
    load_plugins(["partpack"])
    (outside / "rival.py").write_text(
        "from raymm.methods import METHODS, Method\nclass Mine(Method): pass\nMETHODS.register('balance', Mine)\n"
    )
    with pytest.raises(ConfigError, match=r"method 'balance' is registered twice, by partpack\.balance\.Balance and"):
        load_plugins(["rival.py"])
    (outside / "usurper.py").write_text(
        "from raymm.methods import METHODS, Method\nclass Mine(Method): pass\nMETHODS.register('sample', Mine)\n"
    )
    with pytest.raises(ConfigError, match=r"'sample' is registered twice, by raymm\.methods\.sample\.Sample and"):
        load_plugins(["usurper.py"])
    (outside / "twice.py").write_text(
        "from raymm.methods import FAMILIES, Family\n"
        "FAMILIES.register('mine', Family(lambda chosen, x: x))\n"
        "FAMILIES.register('mine', Family(lambda chosen, x: 2 * x))\n"
    )
    with pytest.raises(
        ConfigError, match=r"'mine' is registered twice, by twice\.<lambda> \(line 2\) and by .* \(line 3\)"
    ):
        load_plugins(["twice.py"])


def test_plugins_that_follow_many_mistakes_are_not_imported(outside):
    (outside / "last.py").write_text("raise SystemExit(3)\n")
    with pytest.raises(ConfigError, match=r"50 problems(\n.*){51}those that follow were not imported") as refused:
        load_plugins([*(f"no_such_module_{number}" for number in range(60)), "last.py"])
    assert "last.py" not in str(refused.value)


def test_a_plugin_that_ends_the_process_is_named(outside):
    (outside / "ending.py").write_text("raise SystemExit(3)\n")
    with pytest.raises(
        ConfigError, match=r"ending\.py': cannot be imported on .*: SystemExit: 3 \(ending\.py, line 1\)"
    ):
        load_plugins(["ending.py"])
    with pytest.raises(
        ConfigError,
        match=r"^configuration: model\.fusion: module 'ending' is there, but importing it raises System",
    ):
        parse({"model": {"fusion": "ending:Part"}})


def test_two_files_of_one_name_and_different_code_are_refused(outside):
    (outside / "other").mkdir()
    for folder in ("elsewhere", "other"):
        (outside / folder / "same_name.py").write_text(f"FOLDER = '{folder}'\n")
    load_plugins(["elsewhere/same_name.py"])
    with pytest.raises(
        ConfigError,
        match=r"other/same_name\.py': other code than the 'same_name' that is imported already \(.*elsewhere.*\)",
    ):
        load_plugins(["other/same_name.py"])


def install(folder, value):
    """What `pip install` leaves of a package that names a module in the group raymm.plugins."""
    about = folder / "partpack-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: partpack\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(f"[raymm.plugins]\nparts = {value}\n")


def test_parts_of_an_installed_package_are_there_without_being_named(outside):
    with pytest.raises(ConfigError, match="no method 'balance'"):
        parse({"method": "balance"})
    install(outside, "partpack")
    from raymm.config import plugins

    plugins._load_installed.cache_clear()
    assert parse({"method": "balance"}).method.settings.momentum == 0.9


def test_an_installed_package_that_is_broken_is_named(outside):
    install(outside, "partpack.gone")
    from raymm.config import plugins

    plugins._load_installed.cache_clear()
    with pytest.raises(ConfigError, match=r"'partpack\.gone' of the installed partpack: .*mend or uninstall it"):
        parse({})


def test_an_installed_package_that_ends_the_process_is_named(outside):
    (outside / "ending.py").write_text("raise SystemExit(3)\n")
    install(outside, "ending")
    from raymm.config import plugins

    plugins._load_installed.cache_clear()
    with pytest.raises(ConfigError, match=r"'ending' of the installed partpack: SystemExit: 3 \(ending\.py,"):
        parse({})


def call(*words):
    with pytest.raises(SystemExit) as ended:
        main([str(word) for word in words])
    return ended.value.code


def test_a_data_set_of_a_registered_kind_and_task_names_the_task_by_its_place(outside, capsys):
    names = [(split, label) for split in ("train", "val", "test") for label in ("yes", "no")]
    for split, label in names:
        (outside / f"{split}-{label}.csv").write_text("0.5,1\n")
    rows = [f"{split}-{label},{split}-{label}.csv,{label},{split}" for split, label in names]
    (outside / "labels.csv").write_text("\n".join(["sample_id,taps,label,split", *rows]))
    words = ["prepare", "--manifest", "labels.csv", "--media-root", ".", "--modalities", "taps:events"]
    words += ["--task", "ordinal", "--backend", "local"]
    assert call(*words, "--out", "DATA") == 2
    assert "no task 'ordinal'" in capsys.readouterr().err
    assert call(*words[:-4], *words[-2:], "--out", "DATA") == 2
    assert "no kind 'events'" in capsys.readouterr().err
    assert call(*words, "--out", "DATA", "--plugins", "partpack") == 0
    schema = open_dataset(outside / "DATA").schema
    assert schema.task == get_task("ordinal")
    written = json.loads((outside / "DATA" / "manifest.json").read_text())["schema"]
    assert written["task"] == {"name": "partpack.ordinal:Ordinal", "tolerance": 0}
    assert written["modalities"][0]["kind"] == "events"
