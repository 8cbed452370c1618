"""fs and fm: every family rises from 0, and reads its own parameters."""

import numpy as np
import pytest

from raymm.config import load
from raymm.config.base import Settings
from raymm.errors import ConfigError, TrainingError
from raymm.methods.functions import FAMILIES, FM, FS, Family, get_function

pytestmark = pytest.mark.filterwarnings("error")  # of numpy too


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


FORMULAS = {
    "linear": lambda x: 3 * x,
    "power": lambda x: 3 * x * x * np.sqrt(x),
    "tanh": lambda x: 3 * (1 - 2 / (np.exp(x) + 1)),
    "exponential": lambda x: 3 * (np.exp(x / 2) - 1),
    "logarithmic": lambda x: 3 * np.log(1 + x / 2),
    "step": lambda x: np.array([3 * min(k / 4 for k in range(99) if k / 4 >= one - 1e-6) for one in x]),
}
GIVEN = {"scale": 3.0, "exponent": 2.5, "rate": 0.5, "steps": 4}


@pytest.mark.parametrize("family", FORMULAS)
def test_a_family_is_its_formula(family):
    x = np.array([0.0, 0.1, 0.25, 0.3, 0.5, 1.0, 1.7, 3.0])
    given = {key: value for key, value in GIVEN.items() if key in FAMILIES.get(family).Settings.model_fields}
    assert fs(family=family, **given)(x) == pytest.approx(FORMULAS[family](x), rel=1e-12)


def test_what_the_thresholds_of_the_released_code_give():
    phi = np.array([1.0, 0.7, 0.41, 0.39, 0.0, -0.09, -0.11, -3.0])
    assert fs(family="reference")(1 - phi).tolist() == [0, 1, 1, 2, 2, 2, 3, 3]
    assert fs(family="reference")(np.array([0.6, 1.1])).tolist() == [0, 0]  # the ends are open


@pytest.mark.parametrize("name", ["scale", "rate", "exponent", "steps"])
def test_parameters_from_above_zero_are_taken(name):
    family = {"scale": "linear", "rate": "tanh", "exponent": "power", "steps": "step"}[name]
    least = 1 if name == "steps" else 0.01
    assert fs(family=family, **{name: least})(np.array([1.0]))[0] > 0
    for wrong in (0, -1):
        with pytest.raises(ConfigError, match=name):
            fs(family=family, **{name: wrong})


class Shifted(Settings):
    """Parameters of a family of one's own."""

    shift: float = 0.5


def test_a_family_of_ones_own_is_a_function_with_its_parameters():
    def shifted(settings, x):
        return x + settings.shift

    assert FAMILIES.adapt(shifted, "mine").Settings.model_fields == {}
    shifted.Settings = Shifted
    family = FAMILIES.adapt(shifted, "mine")
    assert family.value(family.Settings(), np.array([1.0])).tolist() == [1.5]
    assert FAMILIES.adapt(family, "mine") is family
    with pytest.raises(AttributeError):
        family.value = None
    with pytest.raises(ConfigError, match=r"^mine is a int; a family is a function \(settings, x\) -> y$"):
        FAMILIES.adapt(3, "mine")


@pytest.fixture
def giving(monkeypatch):
    """A function whose family gives what is said, whatever x."""
    choice = FS.make()

    def made(y):
        monkeypatch.setattr(FAMILIES, "get", lambda *_: Family(lambda settings, x: y))
        return get_function(choice)

    return made


@pytest.mark.parametrize(
    ("y", "value", "at"),
    [([0.0, -0.5, -2.0], -0.5, 0.5), ([0.0, 1.0, np.nan], np.nan, 2.0), ([np.inf, 1.0, -1.0], np.inf, 0.0)],
)
def test_values_that_are_negative_or_not_finite_are_refused_by_the_first(giving, y, value, at):
    with pytest.raises(TrainingError) as error:
        giving(np.array(y))(np.array([0.0, 0.5, 2.0]))
    assert str(error.value) == f"family=linear is {value} at x = {at}; it must rise from 0 at x = 0"


def test_values_of_numbers_that_are_not_finite_may_be_anything(giving):
    y = np.array([0.0, np.nan, -1.0])
    assert giving(y)(np.array([0.0, np.nan, np.inf])) is y


@pytest.mark.parametrize(
    ("y", "found"), [(np.zeros(2), "an array [2]"), (np.zeros((3, 1)), "an array [3, 1]"), ([0.0] * 3, "a list")]
)
def test_values_of_another_shape_are_refused(giving, y, found):
    with pytest.raises(TrainingError) as error:
        giving(y)(np.zeros(3))
    assert str(error.value) == f"family=linear returns {found} for numbers [3]; it must act elementwise"
