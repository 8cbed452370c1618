"""Games of known value: their formulas against the definition, their models, and that what is wrong is caught."""

import csv
import re
from dataclasses import replace
from fractions import Fraction
from math import exp, log

import numpy as np
import pytest
import torch

from raymm.data import BatchReader
from raymm.errors import ConfigError, DataError
from raymm.tracking import MemoryTracker
from raymm.valuation.coalitions import coalition_masks
from raymm.valuation.engine import stream_rows
from tests.oracle import models as oracle_models
from tests.oracle import study as oracle
from tests.oracle.formulas import HARD, UTILITIES, known, true_phi
from tests.oracle.games import CHANNEL_OF, CHANNELS, FULL, UNIT, sample_games, samples_on_disk, schema_of
from tests.oracle.models import EMPTY, HIGH
from tests.oracle.record import open_folder, oracle_info, record_oracle
from tests.oracle.report import Outcome, lines, write_report
from tests.oracle.study import ClaimError, OracleTrial, check_claims, compare, cover, run_trials, trials
from tests.oracles import shapley_by_permutations

EVERY_GAME = {(game, channel): 6 for channel, games in CHANNEL_OF.items() for game in games}


def logits_by_hand(game_samples, row, coalition):
    """Of the label and of `none`, in plain Python."""
    evidence = [float(e) for e, there in zip(game_samples.evidence[row], coalition, strict=True) if there]
    total = sum(evidence)
    label = {
        "linear": total,
        "step": HIGH * (total * UNIT >= FULL),
        "parity": HIGH * (total % 2),
        "product": exp(total) - 1,
    }[str(game_samples.channel[row])]
    return label, EMPTY


def worth_by_hand(game_samples, row, coalition, utility):
    members = [bool(a and b) for a, b in zip(coalition, game_samples.present[row], strict=True)]
    label, none = logits_by_hand(game_samples, row, members)
    right = any(members) and label > none and label > 0
    odds = exp(label) / (exp(label) + 2 + exp(none))
    return {
        "count": sum(members) * right,
        "correct": int(right),
        "probability": odds,
        "log_probability": log(odds),
        "logit": label,
        "margin": label - none,
    }[utility]


@pytest.mark.parametrize("utility", UTILITIES)
@pytest.mark.parametrize("n", [2, 3, 5])
def test_formulas_equal_the_definition(n, utility):
    game_samples = sample_games(n, EVERY_GAME, seed=n)
    rows = np.flatnonzero(known(game_samples, utility))
    found = true_phi(game_samples.some(rows), utility)
    assert set(game_samples.channel[rows]) >= ({"step", "parity"} if utility != "logit" else set(CHANNELS))
    for phi, row in zip(found, rows, strict=True):
        game = [worth_by_hand(game_samples, row, mask, utility) for mask in coalition_masks(n).tolist()]
        truth = shapley_by_permutations([Fraction(value) for value in game])
        there = game_samples.present[row]
        assert (np.isnan(phi) == ~there).all()
        expected = np.array([float(value) for value in truth])[there]
        if utility in HARD:
            assert phi[there].tolist() == expected.tolist(), (game_samples.game[row], game_samples.channel[row])
        else:
            assert phi[there] == pytest.approx(expected, abs=1e-9), (
                game_samples.game[row],
                game_samples.channel[row],
            )


def test_votes_of_many_are_counted_without_enumeration():
    """14 players against all 2**14 coalitions: whole numbers, so equal."""
    game_samples = sample_games(14, {("vote won", "linear"): 3, ("vote lost", "step"): 3}, seed=5)
    masks = coalition_masks(14).numpy()
    from raymm.valuation import shapley_values

    for row, phi in enumerate(true_phi(game_samples, "count")):
        members = masks & game_samples.present[row]
        right = members.astype(np.int64) @ game_samples.weight[row] >= game_samples.quota[row]
        truth = shapley_values(torch.from_numpy(right * members.sum(axis=1))[None])[0].numpy()
        there = game_samples.present[row]
        assert phi[there].tolist() == truth[there].tolist()
        assert right.any()
        assert right[-1] == (game_samples.weight[row][there].sum() >= game_samples.quota[row])


def test_a_dummy_is_worth_something_under_count_and_nothing_under_correct():
    game_samples = sample_games(4, {("dummies", "step"): 20}, seed=0, missing=0.0)
    dummy = game_samples.weight == 0
    assert (true_phi(game_samples, "count")[dummy] == 0.5).all()
    assert (true_phi(game_samples, "correct")[dummy] == 0.0).all()
    assert (true_phi(game_samples, "count")[~dummy] == 2.5).all()


def test_always_right_is_the_fair_share_and_votes_are_won_or_lost_by_all():
    game_samples = sample_games(7, EVERY_GAME, seed=1, missing=0.0)
    assert (true_phi(game_samples.some(np.flatnonzero(game_samples.game == "always right")), "count") == 1).all()
    total = game_samples.weight.sum(axis=1)
    assert (total >= game_samples.quota)[game_samples.game == "vote won"].all()
    assert (total < game_samples.quota)[game_samples.game == "vote lost"].all()


