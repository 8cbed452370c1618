"""What a study is asked to do: what options and files say, and every mistake in words."""

import pytest

from raymm.errors import ConfigError
from raymm.study.settings import StudySettings, parse_study, seeds_of

ONE = {"data": ["runs/grid"], "arms": ["joint", "random", "sample"]}


def test_short_forms_say_what_long_ones_say():
    short = parse_study({**ONE, "seeds": "0-2,5", "match": "rows"})
    long = parse_study(
        {
            "data": {"grid": {"path": "runs/grid"}},
            "arms": {
                "joint": {"method": "joint"},
                "random": None,
                "sample": "sample",
                "joint_matched": {"method": "joint"},
            },
            "seeds": [0, 1, 2, 5],
            "match": "rows",
            "to": "sample",
        }
    )
    assert short == long
    assert isinstance(short, StudySettings)


def test_the_budget_is_that_of_sample_or_of_the_first_arm_that_is_not_joint():
    assert parse_study({**ONE, "match": "seconds"}).to == "sample"
    assert parse_study({**ONE, "arms": ["joint", "modality", "random"], "match": "rows"}).to == "modality"
    assert parse_study({**ONE, "match": "rows", "to": "random"}).to == "random"
    assert parse_study(ONE).to is None


def test_joint_is_kept_as_it_is_beside_the_matched_one():
    assert list(parse_study({**ONE, "match": "seconds"}).arms) == ["joint", "random", "sample", "joint_matched"]
    assert "joint_matched" not in parse_study(ONE).arms
    own = {"joint": {"training.epochs": 9}, "joint_matched": {"optimizer.lr": 0.1}, "sample": None}
    arms = parse_study({**ONE, "arms": own, "match": "rows"}).arms
    assert arms["joint_matched"] == {"method": "joint", "optimizer.lr": 0.1}
    assert arms["joint"] == {"method": "joint", "training.epochs": 9}


def test_an_arm_may_be_named_otherwise_than_its_method():
    arms = parse_study({**ONE, "arms": ["joint", "mine=tests.training.methods:Mine"]}).arms
    assert arms == {"joint": {"method": "joint"}, "mine": {"method": "tests.training.methods:Mine"}}


@pytest.mark.parametrize("text", ["", "3-1", "a", "1,,2", "-1", "0..4", "1-2-3"])
def test_seeds_that_cannot_be_read_are_shown(text):
    with pytest.raises(ValueError, match="write seeds as 0-4"):
        seeds_of(text)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"arms": ["joint", "joint"]}, "'joint' is named twice"),
        ({"data": ["a/d", "b/d"]}, "'d' is named twice; give each a name of its own"),
        ({"arms": ["../x"]}, "'../x' cannot be a name"),
        ({"arms": []}, "arms: must be a mapping of 1 item or more"),
        ({"seeds": "0,0"}, "name a seed twice"),
        ({"seeds": [-1]}, "-1 is no seed"),
        ({"to": "random"}, "to: 'random' gives its budget to no arm; say which by match"),
        ({"match": "rows", "to": "amco"}, "to: no arm 'amco'"),
        ({"match": "rows", "arms": ["joint"]}, "match: rows: which arm's budget? There is only joint"),
        ({"arms": ["joint_matched", "sample"]}, "arms.joint_matched: is at a budget; say which by match"),
        ({"match": "flops"}, "match: must be 'none', 'rows', 'encodings', 'seconds' or 'cpu_seconds'"),
        ({"tune": 2, "seeds": "0,1000"}, "1000 is the seed by which arms are tuned"),
        ({"tuning": 2}, "tuning: no such setting; did you mean 'tune'?"),
    ],
)
def test_a_mistake_is_said_with_what_to_do(change, words):
    with pytest.raises(ConfigError) as raised:
        parse_study({**ONE, **change})
    assert words in str(raised.value)


def test_all_mistakes_are_said_at_once():
    with pytest.raises(ConfigError, match="3 problems"):
        parse_study({**ONE, "seeds": "x", "tune": -1, "match": "flops"})
