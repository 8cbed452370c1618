"""The command that a page suggests: of this run, quoted for the shell, accepted by the program, and one that runs."""

import shlex
from dataclasses import replace
from html import unescape

import pytest
import yaml

from raymm.cli import main
from raymm.config.loading import parse
from raymm.config.registries import METHODS
from raymm.reports.diagnostics.finding import Finding
from raymm.reports.diagnostics.of_run import findings_of
from raymm.reports.pages.next_step import next_step
from raymm.reports.pages.usage import usages
from raymm.reports.run_page import write_run_page
from raymm.storage.layout import result_folder, valuation_file
from raymm.training.loop import Backends, train
from raymm.training.run import create_or_open, open_run
from raymm.valuation.table_file import read_table
from tests.games import settings
from tests.reports.planted_failures import FAILURES
from tests.reports.tables import random_table

SAMPLES = 90
AWKWARD = "a run; 'quoted' & <b> $HOME"


@pytest.fixture(scope="module")
def joint(tmp_path_factory):
    """A joint run in which m1 is starved, in a folder with an awkward name."""
    planted = replace(FAILURES["low_contributor"], sections={"method": {"name": "joint"}, "training": {"epochs": 3}})
    return planted.run(tmp_path_factory.mktemp("planted") / AWKWARD, 0)


def called(capsys, words):
    with pytest.raises(SystemExit) as ended:
        main(list(words))
    out, err = capsys.readouterr()
    assert ended.value.code == 0, err
    return out


def of(run, name, **method):
    """The run as if it had been trained with another method."""
    values = {
        **yaml.safe_load(run.config.to_yaml()),
        "method": {"name": name, **method},
    }
    return replace(run, config=parse(values, drop=lambda _: None))


def found_in(*roles):
    """Usages of m0 and m1 of two roles."""
    tables = {"even": (0.7, 0.7), "under-used": (0.9, 0.3), "chance": (0.9, 0.2)}
    table = random_table(300, ("m0", "m1"), classes=4, strength=tables[roles[0]], missing=0.0)
    return usages(table)


def finding(name, subject="m1"):
    return Finding(name, subject, "sentence", "advice", "warning", {})


def test_the_command_on_the_page_trains_the_remedy_with_the_data_and_settings_of_the_run(joint, capsys):
    run, result = joint
    dataset = run.dataset()
    page = write_run_page(run, result, dataset, findings_of(run, dataset, result.history)).read_text()
    shown = page.partition("<code>raymm train")[2].partition("</code>")[0]
    words = shlex.split(unescape(f"raymm train{shown}"))
    assert words[0] == "raymm"
    called(capsys, [*words[1:], "--store", str(run.path.parent / "mlflow")])
    out = words[words.index("--out") + 1]
    made = open_run(run.path.parent / out)
    assert made.path == run.path.with_name("run-coalition")
    assert made.digest == run.digest
    assert made.config.method.name == "coalition"
    own, now = (each.model_dump(exclude={"method"}) for each in (run.config, made.config))
    assert own == now


CASES = {
    "starved": ("joint", "under-used", [], "--method coalition"),
    "at chance": ("joint", "chance", [], "--method coalition"),
    "sampled": ("sample", "under-used", [], "--method coalition"),
    "tried": ("coalition", "under-used", [], "--method alone"),
    "harm": ("joint", "even", ["breaks_right"], "model.calibrate=modality_weights"),
    "fell": ("sample", "even", ["accuracy_fell"], "method.row_budget=0.5"),
    "unstable": ("sample", "even", ["unstable_values"], "raymm study"),
    "nothing": ("joint", "even", [], "raymm study"),
    "better?": ("multitask", "even", [], "raymm study"),
}


