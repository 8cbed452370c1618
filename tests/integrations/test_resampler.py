"""The batch sampler: every row once on some rank, masks into the batch, values in many forms, states, refusals."""

import copy
import pickle
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import DataLoader, Dataset

import raymm
from raymm.config.registries import METHODS
from raymm.errors import CheckpointError, ConfigError, DataError, TrainingError
from raymm.integrations import resampler as module
from raymm.integrations.methods import planned_methods
from raymm.integrations.resampler import Resampler
from raymm.integrations.rows import Row, epoch_and_row
from tests.ranks import on_ranks, ranks

NAMES = ("audio", "rgb")
LOW = [[0.0, 2.0], [1.0, 1.0], [2.0, 0.0], [1.0, 1.0], [1.0, 1.0]]


def resampler(samples=5, **options):
    return Resampler(samples, NAMES, **{"warmup": 1, "batch_size": 2, **options})


def rows_in(sampler):
    return [row for batch in sampler for row in batch]


def what(rows):
    return Counter((int(row), row.keep) for row in rows)


def test_warmup_has_every_sample_whole_and_then_come_the_copies_of_low_contributions():
    sampler = resampler()
    assert what(rows_in(sampler)) == Counter((i, (True, True)) for i in range(5))
    assert sampler.due
    metrics = sampler.update(LOW)
    copies = [(0, (True, False))] * 2 + [(2, (False, True))] * 2  # fs = 2 (1 - phi)
    assert what(rows_in(sampler)) == Counter([(i, (True, True)) for i in range(5)] + copies)
    assert metrics == {"rows/epoch": 9.0, "rows/dropped": 0.0, "phi/train_audio": 1.0, "phi/train_rgb": 1.0}
    assert len(sampler) == 5
    assert sampler.epoch == 1


def test_values_that_are_not_due_are_not_read_and_those_that_are_must_be_given():
    sampler = resampler(warmup=2, every=2, epochs=6)
    seen = []
    for _ in range(6):
        seen.append(sampler.due)
        sampler.update(LOW if sampler.due else "nonsense")
    assert seen == [False, True, False, True, False, False]
    assert len(sampler.plan) == 9
    fresh = resampler()
    with pytest.raises(TrainingError, match=r"plan of epoch 1 reads contributions of 5 samples .* by update"):
        fresh.update()
    assert fresh.epoch == 0


