"""A modality that a model does not read (`model.modalities`) is no player: its samples are as if they lacked it.

The same weights are valued on data without it, by a model that reads all that is there.
"""

import pickle
from dataclasses import fields as fields_of
from dataclasses import replace

import numpy as np
import pytest
import torch

from raymm.config.registries import FUSIONS, UTILITIES
from raymm.data.loading import BatchRequest, _Batches
from raymm.data.reader import BatchReader
from raymm.errors import ConfigError
from raymm.models.export import export_model
from raymm.models.model import build_model
from raymm.models.predictor import load
from raymm.valuation import check_model, value_samples
from raymm.valuation.engine import evaluate_batch, method_for, value_rows
from raymm.valuation.own.values import value_batches
from raymm.valuation.utilities import get_utility
from tests.games import settings
from tests.oracles import shapley_by_permutations
from tests.unread import with_and_without, written

READ = ["m0", "m1"]
SPLITS = ("train",) * 4 + ("test",) * 26
WAYS = {
    "exact": {"method": "exact"},
    "sampled": {"method": "sampled", "budget": 6},
    "refined": {"method": "sampled", "budget": 6, "refine": True},
}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    made = {}

    def get(task="classification", n=3):
        if (task, n) not in made:
            made[task, n] = with_and_without(tmp_path_factory.mktemp("unread"), SPLITS, n, task)
        return made[task, n]

    return get


def models(schema, *, read=READ, fusion="concat", calibrate="none", valuation=None, baseline="mean", **more):
    """A model of some modalities and one of all, with the same restless weights; and their settings."""
    raw = {"fusion": fusion, "feature_size": 8, "encoder": {"width": 8}, "baseline": baseline, "calibrate": calibrate}
    configs = [
        settings(model={**raw, "modalities": names, **more}, valuation={"batch_size": 7, **(valuation or {})})
        for names in (read, None)
    ]
    some, every = (build_model(schema, config.model, 0).eval() for config in configs)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weight in every.parameters():
            if weight.ndim > 1:
                weight.normal_(std=0.5, generator=generator)
        if baseline != "zeros":
            every.set_baseline(torch.randn(every.baseline.shape, generator=generator))
        if every.calibration is not None:
            for part in every.calibration.buffers():
                part.add_(0.1)
    some.load_state_dict(every.state_dict())
    return (some, configs[0]), (every, configs[1])


def fields(table):
    """All that a table says of its samples, as bytes; all but what names the model."""
    values = {field.name: getattr(table, field.name) for field in fields_of(table) if field.name != "info"}
    return {name: None if value is None else np.asarray(value).tobytes() for name, value in values.items()}


def both(data, some, every):
    """The table of the model of some modalities on all data, and of the other on data without the last."""
    whole, without = data
    (model, config), (other, plain) = some, every
    rows = whole.rows("test")
    mine = value_rows(model, BatchReader.of(whole, config), rows, config)
    late = value_rows(model, BatchReader(whole, config.view), rows, config)  # a reader that was told of no model
    theirs = value_rows(other, BatchReader.of(without, plain), rows, plain)
    assert fields(mine) == fields(late)
    return mine, theirs


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("fusion", FUSIONS)
def test_every_fusion(fusion, way, data):
    mine, theirs = both(data(), *models(data()[0].schema, fusion=fusion, valuation=WAYS[way]))
    assert fields(mine) == fields(theirs)
    assert np.isnan(mine.phi[:, 2]).all()
    assert np.nanstd(mine.phi[:, :2]) > 0.1


@pytest.mark.parametrize("utility", UTILITIES)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("task", ["classification", "multilabel", "regression"])
def test_every_utility_of_every_task(task, utility, way, data):
    whole, _ = data(task)
    try:
        get_utility(utility, whole.schema.task)
    except ConfigError:
        return
    mine, theirs = both(data(task), *models(whole.schema, valuation={**WAYS[way], "utility": utility}))
    assert fields(mine) == fields(theirs)
    assert np.isnan(mine.phi[:, 2]).all()