@pytest.mark.parametrize("case", CASES)
def test_each_case_has_its_step_which_the_program_accepts(joint, capsys, case):
    method, role, names, expected = CASES[case]
    run, _ = joint
    run = of(run, method, warmup=1)
    (run.path / "config.yaml").write_text(run.config.to_yaml())
    if case == "unstable":
        assert run.config.optimizer.schedule == "cosine"
    step = next_step(run, found_in(role), [finding(name) for name in names], run.dataset().schema)
    assert expected in step.command
    assert shlex.split(step.command) == list(step.words)
    (run.path / "compare.yaml").write_text(step.study)
    out = called(capsys, [*step.words[1:], "--print-config"])
    config = yaml.safe_load(out)
    if step.words[1] == "train":
        assert config["optimizer"] == yaml.safe_load(run.config.to_yaml())["optimizer"]
    else:
        assert config["seeds"] == [0, 1, 2]
        assert config["arms"][method]["method"]["name"] == method
        assert config["settings"]["training"]["epochs"] == run.config.training.epochs
        assert config["settings"]["optimizer"] == yaml.safe_load(run.config.to_yaml())["optimizer"]
    assert step.why.endswith(".")


@pytest.mark.parametrize("method", METHODS.names())
def test_a_run_of_every_method_has_a_step_that_is_accepted(joint, capsys, method):
    run, _ = joint
    sections = {"settings": {"modality": "m0"}} if method == "alone" else {"warmup": 1}
    run = of(run, method, **sections)
    (run.path / "config.yaml").write_text(run.config.to_yaml())
    read = run.config.model.modalities
    table = random_table(300, ("m0", "m1"), classes=4, strength=(0.9, 0.3), missing=0.0)
    step = next_step(run, usages(table, read), [], run.dataset().schema)
    assert f"--method {method} " not in step.command
    (run.path / "compare.yaml").write_text(step.study)
    called(capsys, [*step.words[1:], "--print-config"])


def test_a_model_that_is_not_above_chance_is_trained_longer_before_it_is_compared(joint, capsys):
    run, _ = joint
    (run.path / "config.yaml").write_text(run.config.to_yaml())
    step = next_step(run, found_in("even"), [], run.dataset().schema, above=False)
    assert "not shown to be above chance" in step.why
    config = yaml.safe_load(called(capsys, [*step.words[1:], "--print-config"]))
    assert config["training"]["epochs"] == 2 * run.config.training.epochs
    assert (
        "--method coalition" in next_step(run, found_in("under-used"), [], run.dataset().schema, above=False).command
    )


@pytest.mark.parametrize(
    ("samples", "strength", "why"),
    [
        (2000, (0.7, 0.7), "No modality is under-used; whether coalition gains"),
        (14, (0.7, 0.7), "No modality is shown to be under-used; whether coalition gains"),
    ],
)
def test_why_joint_training_is_compared_claims_no_more_than_is_shown(joint, samples, strength, why):
    run, _ = joint
    table = random_table(samples, ("m0", "m1"), strength=strength, missing=0.0)
    assert next_step(of(run, "joint"), usages(table), [], run.dataset().schema).why.startswith(why)


@pytest.mark.parametrize("method", ["joint", "coalition"])
def test_no_step_is_for_a_modality_that_no_training_sample_has(joint, method):
    run, _ = joint
    table = random_table(300, ("m0", "m1"), classes=4, strength=(0.9, 0.3), missing=0.0)
    step = next_step(of(run, method), usages(table, untrained=["m1"]), [], run.dataset().schema)
    assert "study" in step.words
    assert "m1" not in step.why


def test_a_folder_that_is_taken_is_not_suggested(joint):
    run, _ = joint
    first = next_step(run, found_in("under-used"), [], run.dataset().schema)
    taken = run.path.with_name("run-coalition")
    taken.mkdir(exist_ok=True)
    again = next_step(run, found_in("under-used"), [], run.dataset().schema)
    assert str(run.path.with_name("run-coalition-2")) in again.words
    assert first.why == again.why


def test_nothing_is_suggested_that_the_data_do_not_allow(tmp_path, dataset):
    """An alone run of one modality, whose model reads no other: all of them are trained next."""
    config = settings(method={"name": "alone", "settings": {"modality": "m0"}}, training={"epochs": 2})
    run = create_or_open(tmp_path / "run", config, dataset)
    train(run, dataset, Backends())
    table = read_table(valuation_file(result_folder(run.path), "test"))
    step = next_step(run, usages(table, run.config.model.modalities), [], dataset.schema)
    assert step.words[-1] == "model.modalities=null"
    assert "--method" in step.words
