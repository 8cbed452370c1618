"""fs and fm: every family rises from 0, and reads its own parameters."""

import numpy as np
import pytest

from raymm.config import load
from raymm.errors import ConfigError
from raymm.methods.functions import FAMILIES, FM, FS, get_function


def fs(**given):
    overrides = [f"method.settings.fs.{key}={value}" for key, value in given.items()]
    return get_function(load(None, ("method=sample", *overrides)).method.settings.fs)


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_rises_from_zero(family):
    x = np.linspace(0, 3, 298)  # misses the open ends of `reference`
    y = fs(family=family)(x)
    assert y[0] == 0
    assert (np.diff(y) >= 0).all()
    assert y[-1] > 0


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_reads_the_parameters_it_declares_and_no_others(family):
    x = np.linspace(0.1, 3, 50)
    for parameter, value in {"scale": 3.3, "exponent": 1.3, "rate": 0.4, "steps": 5}.items():
        differs = not np.allclose(fs(family=family, **{parameter: value})(x), fs(family=family)(x))
        assert differs == (parameter in FAMILIES.get(family).Settings.model_fields)


def test_linear_and_step_agree_on_the_grid_of_two_modalities():
    grid = np.array([0.0, 0.5, 1.0, 1.5])
    assert fs(family="linear")(grid).tolist() == [0, 1, 2, 3]
    assert fs(family="step")(grid).tolist() == [0, 1, 2, 3]


def test_fs_is_twice_fm_where_nothing_is_said():
    assert (FS.make().settings.scale, FM.make().settings.scale) == (2.0, 1.0)
    assert load(None, ("method=sample",)).method.settings.fs == FS.make()


def test_an_unknown_family_names_the_setting_and_the_nearest():
    with pytest.raises(ConfigError, match=r"method.settings.fs: no family of fs and fm 'tahn'; did you mean 'tanh'"):
        fs(family="tahn")
