"""`raymm study oracle` from the command line: in this process, on actors, and when a claim fails."""

import json
import sqlite3
from contextlib import closing

import numpy as np
import pytest

from raymm.cli import main
from raymm.valuation import read_table
from tests.cli import calling
from tests.oracle import study as oracle
from tests.oracle.formulas import true_phi
from tests.oracle.study import OracleTrial

EXACT = [
    OracleTrial("games", 2, "linear", "count"),
    OracleTrial("games", 3, "fused", "correct"),
    OracleTrial("games", 3, "summed", "log_probability"),
]
SAMPLED = OracleTrial("vote won", 14, "linear", "count", 224)


@pytest.fixture
def few(monkeypatch):
    """A handful of trials in the place of all; the default is checked in tests/studies.

    Those of one model follow each other, since actors are started anew for each model.
    """
    monkeypatch.setattr(oracle, "trials", lambda: [SAMPLED, *EXACT])


def call(capfd, folder, *options):
    fixed = ["--out", folder / "o", "--store", folder / "mlflow", "--samples", 640]
    return calling.call(capfd, "study", "oracle", *fixed, *options)


def recorded(folder):
    """Final metrics and the status of the only run."""
    with closing(sqlite3.connect(folder / "mlflow" / "mlflow.db")) as database:
        metrics = dict(database.execute("select key, value from latest_metrics"))
        [(status,)] = database.execute("select status from runs").fetchall()
    return metrics, status


def test_all_claims_hold_in_this_process(capfd, tmp_path, few):
    code, out, err = call(capfd, tmp_path, "--backend", "local")
    assert code == 0, err
    assert max(len(line) for line in out.splitlines()[:-1]) <= 80
    quota = next(line.split() for line in out.splitlines() if line.startswith("quota"))
    assert quota[2:4] == ["=", "="]
    metrics, status = recorded(tmp_path)
    assert metrics["oracle/failed"] == 0
    assert 0.93 <= metrics["oracle/coverage_vote_won_224"] <= 0.97
    assert status == "FINISHED"
    assert sorted(path.name for path in (tmp_path / "mlflow" / "artifacts").rglob("*.*")) == [
        "README.md",
        "oracle.csv",
        "oracle.png",
    ]
    code, _, err = call(capfd, tmp_path, "--backend", "local")
    assert code == 2
    assert "holds a finished study" in err


@pytest.mark.ray
def test_actors_tell_the_same_as_one_process(capfd, tmp_path, monkeypatch, ray_local):
    """With the trials of one model, since actors are started for each; tests/cluster compares several of them."""
    of_one_model = [trial for trial in (SAMPLED, *EXACT) if trial.model == SAMPLED.model]
    monkeypatch.setattr(oracle, "trials", lambda: of_one_model)
    code, out, err = call(capfd, tmp_path / "ray", "--actors", "1", "--json")
    assert code == 0, err
    code, here, _ = call(capfd, tmp_path / "here", "--backend", "local", "--json")
    assert code == 0
    assert json.loads(out) == json.loads(here)
    assert all(row["passed"] for row in json.loads(out))
    for trial in of_one_model:
        one, two = (read_table(tmp_path / way / "o" / "tables" / f"{trial.name}.parquet") for way in ("ray", "here"))
        assert np.array_equal(one.phi, two.phi, equal_nan=True)
        assert np.array_equal(one.stderr, two.stderr, equal_nan=True)


def test_a_claim_that_fails_ends_with_1_and_says_which(capfd, tmp_path, few, monkeypatch):
    def wrong(game_samples, utility):
        phi = true_phi(game_samples, utility)
        phi[game_samples.game == "saboteur"] *= 1 + 1e-12
        return phi

    monkeypatch.setattr(oracle, "true_phi", wrong)
    code, out, err = call(capfd, tmp_path, "--backend", "local")
    assert code == 1
    message = err.strip().splitlines()[-1]
    assert (
        "comparisons failed; the first: game 'saboteur' in channel 'linear', n=2, linear model, utility 'count'"
        in message
    )
    assert "contributions differ from the formula, by at most" in message
    assert "Traceback" not in err
    assert [
        line.split()[0] for line in out.splitlines() if "-1" in line and line.rstrip().split()[2].endswith("!")
    ] == ["saboteur"]
    metrics, status = recorded(tmp_path)
    assert metrics["oracle/failed"] > 0
    assert status == "FAILED"


def test_the_verb_alone_says_what_there_is(capfd):
    with pytest.raises(SystemExit) as ended:
        main(["study"])
    out = capfd.readouterr().out
    assert ended.value.code == 0
    assert "oracle" in out
    assert "Example: raymm study oracle" in out


@pytest.mark.parametrize(
    ("options", "words"),
    [(("--samples", "5"), "100"), (("--backend", "cloud"), "'local', 'ray'"), (("--seed", "-1"), "--seed")],
)
def test_a_mistake_is_told_before_anything_is_made(capfd, tmp_path, options, words):
    code, _, err = call(capfd, tmp_path, *options)
    assert code == 2
    assert words in err
    assert not (tmp_path / "o").exists()
