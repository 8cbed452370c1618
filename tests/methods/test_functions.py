"""fs and fm: every family rises from 0."""

import numpy as np
import pytest

from raymm.config import FunctionConfig
from raymm.errors import ConfigError
from raymm.methods.functions import FAMILIES, PARAMETERS, function


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_rises_from_zero(family):
    x = np.linspace(0, 3, 298)  # misses the open ends of `reference`
    y = function(FunctionConfig(family=family))(x)
    assert y[0] == 0
    assert (np.diff(y) >= 0).all()
    assert y[-1] > 0


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_reads_the_parameters_it_names_and_no_others(family):
    x = np.linspace(0.1, 3, 50)
    for parameter, value in {"scale": 3.3, "exponent": 1.3, "rate": 0.4, "steps": 5}.items():
        changed = function(FunctionConfig(family=family, **{parameter: value}))(x)
        differs = not np.allclose(changed, function(FunctionConfig(family=family))(x))
        assert differs == (parameter in PARAMETERS[family])


def test_linear_and_step_agree_on_the_grid_of_two_modalities():
    grid = np.array([0.0, 0.5, 1.0, 1.5])
    linear = function(FunctionConfig(family="linear"))(grid)
    assert linear.tolist() == [0, 1, 2, 3]
    assert function(FunctionConfig(family="step"))(grid).tolist() == linear.tolist()


def test_an_unknown_family_names_the_nearest():
    with pytest.raises(ConfigError, match="family: no family 'tahn'; did you mean 'tanh'"):
        function(FunctionConfig(family="tahn"))
