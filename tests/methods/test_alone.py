"""One modality alone: what is trained, and that the model has no other, wherever it is used."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from raymm.config import parse
from raymm.config.registries import FUSIONS
from raymm.errors import ConfigError
from raymm.methods import build_method
from raymm.models.export import load_model
from raymm.models.model import build_model, model_mistakes
from raymm.training.loop import Backends, train
from raymm.training.run import create_or_open
from raymm.valuation.protocol import logit_source
from raymm.valuation.table_file import read_table
from tests.games import settings
from tests.methods.tiny import assert_equal, changes, gradients, part_of, rows_of, schema_of, trainer_of

SAMPLES = 120


@pytest.mark.parametrize(("n", "i"), [(1, 0), (2, 0), (2, 1), (3, 1)])
def test_a_step_is_that_of_the_rows_that_have_the_modality(n, i):
    trainer = trainer_of("alone", n, modality=f"m{i}")
    batch = rows_of(trainer)
    has, fusion = batch.mask[:, i], trainer.model.fusion
    features = trainer.model.encoders[f"m{i}"](batch.inputs[f"m{i}"])
    logits = features @ fusion.weight[i] + fusion.bias
    expected = gradients(trainer, functional.cross_entropy(logits, batch.labels[has], reduction="sum") / len(batch))
    found = changes(trainer, part_of(batch))
    assert_equal(found, expected)
    assert all((moved == 0).all() for name, moved in found.items() if "encoders" in name and f".m{i}." not in name)


def test_nothing_else_is_read_for_training():
    trainer = trainer_of("alone", 3, modality="m1")
    mask = rows_of(trainer).mask.numpy()
    kept = trainer.method.mask(mask, None)
    assert (kept[:, 1] == mask[:, 1]).all()
    assert not kept[:, [0, 2]].any()


@pytest.mark.parametrize("baseline", ["zeros", "learned"])
@pytest.mark.parametrize("fusion", sorted(FUSIONS))
def test_coalitions_of_the_model_are_those_with_what_it_reads(fusion, baseline):
    """Against a model of all modalities with the same weights, whose masks leave the others out."""
    raw = {"fusion": fusion, "feature_size": 4, "encoder": {"width": 4}, "baseline": baseline}
    whole = build_model(schema_of(3), parse({"model": raw}).model, 0).eval()
    some = build_model(schema_of(3), parse({"model": {**raw, "modalities": ["m0", "m2"]}}).model, 0).eval()
    assert whole.state_dict().keys() == some.state_dict().keys()
    with torch.no_grad():
        whole.baseline.copy_(torch.randn(3, 4, generator=torch.Generator().manual_seed(1)) * (baseline != "zeros"))
        some.load_state_dict(whole.state_dict())
        batch = rows_of(trainer_of("joint", 3))
        features = whole.encode(batch)
        reads = torch.tensor([True, False, True])
        assert torch.equal(some.encode(batch), features * reads[:, None])
        coalitions = torch.tensor([[bool(code >> i & 1) for i in range(3)] for code in range(8)])
        found = logit_source(some, some.encode(batch), batch.mask).logits(coalitions)
        for number, coalition in enumerate(coalitions):
            expected = whole.fuse(features, batch.mask & coalition & reads)
            assert torch.allclose(some.fuse(features, batch.mask & coalition), expected, atol=1e-6)
            assert torch.allclose(found[:, number], expected, atol=1e-5)
        assert not torch.allclose(whole.fuse(features, batch.mask), some.fuse(features, batch.mask), atol=1e-3)


def test_a_run_is_of_one_modality_to_its_served_model(tmp_path, dataset):
    config = settings(
        method={"name": "alone", "settings": {"modality": "m1"}},
        training={"epochs": 2},
        valuation={"utility": "probability"},
    )
    run = create_or_open(tmp_path / "r", config, dataset)
    result = train(run, dataset, Backends())
    assert result.metrics["test/accuracy"] == result.metrics["test/accuracy_m1"]
    table = read_table(run.path / "result" / "valuation-test.parquet")
    assert np.isnan(table.phi[:, 0]).all()
    assert (table.phi[:, 1] != 0).any()
    assert load_model(run.path / "result" / "model").model.read == {"m1"}


def test_which_modality_must_be_said_once_and_exist():
    with pytest.raises(ConfigError, match=r"say which modality .* method.settings.modality=m0; there are m0, m1"):
        trainer_of("alone", 2)
    assert trainer_of("alone", 2, model={"modalities": ["m1"]}).method.position == 1
    with pytest.raises(ConfigError, match=r"method.settings.modality=m0, but model.modalities=m1; leave one of them"):
        trainer_of("alone", 2, model={"modalities": ["m1"]}, modality="m0")
    config = parse({"method": {"name": "alone", "settings": {"modality": "m7"}}})
    (mistake,) = model_mistakes(schema_of(2), config.model)
    assert mistake.startswith("model.modalities: no modality 'm7'")
    with pytest.raises(ConfigError, match="there is no modality 'm7' to train alone"):
        build_method(config, schema_of(2))
    with pytest.raises(ConfigError, match=r"model.modalities"):
        parse({"model": {"modalities": []}})