def test_one_seed_one_deck():
    first, again, other = (sample_games(5, EVERY_GAME, seed) for seed in (3, 3, 4))
    assert all((a == b).all() for a, b in zip(vars(first).values(), vars(again).values(), strict=True))
    assert not (first.evidence == other.evidence).all()


@pytest.mark.parametrize(
    ("players", "counts", "words"),
    [
        (1, {("parity", "parity"): 1}, r"players=1: games are sampled to 2 to 16 modalities"),
        (17, {("parity", "parity"): 1}, r"players=17"),
        (3, {("parity", "linear"): 1}, r"game 'parity' is not played in the channel 'linear'; use one of"),
        (3, {("quota", "sideways"): 1}, r"game 'quota' is not played in the channel 'sideways'"),
    ],
)
def test_what_cannot_be_dealt_is_refused(players, counts, words):
    with pytest.raises(ConfigError, match=words):
        sample_games(players, counts, seed=0)


@pytest.mark.parametrize(
    ("game", "channel", "utility"),
    [("product", "product", "count"), ("additive", "linear", "correct"), ("quota", "linear", "probability")],
)
def test_what_has_no_formula_is_refused(game, channel, utility):
    game_samples = sample_games(3, {(game, channel): 2}, seed=0)
    words = f"sample 0, game '{game}', channel '{channel}': no closed form under '{utility}'"
    with pytest.raises(ConfigError, match=re.escape(words)):
        true_phi(game_samples, utility)


@pytest.mark.parametrize("name", ["fused", "summed", "linear"])
def test_models_have_the_logits_that_the_data_was_planted_for(tmp_path, name):
    game_samples = sample_games(4, EVERY_GAME, seed=2)
    dataset = samples_on_disk(tmp_path / "d", game_samples)
    rows = np.arange(len(game_samples)) if name != "linear" else np.flatnonzero(game_samples.channel == "linear")
    batch = BatchReader(dataset, oracle.load_own("tests.oracle.models:fused", dataset, "test").config.view).batch(
        rows
    )
    model = getattr(oracle_models, name)(schema_of(4))
    features = model.encode(batch)
    for mask in coalition_masks(4):
        logits = model.fuse(features, (mask & batch.mask))
        for place, row in enumerate(rows):
            label, none = logits_by_hand(game_samples, row, (mask & batch.mask[place]).tolist())
            assert float(logits[place, int(game_samples.label[row])]) == pytest.approx(label, abs=1e-5)
            assert float(logits[place, -1]) == pytest.approx(none, abs=1e-6)


SMALL = (
    OracleTrial("games", 2, "summed", "count"),
    OracleTrial("games", 3, "fused", "correct"),
    OracleTrial("games", 3, "summed", "logit"),
    OracleTrial("vote won", 14, "linear", "count", 224),
)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return run_trials(
        tmp_path_factory.mktemp("oracle"), SMALL, 640, 0, 1, lambda _: stream_rows, lambda items, *_: items
    )


def test_valuation_is_what_the_formulas_say(results):
    for one in results[:3]:
        comparisons = compare(one)
        assert sum(c.samples for c in comparisons) == len(one.table)
        assert sum(c.values for c in comparisons) == (~np.isnan(one.truth)).sum() > 200
        assert all(c.passed for c in comparisons)
        if one.trial.utility in HARD:
            assert all(c.unequal == 0 and c.largest == 0 for c in comparisons)


def test_intervals_hold_the_truth_about_as_often_as_they_say(results):
    found = cover(results[3])
    assert len(found.by_design) == 10
    assert found.values > 640 * 10
    assert 0.93 <= found.share <= 0.97
    assert found.passed
    assert found.rmse == pytest.approx(found.stderr, rel=0.15)


@pytest.mark.parametrize(("place", "by"), [(0, 1e-15), (1, 1e-15), (2, 2e-6)])
def test_a_wrong_formula_is_caught(results, place, by):
    one = results[place]
    wrong = one.truth.copy()
    row = int(np.flatnonzero(one.game_samples.game == "parity")[0])
    player = int(np.flatnonzero(one.game_samples.present[row])[0])
    wrong[row, player] += max(by, abs(wrong[row, player]) * 4 * by)
    comparisons = compare(replace(one, truth=wrong))
    assert [c.game for c in comparisons if not c.passed] == ["parity"]
    with pytest.raises(
        ClaimError, match=r"1 of \d+ comparisons failed; the first: game 'parity' in channel 'parity', n="
    ):
        check_claims(comparisons, [])
    check_claims(compare(one), [])


def test_a_contribution_that_should_be_missing_is_caught(results):
    one = results[0]
    row = int(np.flatnonzero(~one.game_samples.present.all(axis=1))[0])
    filled = replace(one.table, phi=np.where(np.arange(len(one.table))[:, None] == row, 0.0, one.table.phi))
    failed = [c for c in compare(replace(one, table=filled)) if not c.passed]
    assert [c.game for c in failed] == [one.game_samples.game[row]]
    assert failed[0].largest == np.inf


