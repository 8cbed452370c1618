"""Contributions to answers of models with many modalities: sampled as a valuation is, against exact ones."""

import numpy as np
import pytest
import torch

from raymm.api.predictions import Predictions
from raymm.config import parse
from raymm.data.schema import Schema
from raymm.errors import ConfigError
from raymm.models.export import Exported
from raymm.models.model import build_model
from raymm.models.predictor import Predictor
from raymm.valuation.enumeration import value_source
from raymm.valuation.protocol import logit_source
from raymm.valuation.utilities import get_utility

ROWS = 6


def predictor_of(n, task="classification", **valuation):
    vectors = [{"name": f"m{i:02d}", "kind": "vector", "size": 2} for i in range(n)]
    schema = Schema(modalities=vectors, classes=["x", "y", "z"], task={"name": task})
    model = {"feature_size": 4, "encoder": {"width": 4}, "fusion": {"name": "gated", "size": 8}}
    config = parse({"model": model, "valuation": valuation})
    return Predictor(Exported(build_model(schema, config.model, 1).eval(), config, schema, {}))


def columns_of(predictor, rows=ROWS):
    """The first three samples have all modalities, the others lack some."""
    draw = np.random.default_rng(2)
    columns = {}
    for number, name in enumerate(predictor.exported.schema.names):
        values = list(draw.normal(size=(rows, 2)).astype(np.float32))
        columns[name] = [None if row >= 3 and (row + number) % 5 == 0 else value for row, value in enumerate(values)]
    return columns


def exact(predictor, columns):
    """All coalitions, whatever the settings say."""
    model, batch = predictor.exported.model, predictor.batch(columns)
    with torch.inference_mode():
        features = model.encode(batch)
        answer = predictor.exported.schema.task.predict(model.fuse(features, batch.mask))
        utility = get_utility("probability", predictor.exported.schema.task)
        return value_source(logit_source(model, features, batch.mask), answer, utility).phi.numpy()


@pytest.mark.parametrize("task", ["classification", "multilabel"])
def test_thirteen_modalities_are_sampled_near_the_exact_values(task):
    predictor = predictor_of(13, task)
    columns = columns_of(predictor)
    found, wanted = predictor.answers(columns), exact(predictor, columns)
    assert found.stderr is not None
    assert np.array_equal(np.isnan(found.phi[..., 0]), np.isnan(wanted))
    there = ~np.isnan(wanted)
    apart = np.abs(found.phi[..., 0] - wanted)[there]
    errors = found.stderr[..., 0][there]
    assert apart.max() > 0  # not enumerated
    assert (apart <= 6 * errors + 1e-9).all()
    assert np.sqrt((apart**2).mean()) < 3 * np.sqrt((errors**2).mean())
    assert apart.max() < 0.1 * np.abs(wanted[there]).max()


def test_a_sample_has_its_contributions_whatever_else_is_asked():
    predictor = predictor_of(13)
    columns = columns_of(predictor)
    together = predictor.answers(columns)
    for row in (0, 4):
        alone = predictor.answers({name: [column[row]] for name, column in columns.items()})
        assert alone.phi[0] == pytest.approx(together.phi[row], abs=1e-6, nan_ok=True)
        assert alone.stderr[0] == pytest.approx(together.stderr[row], abs=1e-6, nan_ok=True)


def test_as_many_as_a_valuation_enumerates_are_exact_and_settings_decide():
    few = predictor_of(5)
    columns = columns_of(few)
    assert few.answers(columns).stderr is None
    assert few.answers(columns).phi[..., 0] == pytest.approx(exact(few, columns), abs=1e-9, nan_ok=True)
    assert not [name for name in few.predict(columns) if name.startswith("stderr")]
    asked = predictor_of(6, method="sampled", budget=40)
    assert asked.answers(columns_of(asked)).stderr is not None
    all_of_them = predictor_of(13, method="exact")
    assert all_of_them.answers(columns_of(all_of_them)).stderr is None


def test_columns_tables_and_plots_have_the_standard_errors():
    predictor = predictor_of(13)
    columns = columns_of(predictor)
    found = Predictions([f"s{row}" for row in range(ROWS)], predictor.answers(columns))
    frame = found.to_pandas()
    assert frame["stderr_m00"].to_numpy() == pytest.approx(found.stderr[:, 0], nan_ok=True)
    assert predictor.predict(columns)["stderr_m00"][0] == pytest.approx(found.stderr[0, 0])
    axis = found.plot().axes[0]
    drawn = [patch.get_width() for patch in axis.patches]
    assert len(drawn) == ROWS * 13
    assert drawn[:ROWS] == pytest.approx(np.nan_to_num(found.phi[:, 0]))
    assert axis.get_yticklabels()[0].get_text() == f"s0: {found.labels[0]}"
    assert found.plot("phi-distribution").axes
    with pytest.raises(ConfigError, match="plot: no kind 'phi'"):
        found.plot("phi")


def test_one_of_several_numbers_is_drawn_by_its_name():
    predictor = predictor_of(3, "regression")
    found = Predictions(["s"] * ROWS, predictor.answers(columns_of(predictor)))
    axis = found.plot(target="y").axes[0]
    drawn = [patch.get_width() for patch in axis.patches][:ROWS]
    assert drawn == pytest.approx(np.nan_to_num(found.phi[:, 0, 1]))
    assert np.isnan(found.stderr).any()  # some are missing
    assert [bars.errorbar for bars in axis.containers] == [None] * 3
    with pytest.raises(ConfigError, match="plot: no target 'w'"):
        found.plot(target="w")
