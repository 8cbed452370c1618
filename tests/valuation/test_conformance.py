"""A custom model is checked on every coalition, and the first difference is named."""

import pytest
import torch

from raymm.config import ViewConfig
from raymm.data import BatchReader
from raymm.errors import ConfigError
from raymm.models.valued import load_own
from raymm.valuation import ModelError, check_model
from raymm.valuation.engine import value_rows
from tests.games import OwnModel, gappy_dataset


def few(dataset):
    return BatchReader(dataset, ViewConfig()).batch(dataset.rows("test")[:4])


def test_partials_that_tell_the_same_pass(dataset):
    batch = few(dataset)
    found = check_model(OwnModel(dataset.schema), batch, batch.mask)
    assert found.compared == 4 * 4
    assert found.largest < 1e-5


def test_the_first_difference_is_named(dataset):
    batch = few(dataset)
    model = OwnModel(dataset.schema, shift=0.5)
    with pytest.raises(
        ModelError, match=r"sample 0, coalition \{m0\}, class \d: the shortcut gives .*, the whole model"
    ):
        check_model(model, batch, batch.mask, names=dataset.schema.names)


def test_the_whole_model_is_compared_from_its_inputs(dataset):
    batch, model = few(dataset), OwnModel(dataset.schema)

    def whole(inputs, mask):
        return model.fuse(model.encode(inputs), mask)

    assert check_model(model, batch, batch.mask, whole=whole).near_ties == 0
    with pytest.raises(ModelError, match="the whole model"):
        check_model(model, batch, batch.mask, whole=lambda inputs, mask: whole(inputs, mask) + 1)


def test_features_of_the_wrong_shape_are_refused(dataset):
    batch, model = few(dataset), OwnModel(dataset.schema)
    model.encode = lambda _: torch.zeros(4, 8)
    with pytest.raises(
        ModelError, match=r"encode returned features of shape \[4, 8\]; expected \[samples, modalities"
    ):
        check_model(model, batch, batch.mask)


@pytest.mark.parametrize("part", ["encode", "fuse"])
def test_a_model_that_mixes_samples_is_refused(dataset, part):
    batch, model = few(dataset), OwnModel(dataset.schema)
    honest = getattr(model, part)
    setattr(model, part, lambda *given: honest(*given) - honest(*given).mean(dim=0))
    model.additive = False
    with pytest.raises(ModelError, match=r"encode and fuse: the logits of sample 0 of the batch change .* not mix"):
        check_model(model, batch, batch.mask)


def test_rows_of_a_ragged_batch_are_told_apart(tmp_path):
    data = gappy_dataset(tmp_path / "data", 3, ("train", "test") * 8, (0.2, 0.1), "classification")
    batch, model = few(data), OwnModel(data.schema)
    assert not batch.mask.all()
    check_model(model, batch, batch.mask)
    model.encoders["m1"] = torch.nn.Sequential(model.encoders["m1"], torch.nn.Identity())
    model.encoders["m1"][1].forward = lambda values: values - values.mean(dim=0)
    with pytest.raises(ModelError, match="samples of a batch must not mix"):
        check_model(model, batch, batch.mask)


def test_features_by_modality_are_refused_in_words(dataset):
    batch, model = few(dataset), OwnModel(dataset.schema)
    model.encode = lambda _: {"m0": torch.zeros(4, 3)}
    with pytest.raises(ModelError, match=r"encode returned a dict; expected one tensor \[samples"):
        check_model(model, batch, batch.mask)


def test_a_model_of_ones_own_values_a_data_set(dataset):
    job = load_own("tests.games:own_model", dataset, "test", {"utility": "probability"})
    table = value_rows(job.model, job.view, job.rows, job.config)
    assert len(table) == len(dataset.rows("test"))
    assert table.info.masking == "the model's own"
    with pytest.raises(ModelError, match=r"coalition \{m0\}"):
        load_own("tests.games:wrong_model", dataset, "test")
    with pytest.raises(ConfigError, match="returned a tuple without encode"):
        load_own("tests.games:no_model", dataset, "test")