@given(
    world=st.integers(1, 4),
    samples=st.integers(1, 23),
    batch=st.integers(4, 9),
    drop_last=st.booleans(),
    seed=st.integers(0, 3),
)
def test_ranks_share_each_batch_without_overlap_and_have_as_many_batches(world, samples, batch, drop_last, seed):
    phi = np.random.default_rng(seed).choice([0.0, 1.0, 2.0], (samples, 2))

    def of(rank, world):
        sampler = resampler(samples, batch_size=batch, drop_last=drop_last, seed=seed, rank=rank, world=world)
        sampler.update(phi)
        return list(sampler), len(sampler)

    (whole, count), parts = of(0, 1), [of(rank, world) for rank in range(world)]
    assert len({length for _, length in parts}) == 1
    assert all(len(batches) == length for batches, length in parts)
    assert all(len(rows) > 0 for batches, _ in parts for rows in batches)
    kept = [rows for rows in whole if len(rows) >= world]
    assert len(kept) == parts[0][1]
    for number, rows in enumerate(kept):
        split = [batches[number] for batches, _ in parts]
        assert what(rows) == sum((what(part) for part in split), Counter())
        assert max(map(len, split)) - min(map(len, split)) <= 1
        assert {row.batch_rows for part in split for row in part} == {len(rows)}
        assert sorted(row.key for part in split for row in part) == sorted(row.key for row in rows)
    lost = count - len(kept)
    assert lost == 0 if world == 1 else lost <= 1
    total = sum(len(rows) for rows in whole)
    plan = samples + int((2 * np.clip(1 - phi, 0, None)).sum())
    assert total == (plan // batch * batch if drop_last else plan)


def test_keys_tell_all_rows_of_a_training_apart_and_name_epoch_and_row():
    sampler, seen = resampler(), []
    for _ in range(3):
        seen += [row.key for row in rows_in(sampler)]
        sampler.update(LOW)
    assert len(set(seen)) == len(seen) == 5 + 9 + 9
    epochs, rows = epoch_and_row(np.array(seen))
    assert epochs.tolist() == [0] * 5 + [1] * 9 + [2] * 9
    assert sorted(rows[5:14]) == list(range(9))


def test_the_order_differs_by_epoch_and_seed_and_is_that_of_the_epoch_again():
    sampler = resampler(50, method="joint")
    first = list(map(int, rows_in(sampler)))
    sampler.set_epoch(1)
    second = list(map(int, rows_in(sampler)))
    assert sorted(first) == sorted(second) == list(range(50))
    assert first != second
    sampler.set_epoch(0)
    assert list(map(int, rows_in(sampler))) == first
    assert list(map(int, rows_in(resampler(50, method="joint", seed=1)))) != first


def test_an_iterator_keeps_the_epoch_that_it_began():
    sampler = resampler(6)
    began = iter(sampler)
    rows = next(began)
    sampler.update([*LOW, [0.0, 2.0]])
    rows += [row for batch in began for row in batch]
    assert what(rows) == Counter((i, (True, True)) for i in range(6))


def test_epochs_that_the_values_at_hand_do_not_give_are_refused():
    sampler = resampler(warmup=2, every=3)
    sampler.set_epoch(1)
    with pytest.raises(TrainingError, match=r"plan of epoch 2 reads contributions; .* at the end of epoch 1"):
        sampler.set_epoch(4)
    sampler.update(LOW)
    sampler.set_epoch(4)
    with pytest.raises(TrainingError, match="plan of epoch 5 reads"):
        sampler.set_epoch(5)
    sampler.set_epoch(2)
    with pytest.raises(TrainingError, match=r"epoch 1 lies before epoch 2, for which .* load_state_dict"):
        sampler.set_epoch(1)
    assert sampler.epoch == 2


# the mask into the batch


class Pairs(Dataset):
    def __len__(self):
        return 5

    def __getitem__(self, number):
        return torch.tensor([float(number)]), number


class Together(Dataset):
    def __len__(self):
        return 5

    def __getitems__(self, numbers):
        assert all(type(number) is int for number in numbers)
        return [{"x": float(number)} for number in numbers]


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("samples", [[{"x": float(i)} for i in range(5)], Together()], ids=["list", "together"])
def test_items_that_are_mappings_get_their_mask_also_in_workers(samples, workers):
    if workers and isinstance(samples, list):
        return
    sampler = resampler(fields=("mask", "key", "weight", "batch_rows"))
    sampler.update(LOW)
    loader = sampler.loader(samples, num_workers=workers)
    expected = list(sampler)
    for batch, rows in zip(loader, expected, strict=True):
        assert batch["x"].tolist() == [float(row) for row in rows]
        assert batch["mask"].dtype == torch.bool
        assert batch["mask"].tolist() == [list(row.keep) for row in rows]
        assert batch["key"].tolist() == [row.key for row in rows]
        assert batch["weight"].tolist() == [1.0] * len(rows)
        assert batch["batch_rows"].tolist() == [len(rows)] * len(rows)


def test_other_items_become_pairs_with_their_mask_or_fields():
    sampler = resampler()
    loader = DataLoader(sampler.dataset(Pairs()), batch_sampler=sampler)
    (values, numbers), mask = next(iter(loader))
    assert values[:, 0].tolist() == numbers.tolist()
    assert mask.tolist() == [[True, True]] * 2
    sampler = resampler(fields=("mask", "weight"))
    (values, _), fields = next(iter(sampler.loader(Pairs())))
    assert fields["mask"].shape == (2, 2)
    assert fields["weight"].tolist() == [1.0, 1.0]


def test_a_collate_function_of_ones_own_never_sees_the_fields():
    def joined(items):
        assert all(set(item) == {"x"} for item in items)
        return {"text": "".join(item["x"] for item in items)}

    sampler = resampler(fields={"mask": "keep"})
    batch = next(iter(sampler.loader([{"x": letter} for letter in "abcde"], collate_fn=joined)))
    assert sorted(batch) == ["keep", "text"]
    assert len(batch["text"]) == 2
    values, mask = next(iter(sampler.loader(Pairs(), collate_fn=lambda items: [item[1] for item in items])))
    assert len(values) == len(mask) == 2
    with pytest.raises(DataError, match="makes a list of items that are mappings"):
        next(iter(sampler.loader([{"x": 1}] * 5, collate_fn=list)))


def test_rows_are_numbers_and_survive_pickling():
    row = Row(3, (True, False), key=7, weight=0.5, batch_rows=4)
    other = pickle.loads(pickle.dumps(row))
    assert (other, other.keep, other.key, other.weight, other.batch_rows) == (3, (True, False), 7, 0.5, 4)
    assert ["a", "b", "c", "d"][other] == "d"


def test_a_key_that_is_taken_and_a_row_that_is_none_are_named():
    sampler = resampler()
    with pytest.raises(DataError, match="sample 3 has 'mask' already; choose another key, such as fields="):
        sampler.dataset([{"mask": 1}] * 5)[Row(3, (True, True), key=0)]
    with pytest.raises(TrainingError, match="read at 3, which is no row of a plan; give it to DataLoader"):
        sampler.dataset([{"x": 1}] * 5)[3]
    with pytest.raises(ConfigError, match="no field 'maks'; did you mean 'mask'"):
        resampler(fields=("maks",))


# values


def table(phi, ids, modalities=NAMES, utility="count"):
    return SimpleNamespace(
        phi=np.array(phi), sample_id=np.array(ids), info=SimpleNamespace(modalities=modalities, utility=utility)
    )


IDS = tuple("vwxyz")
ORDER = [3, 0, 4, 2, 1]


def plan_after(values, made=None, more=None):
    sampler = resampler(**(made or {}))
    sampler.update(values, **(more or {}))
    return sorted(zip(sampler.plan.index.tolist(), sampler.plan.keep.tolist(), strict=True))


@pytest.mark.parametrize(
    ("values", "made", "more"),
    [
        (torch.tensor(LOW, dtype=torch.float64), {}, {}),
        (SimpleNamespace(phi=torch.tensor(LOW)), {}, {}),
        (table([LOW[i] for i in ORDER], [IDS[i] for i in ORDER]), {"ids": IDS}, {}),
        (SimpleNamespace(table=table([LOW[i] for i in ORDER], [IDS[i] for i in ORDER])), {"ids": IDS}, {}),
        ([LOW[i] for i in ORDER], {"ids": IDS}, {"ids": [IDS[i] for i in ORDER]}),
        ([LOW[i] for i in ORDER], {}, {"positions": ORDER}),
        (table(LOW, list("01234")), {}, {}),
    ],
    ids=["tensor", "values", "table", "wrapped", "ids", "positions", "numbered"],
)
def test_values_are_matched_to_their_samples_in_every_form(values, made, more):
    expected = plan_after(LOW)
    assert plan_after(values, made, more) == expected
    assert plan_after([LOW[i] for i in ORDER]) != expected


@pytest.mark.parametrize(
    ("values", "made", "more", "words"),
    [
        ([[1.0]] * 5, {}, {}, r"contributions are \[5, 1\]; expected .* 2 modalities audio, rgb"),
        ([1.0] * 5, {}, {}, r"contributions are \[5\]"),
        ("abc", {}, {}, "contributions are a str; give a ValuationTable"),
        (LOW[:4], {}, {}, "4 rows of contributions; expected all samples, 5; or say positions="),
        (table(LOW, list("vwxyz")), {}, {}, "name their samples, such as 'v', .* give it ids="),
        (table(LOW, list("vwxyq")), {"ids": IDS}, {}, "'q' is none of the samples that are trained"),
        (table(LOW, list("vvxyz")), {"ids": IDS}, {}, "5 rows of contributions and 4 different ids"),
        (LOW, {}, {"positions": [0, 1, 2, 3, 9]}, "9 is none of the samples"),
        (LOW, {}, {"positions": [0, 1, 2, 3, 3]}, "a sample stands there twice"),
        (LOW, {}, {"positions": [0.5] * 5}, r"positions are float64 \[5\]; expected 5 whole numbers"),
        (table(LOW, IDS, ("rgb", "audio")), {"ids": IDS}, {}, "modalities rgb, audio; the Resampler has audio, rgb"),
        (table(LOW, IDS, utility="logit"), {"ids": IDS}, {}, "utility logit; the Resampler has utility=count"),
        ([*LOW[:4], [np.inf, 0.0]], {"ids": IDS}, {}, "sample 'z': phi is not finite"),
        ([*LOW[:4], [np.nan, 0.0]], {}, {}, "sample 4: phi is NaN at 'audio'; say by present="),
        ([*LOW[:4], [np.nan] * 2], {"ids": IDS}, {}, "1 of the 5 samples that the plan reads have none: 'z'"),
    ],
)
def test_values_that_do_not_fit_are_named_and_end_no_epoch(values, made, more, words):
    sampler = resampler(**made)
    before = sampler.state_dict()
    with pytest.raises(DataError, match=words):
        sampler.update(values, **more)
    assert sampler.state_dict() == before
    sampler.update(LOW, ids=IDS if made else None)
    assert len(sampler.plan) == 9


def test_what_raymm_value_returns_is_taken():
    def predict(batch, mask):
        right = (batch["shown"] & mask).any(dim=1).float()
        return torch.nn.functional.one_hot(batch["labels"], 2) * (2 * right - 1)[:, None]

    shown = torch.tensor([[False, True], [True, True], [True, False], [True, True], [True, True]])
    batch = {"shown": shown, "labels": torch.tensor([0, 1, 0, 1, 0]), "id": list(IDS)}
    for ids in (None, IDS):
        given = {} if ids is None else {"ids": "id"}
        found = raymm.value(predict, [batch], modalities=NAMES, label="labels", progress=None, **given)
        sampler = resampler(ids=ids)
        sampler.update(found)
        copies = sampler.plan.index[5:].tolist()
        lack = np.clip(1 - found.phi, 0, None)
        assert copies == sorted(copies)
        assert Counter(copies) == {i: round(2 * lack[i].sum()) for i in range(5) if lack[i].any()}
        assert 0 in copies


def test_of_a_subset_only_the_samples_asked_for_need_values_and_others_change_nothing():
    phi = np.random.default_rng(0).choice([0.0, 1.0, 2.0], (40, 2))
    plans = []
    for whole in (True, False):
        sampler = resampler(40, method="modality", settings={"subset": 0.25})
        asked = sampler.to_value
        assert len(asked) == 10
        sampler.update(phi if whole else phi[asked])
        plans.append((sampler.plan.index.tolist(), sampler.plan.keep.tolist(), sampler.metrics))
    assert plans[0] == plans[1]
    with pytest.raises(DataError, match="9 rows of contributions; expected all samples, 40, or the 10 of to_value"):
        resampler(40, method="modality", settings={"subset": 0.25}).update(phi[:9])


def test_a_missing_modality_is_never_kept_whatever_its_value():
    present = np.array([[True, False]] + 4 * [[True, True]])
    for absent in (np.nan, 0.0):
        sampler = resampler(present=present)
        sampler.update([[1.0, absent], *LOW[1:]])
        assert {row.keep for row in rows_in(sampler) if row == 0} == {(True, False)}
        assert len(sampler.plan) == 7
    dropped = resampler(present=present, method="dropout", settings={"rate": 0.9})
    assert all(any(row.keep) and (row != 0 or not row.keep[1]) for row in rows_in(dropped))


POSITIONS = [2, 5, 7, 8, 11]


@pytest.mark.parametrize("form", [np.array, torch.tensor, list, tuple, lambda numbers: [*map(np.int64, numbers)]])
def test_positions_in_a_larger_data_set_are_what_is_read(form):
    sampler = resampler(form(POSITIONS))
    sampler.update(LOW)
    assert {int(row) for row in rows_in(sampler)} == {2, 5, 7, 8, 11}
    assert Counter(int(row) for row in rows_in(sampler))[7] == 3
    assert sampler.to_value.tolist() == [2, 5, 7, 8, 11]


@pytest.mark.parametrize(
    ("samples", "rows"),
    [(range(3, 9, 2), [3, 5, 7]), ([True, False], [0, 1]), ([0.5, 1, 2], [0, 1, 2])],
)
def test_only_whole_numbers_are_positions(samples, rows):
    assert sorted(int(row) for row in rows_in(Resampler(samples, ("audio", "rgb")))) == rows


# settings and states


def test_every_method_is_planned_or_refused_in_words():
    planned = set(planned_methods())
    assert {"sample", "modality", "class", "random", "joint", "dropout"} <= planned
    for name in METHODS:
        if name in planned:
            resampler(method=name, labels=[0, 1, 0, 1, 1])
            continue
        with pytest.raises(ConfigError, match=f"method={name} changes more than rows and masks"):
            resampler(method=name)
    with pytest.raises(ConfigError, match=r"use raymm.CoalitionLoss for it; methods that it can plan: .*sample"):
        resampler(method="coalition")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"method": "sampel"}, "no method 'sampel'; did you mean 'sample'"),
        ({"settings": {"fz": 1}}, "method.settings.fz: no such setting; known: fs, keep"),
        ({"batch_size": 0, "seed": -1}, r"2 problems(.|\n)*batch_size(.|\n)*seed|seed(.|\n)*batch_size"),
        ({"warmup": 3, "epochs": 3}, "method.warmup=3 leaves no epoch of training.epochs=3"),
        ({"utility": "logit"}, "valuation.utility=logit has no fair share"),
        ({"rank": 2, "world": 2}, "rank=2 is none of the 2 ranks 0 to 1"),
        ({"rank": 0}, "rank and world belong together"),
        ({"labels": [0, 1]}, r"labels are \[2\]; expected one for each of 5 samples"),
        ({"labels": [0, 1, 2, 0, -1]}, "-1"),
        ({"ids": list("aacde")}, "ids are 5, 4 of them different"),
        ({"present": np.ones((5, 3), bool)}, r"present is bool \[5, 3\]; expected bool \[5, 2\]"),
        ({"present": np.array([[False, False]] + 4 * [[True, True]])}, "sample 0 has no modality"),
        ({"samples": np.array([3, 1])}, "expected a number, a data set, or positions in it, ascending"),
        (
            {"samples": [3, 1]},
            r"samples are int64 \[2\]; .* ascending, each once \(such as sorted\(subset.indices\)\)",
        ),
        ({"samples": 0}, "there are no samples"),
        ({"present": [[0, 1]] * 5}, r"present is int64 \[5, 2\]; expected bool"),
    ],
)
def test_wrong_settings_are_named(options, words):
    with pytest.raises((ConfigError, DataError), match=words):
        resampler(**options)