@pytest.mark.parametrize("baseline", ["zeros", "mean", "learned"])
@pytest.mark.parametrize(
    ("fusion", "calibrate"),
    [
        ("mlp", "temperature"),
        ("mlp", "modality_weights"),
        ("sum", "modality_weights"),
        ("ensemble", "modality_temperatures"),
    ],
)
def test_every_calibration_and_baseline(fusion, calibrate, baseline, data):
    pair = models(data()[0].schema, fusion=fusion, calibrate=calibrate, baseline=baseline)
    assert pair[0][0].calibration.fitted
    mine, theirs = both(data(), *pair)
    assert fields(mine) == fields(theirs)


def test_many_modalities_by_the_closed_form_and_by_samples(data):
    """17 of 18: sums of logits whose values follow without a coalition, and those that are sampled."""
    whole, _ = data(n=18)
    names = [f"m{i}" for i in range(17)]
    for valuation, name in (({"utility": "logit"}, "closed_form"), ({"method": "sampled", "budget": 60}, "sampled")):
        some, every = models(whole.schema, read=names, fusion="sum", valuation=valuation)
        mine, theirs = both(data(n=18), some, every)
        assert mine.info.method == theirs.info.method == name
        assert fields(mine) == fields(theirs)
        assert np.isnan(mine.phi[:, 17]).all()


@pytest.mark.parametrize("fusion", ["concat", "ensemble"])
def test_the_values_are_those_of_a_model_that_was_never_told_of_the_modality(fusion, data, tmp_path):
    """Data and model of two modalities, with their part of the weights: another schema, other coalitions."""
    whole, _ = data()
    (some, config), _ = models(whole.schema, fusion=fusion, baseline="zeros")
    two = written(tmp_path / "two", SPLITS, 2)
    plain = config.model_copy(update={"model": config.model.model_copy(update={"modalities": None})})
    small = build_model(two.schema, plain.model, 0).eval()
    state = {name: some.state_dict()[name] for name in small.state_dict()}
    state = {
        name: value[:2] if value.shape != small.state_dict()[name].shape else value for name, value in state.items()
    }
    small.load_state_dict(state)
    rows = whole.rows("test")
    mine = value_rows(some, BatchReader.of(whole, config), rows, config)
    batch = BatchReader.of(whole, config).batch(rows)
    features = some.encode(batch)[:, :2]
    theirs = value_samples(small, features, batch.labels, present=batch.mask[:, :2], utility_name="count")
    assert np.array_equal(mine.phi[:, :2], theirs.phi.numpy(), equal_nan=True)
    assert np.array_equal(mine.prediction, theirs.prediction.numpy())


def test_samples_that_have_nothing_that_is_read_have_no_players(tmp_path):
    """Their answer is that of the baseline, and every contribution is missing."""
    whole = written(tmp_path / "d", SPLITS, lone=True)
    rows = whole.rows("test")
    lone = (whole.present[rows] == [False, False, True]).all(axis=1)
    assert lone.sum() == 2
    for way in WAYS.values():
        (model, config), _ = models(whole.schema, valuation=way)
        view = BatchReader.of(whole, config)
        table = value_rows(model, view, rows, config)
        assert np.array_equal(np.isnan(table.phi).all(axis=1), lone)
        nothing = model.fuse(torch.zeros(1, 3, 8), torch.zeros(1, 3, dtype=torch.bool))
        assert set(table.prediction[lone].tolist()) == {int(nothing.argmax())}
        few = value_rows(model, view, rows[~lone], config)
        assert np.array_equal(table.phi[~lone], few.phi, equal_nan=True)


