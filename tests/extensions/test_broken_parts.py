"""Parts that break their contract are refused by name, before or while they train: no trace, and no wrong number."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from raymm.cli import main
from raymm.config import parse, registries
from raymm.config.canonical import parameters
from raymm.data import VectorSpec
from raymm.errors import ConfigError, RaymmError, TrainingError
from raymm.methods import METHODS, ExtraRows, Method, build_method
from raymm.models.encoders import register_encoder
from raymm.models.fusion import AdditiveFusion, Fusion, register_fusion
from raymm.tasks import Classification
from raymm.training.loop import Backends, train
from raymm.training.run import create_or_open
from raymm.valuation import Utility, contributions, register_utility, value_samples
from tests.games import settings
from tests.guests import copy_registries

SAMPLES = 60

SPLITS = ("train", "train", "val", "val", "test", "test")

MY_KIND = """import numpy as np
from pydantic import Field
from raymm.config.registries import KINDS
from raymm.data import ModalitySpec


class Mine(ModalitySpec):
    default_encoder = "mlp"
    kind: str = "mine"
    size: int = Field(default=2, ge=1)

    @property
    def shape(self): return (self.size,)

    @classmethod
    def probe(cls, probe): return {}

"""

SHAPE = "@property\n    def {}(self): return {}"


@pytest.fixture(autouse=True)
def _registries(monkeypatch):
    copy_registries(monkeypatch)


def ints(*values):
    return np.array(values, dtype=np.int64)


class Encoder(nn.Module):
    def __init__(self, inputs, outputs, change):
        super().__init__()
        self.linear, self.change = nn.Linear(inputs, outputs), change

    def forward(self, x):
        return self.change(self.linear(x))


class Head(Fusion):
    def __init__(self, change, outputs, feature_size):
        super().__init__()
        self.linear, self.change = nn.Linear(feature_size, outputs), change

    def forward(self, features, mask):
        del mask
        return self.change(self.linear, features)


class Sum(AdditiveFusion):
    linear = True

    def __init__(self, modalities, outputs, feature_size, chosen):
        del modalities, chosen
        super().__init__()
        self.bias, self.head = nn.Parameter(torch.zeros(outputs)), nn.Linear(feature_size, outputs)

    def partials(self, features):
        return self.head(features)


class Forgets(Sum):
    def finish(self, sums):
        return torch.sin(3 * sums)  # and `linear` still says that the sum is the logits


class Meets(Sum):
    def partials(self, features):
        return self.head(features - features.mean(dim=1, keepdim=True))


def refused(tmp_path, dataset, **sections):
    with pytest.raises(RaymmError) as raised:
        train(create_or_open(tmp_path / "run", settings(**sections), dataset), dataset, Backends())
    return str(raised.value)


@pytest.mark.parametrize(
    ("extra", "change", "words"),
    [
        (1, lambda y: y, r"model.encoders.m0: returns [2, 17] for 2 rows; expected [b, D] = [2, 16]"),
        (0, lambda y: y - y.mean(dim=0), r"model.encoders.m0: a row's output depends on the other rows"),
        (0, lambda y: y + torch.rand_like(y), "model.encoders.m0: gives something else when it is called again"),
        (
            0,
            lambda y: y.nothing,
            "model.encoders.m0: raises AttributeError: 'Tensor' object has no attribute 'nothing'",
        ),
        (0, lambda y: y.abs().neg().sqrt(), "model.encoders.m0: returns NaN or infinite numbers for finite inputs"),
        (0, lambda y: y * 1e38 * 1e38, "model.encoders.m0: returns NaN or infinite numbers for finite inputs"),
    ],
)
def test_an_encoder_is_tried_before_the_run_is_made(tmp_path, dataset, extra, change, words):
    register_encoder("mine")(lambda spec, chosen, size: Encoder(spec.size, size + extra, change))
    assert words in refused(tmp_path, dataset, model={"encoders": {"m0": {"name": "mine"}}, "feature_size": 16})
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda head, x: nn.functional.pad(head(x.sum(dim=1)), (0, 1)), "returns [2, 5] for 2 rows; expected [B, K]"),
        (lambda head, x: head(x), "returns [2, 2, 4] for 2 rows"),
        (lambda head, x: None, "returns a NoneType for 2 rows"),
        (lambda head, x: head(x.sum(dim=1)) / 0, "returns NaN or infinite numbers for finite inputs"),
        (
            lambda head, x: head(x.sum(dim=1)) / x[:, 1].any(dim=1, keepdim=True),
            "sample 0, coalition {}, class 0: the logit is ",
        ),
        (lambda head, x: head(x.sum(dim=1) - x.mean(dim=(0, 1))), "a row's output depends on the other rows"),
    ],
)
def test_a_fusion_is_tried_before_the_run_is_made(tmp_path, dataset, change, words):
    register_fusion("mine")(lambda n, outputs, size, chosen: Head(change, outputs, size))
    said = refused(tmp_path, dataset, model={"fusion": "mine"})
    assert said.startswith("model.fusion=mine: ")
    assert words in said


@pytest.mark.parametrize("fusion", [Forgets, Meets])
def test_an_additive_fusion_whose_shortcut_is_another_function_is_refused(tmp_path, dataset, fusion):
    register_fusion("mine")(fusion)
    said = refused(tmp_path, dataset, model={"fusion": "mine"})
    assert "partials, finish and fuse must describe one function" in said
    register_fusion("right")(Sum)
    create_or_open(tmp_path / "right", settings(model={"fusion": "right"}), dataset)


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda *given: {}["hidden"], "model.fusion=mine: its builder raises KeyError: 'hidden'"),
        (lambda *given: 3, "model.fusion=mine: its builder returns a int; expected a torch.nn.Module"),
    ],
)
def test_a_builder_that_fails_is_named(tmp_path, dataset, build, words):
    register_fusion("mine")(build)
    assert words in refused(tmp_path, dataset, model={"fusion": "mine"})


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ({"loss": lambda self, step: step.loss_of(step.logits)}, r"the loss is a tensor [32]; return the sum"),
        ({"loss": lambda self, step: 1.0}, "the loss is a float"),
        ({"loss": lambda self, step: Method.loss(self, step).detach()}, "the loss has no gradient"),
        (
            {"mask": lambda self, kept, keys: kept[:, :1]},
            "mask returns bool [32, 1]; expected a numpy array, bool [32, 2]",
        ),
        ({"mask": lambda self, kept, keys: kept * 1.0}, "mask returns float64 [32, 2]"),
        ({"mask": lambda self, kept, keys: None}, "mask returns NoneType"),
        (
            {"state_dict": lambda self: {"mean": np.ones(2)}},
            "mine.state_dict: 'mean' is a ndarray; expected a tensor",
        ),
        ({"state_dict": lambda self: None}, "mine.state_dict: returns a NoneType"),
        ({"state_dict": lambda self: {3: torch.ones(1)}}, "mine.state_dict: names something 3; names must be texts"),
        ({"state_dict": lambda self: 1 / 0}, "mine.state_dict raises ZeroDivisionError"),
        ({"loss": lambda self, step: 1 / 0}, "mine.loss raises ZeroDivisionError: division by zero ("),
        (
            {"loss": lambda self, step: Method.loss(self, step) * 1j},
            "the loss is a number of torch.complex64; return",
        ),
        ({"loss": lambda self: None}, "mine.loss raises TypeError"),
        ({"on_gradients": lambda self, step: 1 / 0}, "mine.on_gradients raises ZeroDivisionError"),
        ({"on_gradients": lambda self, step: fill(step)}, "mine.on_gradients makes gradients NaN or infinite, which"),
        ({"figures": lambda self: [1]}, "mine.figures returns a list; expected a dictionary of numbers"),
        ({"figures": lambda self: 1 / 0}, "mine.figures raises ZeroDivisionError"),
        ({"__init__": lambda self, settings, context: 1 / 0}, "mine.__init__ raises ZeroDivisionError"),
        ({"__init__": lambda self: None}, "mine.__init__ raises TypeError"),
        ({"module": 3}, "mine: module is a int; expected a torch.nn.Module"),
        ({"turns": 0}, "mine: turns is 0; expected how many updates a batch makes"),
        ({"problems": classmethod(lambda *_: None)}, "mine.problems returns a NoneType; expected a list of texts"),
        ({"problems": classmethod(lambda *_: "no")}, "mine.problems returns a str; expected a list of texts"),
        ({"problems": classmethod(lambda *_: 1 / 0)}, "mine.problems raises ZeroDivisionError"),
        ({"before_epoch": lambda self, start: 1 / 0}, "mine.before_epoch raises ZeroDivisionError"),
        ({"after_steps": lambda self, reduce: 1 / 0}, "mine.after_steps raises ZeroDivisionError"),
        ({"after_evaluation": lambda self, end: 1 / 0}, "mine.after_evaluation raises ZeroDivisionError"),
        ({"mask": lambda self, kept, keys: 1 / 0}, "mine.mask raises ZeroDivisionError"),
        ({"needs": "all", "plan": lambda self, inputs: 1 / 0}, "mine.plan raises ZeroDivisionError"),
        ({"needs": "all", "rows_to_value": lambda self, rows, seed: 1 / 0}, "mine.rows_to_value raises Zero"),
        ({"needs": "all", "rows_to_value": lambda self, rows, seed: None}, "mine.rows_to_value returns what is no"),
        ({"plan": lambda self, inputs: None}, "'mine' has a plan, which is never called; set needs"),
        ({"needs": "everything"}, "needs is 'everything'; known: all, nothing, state, subset"),
    ],
)
def test_a_method_that_breaks_its_contract_is_refused(tmp_path, dataset, part, words):
    METHODS.register("mine", type("mine", (Method,), part))
    assert words in refused(tmp_path, dataset, method={"name": "mine"})


def test_a_method_that_names_no_idle_settings_is_refused():
    METHODS.register("mine", type("mine", (Method,), {"idle": classmethod(lambda *_: None)}))
    with pytest.raises(ConfigError, match=r"mine\.idle raises TypeError"):
        parameters(parse({"method": {"name": "mine"}}))


def fill(step):
    for parameter in step.model.parameters():
        parameter.grad.fill_(torch.nan)


def test_what_says_that_memory_is_full_is_said_by_itself(tmp_path, dataset):
    def full(self, step):
        raise torch.OutOfMemoryError("no memory")

    METHODS.register("mine", type("mine", (Method,), {"loss": full}))
    with pytest.raises(torch.OutOfMemoryError):
        train(create_or_open(tmp_path / "run", settings(method={"name": "mine"}), dataset), dataset, Backends())


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        (ExtraRows(ints(-1), ints(1)), "position has numbers outside of 0 to 35, such as -1"),
        (ExtraRows(ints(0), ints(0)), "keep has codes outside of 1 to 3, such as 0"),
        (ExtraRows(ints(0), ints(4)), "keep has codes outside of 1 to 3, such as 4"),
        (ExtraRows(ints(0, 1), ints(1)), r"lengths differ: position (2,), keep (1,), weight (2,)"),
        (ExtraRows(np.array([0.0]), ints(1)), "position is float64 [1]; expected whole numbers [R]"),
        (ExtraRows(ints(0), ints(1), np.array([np.nan])), "weight holds something else than finite numbers"),
        (ExtraRows(ints(0), ints(1), np.array([-1.0])), "weight holds something else than finite numbers"),
        (None, "is a NoneType; return raymm.methods.ExtraRows"),
    ],
)
def test_a_plan_that_breaks_its_contract_is_refused(tmp_path, dataset, extra, words):
    METHODS.register("mine", type("mine", (Method,), {"needs": "all", "plan": lambda self, inputs: extra}))
    said = refused(tmp_path, dataset, method={"name": "mine", "settings": {}})
    assert said.startswith("the plan of mine: ")
    assert words in said


def test_a_row_of_a_plan_keeps_something_that_its_sample_has():
    from raymm.methods.extra_rows import checked

    present = np.array([[True, False], [True, True]])
    assert checked(ExtraRows(ints(1), ints(2), np.array([2.0])), present, "Mine").weight.dtype == np.float32
    with pytest.raises(TrainingError, match="row 1 keeps only modalities that its sample lacks"):
        checked(ExtraRows(ints(1, 0), ints(2, 2)), present, "Mine")


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda chosen, x: x * np.nan, "family=mine is nan at x = "),
        (lambda chosen, x: -x - 1, "it must rise from 0 at x = 0"),
        (lambda chosen, x: x.sum(), "family=mine returns a float64 for numbers [36, 2]; it must act elementwise"),
    ],
)
def test_a_family_that_breaks_its_contract_is_refused(tmp_path, dataset, function, words):
    registries.FAMILIES.register("mine", function)  # a function alone is a family without parameters
    assert words in refused(tmp_path, dataset, method={"settings": {"fs": {"family": "mine"}}})


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (lambda out, y, sizes: out[..., 0] * torch.nan, "'bad' is nan for sample 0 of a batch and a coalition of 0"),
        (lambda out, y, sizes: out[:, 0, 0], r"'bad' returns \[5\]; expected \[samples, coalitions\] = \[5, "),
        (lambda out, y, sizes: 1.0, "'bad' returns a float"),
    ],
)
def test_a_utility_that_is_not_a_number_does_not_pass_for_a_missing_modality(values, words):
    features, head = torch.rand(5, 3, 4), nn.Linear(4, 3)
    present = torch.ones(5, 3, dtype=torch.bool)

    def predict(inputs, mask):
        return head((inputs * mask[..., None]).sum(dim=1))

    bad = Utility("bad", values)
    register_utility(bad)
    with torch.inference_mode(), pytest.raises(TrainingError, match=words):
        value_samples(predict, features, torch.zeros(5, dtype=torch.long), utility_name="bad")
    with torch.inference_mode(), pytest.raises(TrainingError, match=words):
        contributions(predict, features, torch.zeros(5, dtype=torch.long), present, bad)


@pytest.mark.parametrize(
    ("name", "part", "words"),
    [
        ("metrics", lambda self, *given: {"mine": 1.0}, "metrics of the task 'classification' has no 'accuracy'"),
        (
            "metrics",
            lambda self, *given: {"accuracy": "x"},
            "metrics of the task 'classification': 'accuracy' is a str",
        ),
        (
            "losses",
            lambda self, outputs, labels: outputs.sum(),
            "losses of the task 'classification' are []; expected",
        ),
    ],
)
def test_a_task_that_breaks_its_contract_is_refused(tmp_path, dataset, monkeypatch, name, part, words):
    monkeypatch.setattr(Classification, name, part)
    assert words in refused(tmp_path, dataset)


@pytest.mark.parametrize("rows", [slice(None, 1), (slice(None), slice(None, 1))])
def test_a_kind_that_transforms_to_another_shape_is_refused(tmp_path, dataset, rows, monkeypatch):
    monkeypatch.setattr(VectorSpec, "transform", lambda self, values, keys, view: values[rows])
    assert "m0: the kind 'vector' transforms 2 rows to [" in refused(tmp_path, dataset)


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ("def decode(self, cell, files): return None", "pose: decode of the kind 'mine' returns None: 's0'"),
        ("def decode(self, cell, files): return np.zeros(9)", "pose: has shape [9], the schema says [2]"),
        ("def decode(self, cell, files): return {}['gone']", "KeyError: 'gone' (my_kind.py, line "),
        ("@classmethod\n    def probe(cls, probe): return None", "probe of the kind 'mine' returns a NoneType"),
        (
            SHAPE.format("shape", "None"),
            "error: --set: pose: shape of the kind 'mine' is None; return a tuple of whole",
        ),
        (SHAPE.format("shape", "(2, 'x')"), "shape of the kind 'mine' is (2, 'x'); return a tuple"),
        (SHAPE.format("shape", "(0,)"), "shape of the kind 'mine' is (0,); return a tuple"),
        (
            SHAPE.format("input_shape", "[2]"),
            "input_shape of the kind 'mine' is [2]; return a tuple of whole numbers",
        ),
        (SHAPE.format("shape", "()"), "statistics_axis of the kind 'mine' is 0, which its shape () lacks"),
        ("statistics_axis = -1", "statistics_axis of the kind 'mine' is -1, which its shape (2,) lacks"),
    ],
)
def test_a_kind_that_breaks_its_contract_is_refused_when_data_are_prepared(
    tmp_path, monkeypatch, capsys, part, words
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "my_kind.py").write_text(MY_KIND + f"    {part}\n\n\nKINDS.register('mine', Mine)\n")
    lines = [f"s{number},s{number}.npy,{'ab'[number % 2]},{split}" for number, split in enumerate(SPLITS)]
    (tmp_path / "labels.csv").write_text("sample_id,pose,label,split\n" + "\n".join(lines))
    for number in range(len(SPLITS)):
        np.save(tmp_path / f"s{number}.npy", np.ones(2, np.float32))
    words_of = "prepare --manifest labels.csv --media-root . --modalities pose:mine --out D --plugins my_kind.py"
    with pytest.raises(SystemExit) as ended:
        main([*words_of.split(), "--backend", "local"])
    sys.modules.pop("my_kind")
    assert ended.value.code == 2
    assert words in capsys.readouterr().err


def test_settings_of_another_class_are_refused(dataset):
    METHODS.register("mine", type("mine", (Method,), {"Settings": dict}))
    with pytest.raises(ConfigError, match=r"Settings of .* is no subclass of raymm\.config\.Settings"):
        build_method(parse({"method": {"name": "mine"}}), dataset.schema)


def test_what_a_plugin_raises_is_said_with_its_line_and_a_trace_only_with_debug(
    tmp_path, dataset, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "raising.py").write_text(
        "from raymm.methods import METHODS, Method\n\n\nclass Raising(Method):\n"
        "    def loss(self, step):\n        return {}['gone']\n\n\nMETHODS.register('raising', Raising)\n"
    )
    monkeypatch.setattr(sys, "path", [*sys.path])
    words = ["train", "--data", str(dataset.path), "--out", "run", "--backend", "local", "--method", "raising"]
    with pytest.raises(SystemExit) as ended:
        main([*words, "--plugins", "raising.py"])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert "error: Raising.loss raises KeyError: 'gone' (" in said
    assert "raising.py, line 6)" in said
    assert "--debug shows the whole trace" in said
    with pytest.raises(TrainingError) as raised:
        main([*words, "--plugins", "raising.py", "--debug"])
    assert isinstance(raised.value.__cause__, KeyError)
    sys.modules.pop("raising")


def test_a_fault_of_raymm_itself_still_shows_its_trace(monkeypatch):
    monkeypatch.setattr("raymm.cli.cli", SimpleNamespace(main=len))
    with pytest.raises(TypeError):
        main(["train"])