def test_fewer_rows_than_processes_are_refused():
    sampler = resampler(batch_size=2, rank=0, world=3)
    with pytest.raises(ConfigError, match="batch_size=2 counts rows of all 3 processes; each needs one"):
        iter(sampler)


@pytest.mark.parametrize(
    ("names", "words"), [("audio", "is the text 'audio'"), ((), "there is none"), (("a", "a"), "stands twice")]
)
def test_wrong_modalities_are_named(names, words):
    with pytest.raises(ConfigError, match=words):
        Resampler(5, names)


def test_a_method_that_reads_labels_says_so():
    with pytest.raises(ConfigError, match="reads labels; give the Resampler labels="):
        resampler(method="class", settings={"subset": 1.0}, classes=2)
    labelled = resampler(method="class", settings={"subset": 1.0}, labels=[0, 1, 0, 1, 1])
    labelled.update([[0.0, 2.0], [1.0, 1.0], [0.0, 2.0], [1.0, 1.0], [1.0, 1.0]])
    assert set(labelled.plan.index[5:].tolist()) == {0, 2}
    assert set(labelled.plan.keep[5:].tolist()) == {1}


def test_weights_that_nobody_reads_are_refused():
    name = "tests.integrations.methods:Weighing"
    with pytest.raises(ConfigError, match="weighs the losses of rows; add 'weight' to fields"):
        resampler(method=name).update(LOW)
    sampler = resampler(method=name, fields=("mask", "weight"))
    sampler.update(LOW)
    assert {row.weight for row in rows_in(sampler)} == {1.0, 0.25}