def test_a_model_that_is_no_module_is_checked_and_valued_with_its_modules_at_rest(dataset):
    job = load_own("tests.games:held_model", dataset, "test")
    drop = torch.nn.Dropout()
    job.model.held.encoders["m0"].append(drop)  # in training mode
    found = value_rows(job.model, job.view, job.rows, job.config)
    assert drop.training
    true = value_rows(job.model.held.eval(), job.view, job.rows, job.config)
    assert (found.phi == true.phi).all()
    with pytest.raises(ModelError, match="encode gives other features when it is called again with the same batch"):
        load_own("tests.games:drawing_model", dataset, "test")


@pytest.mark.parametrize(("n", "compared"), [(12, 2**12), (13, 2 * 13 + 2)])
def test_beyond_enumeration_few_coalitions_are_compared_and_still_tell_a_difference(n, compared):
    class Sum:
        """A sum over modalities; `shift` is what its shortcut says too much of the last one."""

        shift = 0.0

        def encode(self, batch):
            return batch

        def fuse(self, features, mask):
            return (features * mask[..., None]).sum(dim=1)

        def partials(self, features):
            return features + self.shift * torch.nn.functional.one_hot(torch.tensor(n - 1), n)[:, None], torch.zeros(
                2
            )

    model, features, present = Sum(), torch.rand(1, n, 2), torch.ones(1, n, dtype=torch.bool)
    assert check_model(model, features, present).compared == compared
    model.shift = 0.5
    with pytest.raises(ModelError, match=rf"coalition \{{modality {n - 1}\}}, class 0: the shortcut gives"):
        check_model(model, features, present)


class Rounded(torch.nn.Module):
    """A sum in some precision, whose terms may be much larger than it."""

    def __init__(self, dtype, width, large=0.0, finish=None, factor=1.0):
        super().__init__()
        torch.manual_seed(0)
        self.first = torch.nn.Linear(width, 6).to(dtype)
        self.finish, self.factor = finish, factor
        self.terms = large * torch.tensor([1.0, 1.0, -2.0]).to(dtype)[:, None]

    def encode(self, batch):
        return batch.to(self.first.weight.dtype).relu()

    def fuse(self, features, mask):
        sums = self.first((features * mask[..., None]).sum(1)) + (self.terms * mask[..., None]).sum(1)
        return sums if self.finish is None else self.finish(sums)

    def partials(self, features):
        return self.factor * features @ self.first.weight.T + self.terms, self.first.bias


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
@pytest.mark.parametrize(
    ("width", "large", "finish"), [(16, 0.0, None), (600, 0.0, None), (16, 40.0, None), (600, 0.0, torch.tanh)]
)
def test_right_sums_pass_in_any_precision_and_wrong_ones_do_not(dtype, width, large, finish):
    draw = torch.Generator().manual_seed(1)
    samples, present = torch.randn(6, 3, width, generator=draw), torch.ones(6, 3, dtype=torch.bool)
    model = Rounded(dtype, width, large, finish)
    assert check_model(model, samples, present).compared == 6 * 8
    model.factor = 2.0
    if not large or dtype == torch.float32:
        with pytest.raises(ModelError, match="the shortcut gives"):
            check_model(model, samples, present)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_logits_that_are_not_finite_are_named(dataset, value):
    """NaN is neither equal nor unequal: a comparison by itself lets it pass."""
    batch, model = few(dataset), OwnModel(dataset.schema)
    plain = model.fuse
    alone = torch.tensor([False, True])
    model.fuse = lambda features, mask: torch.where(
        (mask == alone).all(dim=1, keepdim=True), value, plain(features, mask)
    )
    with pytest.raises(
        ModelError, match=rf"sample 0, coalition \{{m1\}}, class 0: the logit is {value}; logits must be"
    ):
        check_model(model, batch, batch.mask, names=dataset.schema.names)
    model = OwnModel(dataset.schema, shift=value)
    with pytest.raises(
        ModelError, match=r"coalition \{\w*\}, class \d: the shortcut gives (nan|inf), the whole model"
    ):
        check_model(model, batch, batch.mask, names=dataset.schema.names)
