"""Tasks by name, from outside the package, and what they refuse."""

import pickle

import pytest
from pydantic import field_validator

from raymm.config.base import Settings
from raymm.errors import ConfigError
from raymm.tasks import TASKS, Classification, MultiLabel, Task, get_task, guess_task


class Fuzzy(Classification):
    name = "fuzzy"
    hard = False
    soft = ("probability",)


class Count:
    pass


def test_tasks_by_name():
    assert list(TASKS)[:2] == ["classification", "multilabel"]
    assert isinstance(get_task(), Classification)
    assert isinstance(get_task("multilabel"), MultiLabel)
    assert isinstance(get_task(f"{__name__}:Fuzzy"), Fuzzy)


def test_equal_settings_make_equal_tasks():
    one, same, other = (get_task("multilabel", {"match": match}) for match in (0.5, 0.5, 0.6))
    assert one == same == pickle.loads(pickle.dumps(one))
    assert hash(one) == hash(same)
    assert one != other
    assert get_task() != get_task("multilabel")


@pytest.mark.parametrize(
    ("name", "settings", "words"),
    [
        ("multilable", {}, "task: no task 'multilable'; did you mean 'multilabel'?"),
        (f"{__name__}:Count", {}, f"task: '{__name__}:Count' is no subclass of raymm.tasks.Task"),
        ("classification", {"match": 1}, "task classification: match: no such setting; none are known"),
        ("multilabel", {"match": 0}, "task multilabel: match: must be more than 0 (got 0)"),
        ("multilabel", {"threshold": 1}, "task multilabel: threshold: must be less than 1 (got 1)"),
    ],
)
def test_refusals(name, settings, words):
    with pytest.raises(ConfigError) as caught:
        get_task(name, settings)
    assert str(caught.value) == words


@pytest.mark.parametrize(
    ("cells", "name"),
    [
        (["a", "b", ""], "classification"),
        ([], "classification"),
        (["|", "a|"], "classification"),
        ([1, 2.0, None], "classification"),
        (["a", "a|b"], "multilabel"),
        ([["a"], []], "multilabel"),
    ],
)
def test_guesses(cells, name):
    assert guess_task(cells) == name


def test_utilities_and_metrics_are_refused_by_name():
    assert get_task().utilities == ("count", "correct", "probability", "log_probability", "logit", "margin")
    assert get_task("multilabel").utilities == (*get_task().utilities, "score", "soft_count")
    for task in (get_task(), get_task("multilabel")):
        for name in task.utilities:
            task.check_utility(name)
        for name in task.selection:
            task.check_selection(name)
        assert task.width(7) == 7
    with pytest.raises(ConfigError) as caught:
        get_task(f"{__name__}:Fuzzy").check_utility("count")
    assert str(caught.value) == "valuation.utility: 'count' is not defined for the task fuzzy; known: probability"
    with pytest.raises(ConfigError) as caught:
        get_task().check_selection("mAP")
    assert str(caught.value) == (
        "training.selection: 'mAP' is no metric of the task classification; it has accuracy, macro_f1, loss"
    )


def test_a_task_must_say_everything():
    with pytest.raises(TypeError, match="abstract"):
        Task()


class StrictSettings(Settings):
    """Settings with a rule of their own."""

    step: int = 2

    @field_validator("step")
    @classmethod
    def _even(cls, step):
        if step % 2:
            raise ValueError(f"{step} is odd; give an even number")
        return step


class Strict(Classification):
    """A task with settings of which a rule of its own says what is wrong."""

    name = "strict"
    Settings = StrictSettings


def test_what_a_rule_of_a_tasks_own_says_is_said_as_it_is():
    with pytest.raises(ConfigError) as caught:
        get_task(f"{__name__}:Strict", {"step": 3, "stop": 1})
    assert str(caught.value) == (
        f"task {__name__}:Strict: 2 problems\n  - step: 3 is odd; give an even number"
        "\n  - stop: no such setting; did you mean 'step'?"
    )