@pytest.mark.parametrize("epochs", [0, 1, 2, 3, 4])
def test_a_state_goes_on_as_if_nothing_had_happened(epochs, tmp_path):
    values = [np.random.default_rng(epoch).choice([0.0, 1.0, 2.0], (5, 2)) for epoch in range(6)]

    def run(sampler, first, last):
        seen = []
        for epoch in range(first, last):
            seen.append([[(int(row), row.keep, row.key) for row in rows] for rows in sampler])
            sampler.update(values[epoch])
        return seen

    options = {"settings": {"fs": {"scale": 1.5}}, "every": 2, "row_budget": 0.6}
    whole = run(resampler(**options), 0, 6)
    first = resampler(**options)
    seen = run(first, 0, epochs)
    torch.save(first.state_dict(), tmp_path / "state.pt")
    second = resampler(**options)
    second.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    assert seen + run(second, epochs, 6) == whole


@pytest.mark.parametrize("batches", [0, 1, np.int64(2), 3])
def test_batches_are_left_out_once(batches):
    sampler = resampler(batch_size=2)
    whole = list(map(what, sampler))
    sampler.skip(batches)
    assert list(map(what, sampler)) == whole[batches:]
    assert list(map(what, sampler)) == whole


def test_a_state_from_within_an_epoch_says_so_when_the_epoch_is_read_from_its_start(caplog):
    first = resampler(batch_size=2)
    fresh = first.state_dict()
    batches = iter(first)
    next(batches)
    within = first.state_dict()
    first.update(LOW)
    after = first.state_dict()

    def read(*states, skip=None, update=False):
        caplog.clear()
        second = resampler(batch_size=2)
        for state in states:
            second.load_state_dict(state)
        if skip is not None:
            second.skip(skip)
        if update:
            second.update(LOW)
        list(second)
        list(second)
        return [record.getMessage() for record in caplog.records], second

    warned, second = read(within)
    assert len(warned) == 1
    assert "taken within epoch 0, which is read from its first batch" in warned[0]
    assert "unless resampler.skip(batches)" in warned[0]
    assert read(second.state_dict())[0] == warned
    assert read(within, within)[0] == warned
    for states, options in [
        ([within], {"skip": 1}),
        ([within], {"skip": 0}),
        ([within], {"update": True}),
        ([within, fresh], {}),
        ([within, after], {}),
        ([fresh], {}),
        ([{name: value for name, value in within.items() if name in fresh}], {}),
    ]:
        assert read(*states, **options)[0] == []


