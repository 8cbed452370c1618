"""The folder of a run: validated when it is made, and read with words for what is wrong in it."""

import pytest

from raymm.errors import ConfigError
from raymm.training import run as module
from raymm.training.run import create_or_open
from tests.games import settings, small_dataset


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return small_dataset(tmp_path_factory.mktemp("data") / "d")


@pytest.fixture
def tried(monkeypatch):
    """The models that were tried, one entry each time."""
    calls = []
    plain = module.trial_mistakes
    monkeypatch.setattr(module, "trial_mistakes", lambda *given: calls.append(given) or plain(*given))
    return calls


def test_a_run_is_validated_when_it_is_made_and_not_when_it_is_opened_again(tmp_path, dataset, tried):
    made = create_or_open(tmp_path / "r", settings(), dataset)
    assert len(tried) == 1
    assert create_or_open(tmp_path / "r", settings(), dataset) == made
    assert len(tried) == 1


def test_a_run_that_was_validated_before_is_not_validated_again(tmp_path, dataset, tried):
    create_or_open(tmp_path / "r", settings(), dataset, check=False)
    assert not tried


def test_what_could_not_be_run_leaves_no_folder(tmp_path, dataset):
    with pytest.raises(ConfigError, match=r"view\.noise_db: no modality 'no'"):
        create_or_open(tmp_path / "r", settings(view={"noise_db": {"no": 1.0}}), dataset)
    assert not (tmp_path / "r").exists()