def test_the_values_are_those_of_the_definition(data):
    """One sample and one order of arrival at a time, over the modalities that are read."""
    whole, _ = data()
    (model, config), _ = models(whole.schema, fusion="mlp")
    rows = whole.rows("test")
    table = value_rows(model, BatchReader.of(whole, config), rows, config)
    batch = BatchReader(whole, config.view).batch(rows)
    features = model.encode(batch)
    for row, label in enumerate(batch.labels.tolist()):
        own = [i for i in (0, 1) if batch.mask[row, i]]
        values = []
        for code in range(2 ** len(own)):
            mask = torch.zeros(1, 3, dtype=torch.bool)
            mask[0, [player for at, player in enumerate(own) if code >> at & 1]] = True
            right = int(model.fuse(features[row, None], mask).argmax()) == label
            values.append(int(mask.sum()) if right else 0)
        assert table.phi[row, own].tolist() == [float(value) for value in shapley_by_permutations(values)]


def test_parts_of_a_batch_that_actors_value_are_put_together_as_in_one_process(data):
    pytest.importorskip("ray")
    from raymm.cluster.valuation_pool import Job, Task, Valuer, _state, _table
    from raymm.valuation.engine import table_info, to_arrays

    whole, _ = data(n=4)
    (model, config), _ = models(whole.schema, read=["m0", "m1", "m2"], fusion="mlp")
    view, rows = BatchReader.of(whole, config), whole.rows("test")[:7]
    method = method_for(model, view, rows, config)
    info = table_info(model, view, config, None, method)
    job, expected = Job("j", str(whole.path), config.model_dump()), value_rows(model, view, rows, config)
    actor = Valuer()
    for ranges in ([None], [range(8), range(8, 16)]):
        tasks = [Task(0, rows, codes, len(ranges)) for codes in ranges]
        results = [(task, actor.work(job, _state(model), "v", task, method)) for task in tasks]
        for reader in (view, BatchReader(whole, config.view)):
            assert fields(_table(results, model, reader, rows, info)) == fields(expected)
    sums, _ = evaluate_batch(model, view, rows, config, range(8))
    assert to_arrays(sums).keys() <= actor.work(job, None, "v", Task(0, rows, range(8), 2), method).keys()


def test_predictions_and_values_of_batches(data, tmp_path):
    """What is asked of a model by hand: the exported predictor, and `raymm.value` of the module itself."""
    whole, without = data()
    (model, config), (other, plain) = models(whole.schema)
    rows = whole.rows("test")
    answers = []
    for number, (one, settings_of, dataset) in enumerate(((model, config, whole), (other, plain, without))):
        folder = tmp_path / str(number)
        export_model(folder, one, settings_of, replace(dataset, statistics=whole.statistics))
        shards = dataset.shards
        columns = {
            name: [
                shards.read(name, rows[at, None])[0] if shards.present[row, place] else None
                for at, row in enumerate(rows.tolist())
            ]
            for place, name in enumerate(whole.schema.names)
        }
        answers.append(load(folder).predict(columns))
    assert answers[0] == answers[1]
    assert set(answers[0]["phi_m2"]) == {None}
    for method in ({}, {"method": "sampled", "budget": 6}):
        mine, theirs = (
            value_batches(
                one,
                [BatchReader(dataset, config.view).batch(rows)],
                modalities=whole.schema.names,
                classes=3,
                **method,
            )
            for one, dataset in ((model, whole), (other, without))
        )
        assert np.array_equal(mine.phi, theirs.phi, equal_nan=True)
        assert np.isnan(mine.phi[:, 2]).all()


def test_a_copy_of_the_reader_in_another_process_reads_the_same_modalities(data):
    whole, _ = data()
    (_, config), _ = models(whole.schema)
    reader, rows = BatchReader.of(whole, config), whole.rows("test")
    batch = pickle.loads(pickle.dumps(_Batches(reader, late=False)))[BatchRequest(rows)]
    assert torch.equal(batch.mask, reader.batch(rows).mask)
    assert not batch.mask[:, 2].any()
    assert torch.equal(BatchReader.of(whole, config).of_all().batch(rows).mask, torch.from_numpy(whole.present[rows]))
    assert check_model(build_model(whole.schema, config.model, 0).eval(), batch, batch.mask)