@pytest.mark.parametrize("factor", [0.7, 1.5])
def test_errors_stated_too_small_or_too_large_are_caught(results, factor):
    one = results[3]
    found = cover(replace(one, table=replace(one.table, stderr=factor * one.table.stderr)))
    assert not found.passed
    with pytest.raises(
        ClaimError, match=r"game 'vote won', n=14, budget 224, utility 'count': 95 % intervals hold the"
    ):
        check_claims([], [found])


def test_what_is_stated_to_be_exact_and_is_not_counts_as_a_miss(results):
    one = results[3]
    stderr = one.table.stderr.copy()
    stderr[:64] = 0.0
    found = cover(replace(one, table=replace(one.table, stderr=stderr)))
    assert found.silent == pytest.approx(0.1, abs=0.02)
    assert not found.passed
    exact = one.table.phi.copy()
    exact[:64] = one.truth[:64]
    left_out = cover(replace(one, table=replace(one.table, stderr=stderr, phi=exact)))
    assert left_out.silent == 0
    assert left_out.values < found.values


def test_rows_of_a_table_are_the_samples_in_order(tmp_path, results):
    def twice(*arguments):
        for shard, table in stream_rows(*arguments):
            yield shard, replace(table, sample_id=table.sample_id[::-1])

    with pytest.raises(
        DataError, match=r"games-n02-.*\.parquet: \d+ rows, which are not the \d+ samples in their order"
    ):
        run_trials(tmp_path, SMALL[:1], 100, 0, 1, lambda _: twice, lambda items, *_: items)


def test_what_was_valued_before_is_not_valued_again(tmp_path):
    def never(_):
        pytest.fail("valued again")

    first = run_trials(tmp_path, SMALL[:1], 100, 0, 1, lambda _: stream_rows, lambda items, *_: items)
    again = run_trials(tmp_path, SMALL[:1], 100, 0, 1, never, lambda items, *_: items)
    assert np.array_equal(first[0].table.phi, again[0].table.phi, equal_nan=True)


def test_the_trials_play_every_utility_for_two_to_eight_and_sample_fourteen():
    every = trials()
    assert {(t.players, t.utility) for t in every} >= {(n, u) for n in range(2, 9) for u in UTILITIES}
    assert {t.model for t in every} == {"fused", "summed", "linear"}
    assert {t.budget for t in every if t.budget} == {224, 512}
    assert len({t.name for t in every}) == len(every)


def test_report_table_and_tracker_tell_the_same(tmp_path, results):
    outcome = Outcome([c for one in results[:3] for c in compare(one)], [cover(results[3])])
    paths = write_report(tmp_path, outcome, results, "raymm study oracle --out here")
    assert [path.name for path in paths] == ["oracle.csv", "oracle.png", "README.md"]
    rows = list(csv.DictReader(paths[0].open()))
    assert len(rows) == len(outcome.every)
    assert sum(int(row["values"]) for row in rows) == outcome.values
    text = paths[2].read_text()
    assert "Made by `raymm study oracle --out here`." in text
    assert "All hold." in text
    assert all(line in text for line in lines(outcome))
    assert max(len(line) for line in lines(outcome)) <= 80
    tracker = MemoryTracker()
    tracker.start(oracle_info(open_folder(tmp_path / "o", 640, 0), tmp_path / "o", "e", SMALL, "local"))
    record_oracle(tracker, outcome, paths)
    assert tracker.summary["oracle/failed"] == 0
    assert tracker.summary["oracle/unequal_count"] == 0
    assert 0 < tracker.summary["oracle/largest_logit"] < 1e-6
    assert tracker.summary["oracle/coverage_vote_won_224"] == pytest.approx(outcome.coverages[0].share)
    assert [(path.name, folder) for path, folder in tracker.artifacts] == [
        ("oracle.csv", ""),
        ("oracle.png", "plots"),
        ("README.md", ""),
    ]


def test_a_failed_comparison_is_marked_in_the_table(results):
    one = results[0]
    bad = [replace(c, passed=False, unequal=1, largest=0.25) if c.game == "quota" else c for c in compare(one)]
    marked = [line for line in lines(Outcome(bad, [])) if "2e-01!" in line]
    assert [line.split()[0] for line in marked] == ["quota"]


def test_a_folder_is_one_study(tmp_path):
    first = open_folder(tmp_path / "o", 640, 0)
    assert open_folder(tmp_path / "o", 640, 0) == first
    with pytest.raises(
        DataError, match=r"o holds another study; .*2 problems\n  - samples: 640 then, 100 now\n  - seed"
    ):
        open_folder(tmp_path / "o", 100, 1)
    (tmp_path / "o" / "README.md").touch()
    with pytest.raises(DataError, match=r"holds a finished study; choose another folder for --out"):
        open_folder(tmp_path / "o", 640, 0)
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "thesis.txt").touch()
    with pytest.raises(DataError, match=r"x: not empty, and no study of raymm"):
        open_folder(tmp_path / "x", 640, 0)
    (tmp_path / "y").mkdir()
    (tmp_path / "y" / "study.json").write_text("{")
    with pytest.raises(DataError, match=r"study\.json: cannot be read"):
        open_folder(tmp_path / "y", 640, 0)
