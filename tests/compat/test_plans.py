"""Plans equal those that version 0.1.0 made, bit for bit, and values of fs up to their last bits."""

import numpy as np
import pytest

from raymm.methods import ResamplingInputs, get_function, get_method, make_plan
from raymm.methods.base import MethodContext
from raymm.valuation import utility
from tests.compat.old_settings import old_settings


def plan_of(config, arrays, phi, utility_name, seed):
    n = phi.shape[1]
    context = MethodContext(
        modalities=tuple(f"m{i}" for i in range(n)),
        outputs=4,
        feature_size=8,
        task="classification",
        fusion="concat",
        utility=utility(utility_name),
        seed=0,
    )
    method = get_method(config.method.name)(config.method.settings, context)
    rows, label, present = arrays["rows"], arrays["label"], arrays["present"]
    inputs = ResamplingInputs(rows, label, present, phi, context.utility, seed, classes=4)
    return make_plan(method, inputs, config.method.row_budget)


def test_every_recorded_plan_is_made_again(golden):
    plans = golden("plans")
    differing = []
    for case in plans.about["cases"]:
        settings = plans.about["settings"][case["settings"]]
        arrays = plans.under(f"n{case['n']}")
        dotted = {key: value for key, value in settings.items() if key.startswith("resampling.")}
        config = old_settings({**dotted, "resampling.row_budget": case["resampling.row_budget"]})
        if settings["utility"] != "count" and config.method.name in {"sample", "random"}:
            continue  # refused now: these utilities have no fair share
        plan = plan_of(config, arrays, arrays[settings["phi"]], settings["utility"], case["seed"])
        low, high = case["rows"]
        same = np.array_equal(plan.index, plans.arrays["index"][low:high])
        same &= np.array_equal(plan.keep, plans.arrays["keep"][low:high])
        if not same or plan.dropped != case["dropped"]:
            differing.append(case)
    assert differing == []
    assert len(plans.about["cases"]) > 100


@pytest.mark.parametrize("other", [0, 1])
def test_a_plan_of_another_seed_is_another(golden, other):
    plans = golden("plans")
    case = next(
        case for case in plans.about["cases"] if plans.about["settings"][case["settings"]]["utility"] == "count"
    )
    arrays = plans.under(f"n{case['n']}")
    config = old_settings({"resampling.strategy": "random", "resampling.random_rows": 2.0})
    plan = plan_of(config, arrays, arrays["phi_all"], "count", 100 + other)
    again = plan_of(config, arrays, arrays["phi_all"], "count", 100)
    assert np.array_equal(plan.index, again.index) == (other == 0)


def test_values_of_fs_are_those_recorded(golden, same_bits):
    plans = golden("plans")
    x = plans.arrays["function.x"]
    exact = same_bits(plans.about["environment"], numpy_too=True)
    for name, given in plans.about["functions"].items():
        dotted = {f"resampling.fs.{key}": value for key, value in given.items()}
        y = get_function(old_settings({"resampling.strategy": "sample", **dotted}).method.settings.fs)(x)
        recorded = plans.arrays[f"function.{name}"]
        assert np.array_equal(y, recorded) if exact else np.allclose(y, recorded, rtol=1e-12, atol=1e-15), name