def test_a_state_that_is_loaded_and_saved_again_is_still_from_within_its_epoch():
    first = resampler(batch_size=2)
    next(iter(first))
    second = resampler(batch_size=2)
    second.load_state_dict(first.state_dict())
    assert second.state_dict() == first.state_dict() != resampler(batch_size=2).state_dict()


def test_a_resampler_is_sent_to_another_process_whole():
    sampler = resampler()
    sampler.update(LOW)
    for other in (pickle.loads(pickle.dumps(sampler)), copy.deepcopy(sampler)):
        assert list(map(what, other)) == list(map(what, sampler))
        other.update(LOW)
        assert (other.epoch, sampler.epoch) == (2, 1)


def test_a_state_of_other_settings_is_refused_naming_each():
    state = resampler().state_dict()
    for other in (resampler(seed=1, batch_size=3), resampler(6, seed=1)):
        before = other.state_dict()
        with pytest.raises(CheckpointError, match=r"seed was 0, and is 1(.|\n)*with the settings of the state"):
            other.load_state_dict(state)
        assert other.state_dict() == before
    with pytest.raises(CheckpointError, match=r"batch_size was 2, and is 3"):
        resampler(batch_size=3).load_state_dict(state)
    with pytest.raises(CheckpointError, match="data was"):
        resampler(present=np.array([[True, False]] + 4 * [[True, True]])).load_state_dict(state)


# several ranks


@pytest.fixture
def three(monkeypatch):
    """Three ranks, each with its communicator, as threads."""
    communicators = ranks(3)
    monkeypatch.setattr(module, "communicator_of", lambda rank, world: communicators[rank])
    return communicators


def test_all_ranks_plan_by_the_values_of_the_first(three):
    samplers = [resampler(rank=rank, world=3) for rank in range(3)]
    others = [LOW, None, [[0.0, 0.0]] * 5]
    on_ranks(three, list(zip(samplers, others, strict=True)), lambda part: part[0].update(part[1]))
    plans = {tuple(zip(one.plan.index, one.plan.keep, strict=True)) for one in samplers}
    assert len(plans) == 1
    assert len(samplers[0].plan) == 9


def test_wrong_values_on_the_first_rank_fail_on_all(three):
    samplers = [resampler(rank=rank, world=3) for rank in range(3)]
    said = []

    def update(sampler):
        with pytest.raises((DataError, TrainingError)) as raised:
            sampler.update([[1.0]])
        said.append(str(raised.value))

    on_ranks(three, samplers, update)
    assert sorted("rank 0" in words for words in said) == [False, True, True]
    assert [sampler.epoch for sampler in samplers] == [0, 0, 0]
