"""A sweep that is mirrored is finished on a machine that has nothing but the mirror, wherever copying was cut off."""

import json
import shutil
from concurrent.futures import Executor, Future
from dataclasses import replace
from pathlib import Path

import pytest

from raymm.config.canonical import canonical
from raymm.data.identity import short_digest
from raymm.errors import CheckpointError, DataError, TrainingError
from raymm.mirror import sweeps as sweep_mirror
from raymm.mirror.sweep_fetch import catch_up, fetch_sweep
from raymm.mirror.sweeps import mirrored_sweep, refuse_other_sweep
from raymm.storage import remote, sha256_of
from raymm.storage.layout import committed_epochs, epoch_folder
from raymm.storage.remote import RemotePath, join_uri
from raymm.sweep.runs import branch_runs, current_config, current_paths, open_runs, open_warmups, trial_rows
from raymm.sweep.store import (
    SweepConfig,
    TrialOutcome,
    commit_sweep,
    move_data,
    new_sweep,
    open_sweep,
    pending,
    read_outcome,
    read_trials,
    reset_failed,
    write_outcome,
    write_trial,
)
from raymm.sweep.tracking import SweepCallback
from raymm.training.loop import Backends, iter_epochs
from raymm.training.run import open_run
from tests.games import StopError, settings, small_dataset
from tests.object_store import object_store

SAMPLES = 160

EPOCHS = 3
STOPPED_EARLY = {1: 2}
"""Trials by number that a scheduler ends, with the epochs that it gives them."""


class Now(Executor):
    """Does at once, in the caller's thread, what it is given."""

    def submit(self, fn, /, *args, **kwargs):
        fn(*args, **kwargs)
        return Future()


class Silent(SweepCallback):
    """A callback that does nothing."""


class Meddling(Silent):
    """A callback that does something whenever it hears of an event of this name."""

    def __init__(self, event, what):
        setattr(self, event, what)


@pytest.fixture(scope="module")
def s3():
    with object_store() as new_prefix:
        yield new_prefix


@pytest.fixture
def mirror(tmp_path):
    return str(tmp_path / "mirror")


@pytest.fixture
def in_step(monkeypatch):
    """Copies are made as soon as they are due, so that tests know what is at the mirror."""
    monkeypatch.setattr(sweep_mirror, "ThreadPoolExecutor", lambda *_: Now())


def config_with(mirror, scale=2.0, **training):
    return canonical(
        settings(
            cluster={"mirror": mirror},
            training={"epochs": EPOCHS, "keep": 2, "batch_size": 32, "threads": 1, **training},
            resampling={"strategy": "sample", "warmup": 1, "fs": {"scale": scale}},
            model={"feature_size": 8, "encoder": {"width": 4}},
        )
    )


def begun(path, dataset, mirror, scales=(1.0, 2.0, 3.0), seeds=(0,)):
    """A sweep whose trials are proposed, and none begun."""
    sweep = new_sweep(path, SweepConfig(space="s.py", trials=len(scales), seeds=seeds), config_with(mirror), dataset)
    for number, scale in enumerate(scales):
        write_trial(sweep, number, {"method.settings.fs.scale": scale}, config_with(mirror, scale))
    commit_sweep(sweep)
    return sweep


def advance(runs, dataset, until=None):
    """Train runs an epoch of each in turn; yields the epochs that all have."""
    ongoing = [iter_epochs(run, dataset, Backends()) for run in runs]
    while ongoing:
        states = [(run, next(run, None)) for run in ongoing]
        ongoing = [run for run, state in states if state is not None and (until is None or state.epoch < until)]
        epochs = [state.epoch for _, state in states if state is not None]
        if epochs:
            yield min(epochs)


def warm_up(sweep, dataset):
    for trial in read_trials(sweep)[:1]:
        list(advance(open_warmups(sweep, trial.config, dataset, 1), dataset, until=1))


def drive(sweep, dataset, callback, leave_off=None):
    """What the driver of a sweep does; `leave_off`, (trial, epochs), ends it as a machine that dies."""
    for trial in pending(read_trials(sweep)):
        callback.on_trial_start(trial)
        until = STOPPED_EARLY.get(trial.number)
        for epochs in advance(open_runs(sweep, trial, dataset), dataset, until):
            callback.on_epoch(trial, epochs)
            if (trial.number, epochs) == leave_off:
                raise StopError
        outcome = TrialOutcome("stopped", until) if until else TrialOutcome("finished", EPOCHS)
        write_outcome(trial, outcome)
        callback.on_trial_end(trial, outcome)


def mirrored(sweep, dataset, leave_off=None, callback=None):
    with mirrored_sweep(sweep) as followed:
        drive(sweep, dataset, followed(callback or Silent()), leave_off)


def rows_of(sweep):
    """Rows by key, without the time that they took."""
    return {row.key: replace(row, seconds=0.0) for row in trial_rows(sweep)}


@pytest.fixture(scope="module")
def whole(tmp_path_factory, dataset):
    """The rows of a sweep that no mirror and no end disturbed."""
    sweep = begun(tmp_path_factory.mktemp("whole") / "n", dataset, None)
    drive(sweep, dataset, Silent())
    return rows_of(sweep)


class Cut:
    """Counts what is copied, and lets nothing through after so much of it."""

    def __init__(self, monkeypatch, after=None):
        self.count, self.after, self.names = 0, after, []
        for owner, name in (
            (RemotePath, "write"),
            (RemotePath, "remove"),
            (remote, "_copy_file"),
            (remote, "_remove_manifest"),
        ):
            monkeypatch.setattr(owner, name, self.around(getattr(owner, name)))

    def around(self, function):
        def counted(*arguments):
            if self.after is not None and self.count >= self.after:
                raise OSError("the store went away")
            function(*arguments)
            self.count += 1
            self.names.append(arguments[-2 if function.__name__ == "write" else -1])

        return counted


@pytest.fixture(scope="module")
def moments(tmp_path_factory, dataset):
    """The mirror of a sweep after each copy: what a machine leaves that is killed before the next one."""
    folder = tmp_path_factory.mktemp("moments")
    mirror, kept = folder / "mirror", []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sweep_mirror, "ThreadPoolExecutor", lambda *_: Now())
        cut = Cut(patch)

        def keep(function):
            def kept_after(*arguments):
                function(*arguments)
                kept.append(folder / f"{len(kept):04d}")
                shutil.copytree(mirror, kept[-1])

            return kept_after

        for owner, name in (
            (RemotePath, "write"),
            (RemotePath, "remove"),
            (remote, "_copy_file"),
            (remote, "_remove_manifest"),
        ):
            patch.setattr(owner, name, keep(getattr(owner, name)))
        sweep = begun(folder / "here" / "n", dataset, str(mirror))
        warm_up(sweep, dataset)
        mirrored(sweep, dataset)
    assert cut.count == len(kept)
    return kept


def test_killed_between_any_two_copies_nothing_that_is_fetched_is_half_there(tmp_path, moments, whole):
    before_it_exists = 0
    for number, moment in enumerate(moments):
        path = tmp_path / f"{number}"
        if not (moment / "n" / "sweep.json").exists():
            before_it_exists += 1
            with pytest.raises(CheckpointError, match="no sweep there"):
                fetch_sweep(str(moment / "n"), path)
            continue
        sweep = fetch_sweep(str(moment / "n"), path)
        assert len(read_trials(sweep)) == len(whole)
        rows = rows_of(sweep)
        assert rows == {key: whole[key] for key in rows}
        shutil.rmtree(path)
    assert before_it_exists == len(whole)
    assert rows == whole


@pytest.mark.parametrize("part", [0.1, 0.25, 0.4, 0.6, 0.8, 0.97])
def test_killed_between_two_copies_the_sweep_is_finished_as_if_it_never_stopped(
    tmp_path, moments, whole, dataset, part
):
    sweep = fetch_sweep(str(moments[int(part * len(moments))] / "n"), tmp_path / "fresh")
    drive(sweep, dataset, Silent())
    assert rows_of(sweep) == whole


def test_a_fetch_that_was_cut_off_anywhere_is_made_again(tmp_path, moments, whole, monkeypatch):
    fetched = Cut(monkeypatch)
    fetch_sweep(str(moments[-1] / "n"), tmp_path / "once")
    for after in range(0, fetched.count, 9):
        path = tmp_path / f"{after}"
        with pytest.MonkeyPatch.context() as patch:
            Cut(patch, after)
            with pytest.raises(CheckpointError, match="cannot be read"):
                fetch_sweep(str(moments[-1] / "n"), path)
        with pytest.raises(CheckpointError, match="no sweep there"):
            open_sweep(path)
        assert rows_of(fetch_sweep(str(moments[-1] / "n"), path)) == whole


@pytest.mark.parametrize(("kind", "seeds"), [("local", (0, 1)), pytest.param("s3", (0,), marks=pytest.mark.long)])
def test_an_unfinished_trial_goes_on_from_its_newest_mirrored_epoch(request, tmp_path, dataset, kind, seeds, in_step):
    uri = str(tmp_path / "mirror") if kind == "local" else request.getfixturevalue("s3")()
    sweep = begun(tmp_path / "here" / "n", dataset, uri, seeds=seeds)
    warm_up(sweep, dataset)
    with pytest.raises(StopError):
        mirrored(sweep, dataset, leave_off=(2, 2))
    shutil.move(sweep.path, tmp_path / "lost")
    again = fetch_sweep(join_uri(uri, "n"), tmp_path / "there" / "m")
    assert (again.key, again.mirror) == (sweep.key, join_uri(uri, "n"))
    (left,) = pending(read_trials(again))
    runs = open_runs(again, left, dataset)
    assert [max(committed_epochs(run.path)) for run in runs] == [2 for _ in seeds]
    assert {run.start.run.parent for run in runs} == {again.path / "warmups"}
    mirrored(again, dataset)
    shutil.move(tmp_path / "lost", sweep.path)
    drive(sweep, dataset, Silent())
    assert rows_of(again) == rows_of(sweep)
    assert all(len(row.scores) == len(seeds) for row in trial_rows(again))
    assert rows_of(fetch_sweep(join_uri(uri, "n"), tmp_path / "third")) == rows_of(sweep)


def test_runs_of_two_sweeps_never_meet(tmp_path, dataset, mirror, in_step):
    sweeps = [begun(tmp_path / name, dataset, mirror, scales=(1.0,)) for name in ("a", "b")]
    for sweep in sweeps:
        mirrored(sweep, dataset)
    for sweep in sweeps:
        again = fetch_sweep(sweep.mirror, tmp_path / "again" / sweep.name)
        (run,), (theirs,) = (current_paths(of, read_trials(of)[0]) for of in (again, sweep))
        assert open_run(run).key == open_run(theirs).key
        assert rows_of(again) == rows_of(sweep)
    assert sorted(path.name for path in Path(mirror).iterdir()) == ["a", "b"]


def test_a_run_of_a_sweep_has_no_mirror_of_its_own_and_is_the_same_run(tmp_path, dataset, mirror):
    with_one, without = (begun(tmp_path / n, dataset, m) for n, m in (("a", mirror), ("b", None)))
    pairs = zip(read_trials(with_one), read_trials(without), strict=True)
    assert all(one.key == other.key for one, other in pairs)
    (run,) = open_runs(with_one, read_trials(with_one)[0], dataset)
    assert run.config.cluster.mirror is None
    assert run.config.fingerprint() == read_trials(with_one)[0].config.fingerprint()


def test_another_sweep_of_that_name_is_refused_before_any_work(tmp_path, dataset, mirror, in_step):
    mirrored(begun(tmp_path / "a" / "n", dataset, mirror, scales=(1.0,)), dataset)
    before = sorted(Path(mirror).rglob("*"))
    other = begun(tmp_path / "b" / "n", dataset, mirror)
    words = "n holds another sweep; choose another name for --out, or another cluster.mirror"
    with pytest.raises(CheckpointError, match=words):
        refuse_other_sweep(other)
    with pytest.raises(CheckpointError, match=words), mirrored_sweep(other):
        pytest.fail("the block was entered")
    with pytest.raises(CheckpointError, match=words):
        catch_up(other)
    assert sorted(Path(mirror).rglob("*")) == before


def test_a_run_of_that_name_is_refused_too(tmp_path, dataset, mirror):
    (Path(mirror) / "n").mkdir(parents=True)
    (Path(mirror) / "n" / "run.json").write_text('{"key": "k"}')
    with pytest.raises(CheckpointError, match="n holds another run; choose another name for --out"):
        refuse_other_sweep(begun(tmp_path / "n", dataset, mirror))


def test_proposals_of_a_sweep_that_never_existed_do_not_come_along(tmp_path, dataset, mirror, in_step):
    left = Path(mirror) / "n" / "trials" / "000-old"
    left.mkdir(parents=True)
    (left / "trial.json").write_text("{}")
    sweep = begun(tmp_path / "n", dataset, mirror, scales=(1.0,))
    mirrored(sweep, dataset)
    assert not left.exists()
    assert len(read_trials(fetch_sweep(sweep.mirror, tmp_path / "again"))) == 1


def test_a_copy_that_fails_is_said_and_made_up_for(tmp_path, dataset, mirror, in_step, caplog):
    sweep = begun(tmp_path / "n", dataset, mirror)
    with mirrored_sweep(sweep) as followed:
        callback = followed(Silent())
        shutil.rmtree(mirror)
        Path(mirror).write_text("")
        drive(sweep, dataset, callback, leave_off=None)
        assert "not mirrored now, tried again after the next epoch" in caplog.text
        Path(mirror).unlink()
        callback.on_epoch(read_trials(sweep)[0], EPOCHS)
        assert rows_of(fetch_sweep(sweep.mirror, tmp_path / "again")) == rows_of(sweep)


def test_one_trial_that_cannot_be_sent_keeps_no_other_back(tmp_path, dataset, mirror, in_step, caplog):
    sweep = begun(tmp_path / "n", dataset, mirror, scales=(1.0, 3.0))
    first, second = read_trials(sweep)

    def other_machine(_):
        taken = Path(mirror) / "n" / "trials" / first.name / "runs" / f"{first.name}-s0" / "run.json"
        if not taken.exists():
            taken.parent.mkdir(parents=True)
            taken.write_text('{"key": "k"}')

    with pytest.raises(CheckpointError, match="holds another run"):
        mirrored(sweep, dataset, callback=Meddling("on_trial_start", other_machine))
    assert "holds another run" in caplog.text
    assert set(rows_of(fetch_sweep(sweep.mirror, tmp_path / "again"))) == {second.key}


def test_a_mirror_that_fails_at_the_end_is_an_error_and_the_next_session_makes_up_for_it(
    tmp_path, dataset, mirror, in_step
):
    sweep = begun(tmp_path / "n", dataset, mirror, scales=(1.0,))
    words = "does not hold the end of this sweep .*raymm sweep --resume .*sends it again"

    def gone(*_):
        shutil.rmtree(mirror)
        Path(mirror).write_text("")

    with pytest.raises(TrainingError, match=words):
        mirrored(sweep, dataset, callback=Meddling("on_trial_end", gone))
    Path(mirror).unlink()
    catch_up(sweep)
    mirrored(open_sweep(sweep.path), dataset)
    assert rows_of(fetch_sweep(sweep.mirror, tmp_path / "again")) == rows_of(sweep)


def test_a_mirror_that_cannot_be_written_or_read_is_said_at_the_start(tmp_path, dataset):
    (tmp_path / "file").write_text("")
    sweep = begun(tmp_path / "n", dataset, str(tmp_path / "file"))
    with pytest.raises(CheckpointError, match=r"cluster\.mirror=.*: cannot be written"), mirrored_sweep(sweep):
        pytest.fail("the block was entered")


def test_copies_that_are_made_beside_the_work_are_all_there_at_the_end(tmp_path, dataset, mirror, whole):
    sweep = begun(tmp_path / "n", dataset, mirror)
    mirrored(sweep, dataset)
    assert rows_of(fetch_sweep(sweep.mirror, tmp_path / "again")) == whole


def test_without_a_mirror_nothing_is_sent(tmp_path, dataset):
    sweep, callback = begun(tmp_path / "n", dataset, None), Silent()
    refuse_other_sweep(sweep)
    catch_up(sweep)
    with mirrored_sweep(sweep) as followed:
        assert followed(callback) is callback


def test_trials_that_failed_are_tried_again_also_where_the_mirror_knew_of_it(tmp_path, dataset, mirror, in_step):
    sweep = begun(tmp_path / "n", dataset, mirror, scales=(1.0, 3.0))
    first, second = read_trials(sweep)
    with mirrored_sweep(sweep) as followed:
        write_outcome(first, TrialOutcome("failed", 0, "the disk was full"))
        followed(Silent()).on_trial_end(first, read_outcome(first))
    again = fetch_sweep(sweep.mirror, tmp_path / "again")
    assert rows_of(again)[first.key].cause == "the disk was full"
    reset_failed(again)
    with mirrored_sweep(again):
        third = fetch_sweep(sweep.mirror, tmp_path / "third")
        assert [trial.key for trial in pending(read_trials(third))] == [first.key, second.key]


def test_a_folder_that_lags_behind_is_brought_up_and_one_that_is_ahead_is_not_set_back(
    tmp_path, dataset, mirror, whole, in_step
):
    sweep = begun(tmp_path / "n", dataset, mirror)
    with pytest.raises(StopError):
        mirrored(sweep, dataset, leave_off=(0, 1))
    shutil.copytree(sweep.path, tmp_path / "old")
    with pytest.raises(StopError):
        mirrored(sweep, dataset, leave_off=(2, 2))
    old = open_sweep(tmp_path / "old")
    catch_up(old)
    assert [trial.number for trial in pending(read_trials(old))] == [2]
    assert [max(committed_epochs(path)) for path in current_paths(old, read_trials(old)[2])] == [2]
    drive(old, dataset, Silent())
    assert rows_of(old) == whole
    catch_up(old)
    assert rows_of(old) == whole


def two_copies(tmp_path, dataset, mirror, here, there, seeds=(0,)):
    """A sweep whose only trial has committed `here` epochs in its folder, and `there` epochs at its mirror."""
    sweep = begun(tmp_path / "n", dataset, mirror, scales=(1.0,), seeds=seeds)
    copies = {}
    for epochs in sorted({here, there}):
        with pytest.raises(StopError):
            mirrored(sweep, dataset, leave_off=(0, epochs))
        copies[epochs] = shutil.copytree(sweep.path, tmp_path / f"after {epochs}")
    shutil.rmtree(sweep.path)
    shutil.copytree(copies[here], sweep.path)
    shutil.rmtree(Path(mirror) / "n")
    with mirrored_sweep(replace(sweep, path=copies[there])):
        pass
    return sweep


def committed_of(sweep):
    return [committed_epochs(path) for path in current_paths(sweep, first_of(sweep))]


@pytest.mark.parametrize(
    ("here", "there", "fetched"),
    [(1, 2, True), (2, 2, False), (2, 1, False)],
    ids=["mirror ahead", "equal", "mirror behind"],
)
def test_a_pending_trial_is_fetched_only_where_the_mirror_has_come_further(
    tmp_path, dataset, mirror, whole, in_step, monkeypatch, here, there, fetched
):
    sweep = two_copies(tmp_path, dataset, mirror, here, there)
    assert [max(epochs) for epochs in committed_of(sweep)] == [here]
    copied = Cut(monkeypatch)
    catch_up(open_sweep(sweep.path))
    assert (copied.count > 0) == fetched
    assert [max(epochs) for epochs in committed_of(sweep)] == [max(here, there)]
    drive(sweep, dataset, Silent())
    key = first_of(sweep).key
    assert rows_of(sweep) == {key: whole[key]}


def test_each_seed_of_a_pending_trial_is_compared_with_its_own_copy(tmp_path, dataset, mirror, in_step):
    sweep = two_copies(tmp_path, dataset, mirror, 2, 2, seeds=(0, 1))
    shutil.rmtree(epoch_folder(current_paths(sweep, first_of(sweep))[1], 2))
    assert [max(epochs) for epochs in committed_of(sweep)] == [2, 1]
    catch_up(sweep)
    assert [max(epochs) for epochs in committed_of(sweep)] == [2, 2]


def test_a_trial_that_went_on_from_another_is_caught_up_though_its_old_runs_had_come_further(
    tmp_path, dataset, mirror, in_step
):
    sweep = begun(tmp_path / "n", dataset, mirror, scales=(1.0, 3.0))
    first, second = read_trials(sweep)
    for trial, epochs in ((first, 1), (second, 2)):
        list(advance(open_runs(sweep, trial, dataset), dataset, until=epochs))
    shutil.copytree(sweep.path, tmp_path / "old")
    branch = branch_runs(sweep, second, config_with(mirror, 1.5), current_paths(sweep, first), 1, dataset)
    next(advance(branch, dataset))
    with mirrored_sweep(sweep):
        pass
    old = replace(sweep, path=tmp_path / "old")
    assert [max(committed_epochs(path)) for path in current_paths(old, read_trials(old)[1])] == [2]
    catch_up(old)
    moved = read_trials(old)[1]
    assert current_config(moved).method.settings.fs.settings.scale == 1.5
    assert [max(committed_epochs(path)) for path in current_paths(old, moved)] == [1]


def test_a_mirror_that_has_not_heard_of_a_branch_does_not_take_it_back(tmp_path, dataset, mirror, in_step):
    sweep = begun(tmp_path / "n", dataset, mirror, scales=(1.0, 3.0))
    first, second = read_trials(sweep)
    for trial, epochs in ((first, 1), (second, 2)):
        list(advance(open_runs(sweep, trial, dataset), dataset, until=epochs))
    with mirrored_sweep(sweep):
        pass
    branch = branch_runs(sweep, second, config_with(mirror, 1.5), current_paths(sweep, first), 1, dataset)
    next(advance(branch, dataset))
    catch_up(sweep)
    assert current_paths(sweep, second) == [run.path for run in branch]


def test_a_trial_that_went_on_from_another_goes_on_there(tmp_path, dataset, mirror, in_step):
    sweep = begun(tmp_path / "here" / "n", dataset, mirror, scales=(1.0, 3.0))
    first, second = read_trials(sweep)
    with mirrored_sweep(sweep) as followed:
        callback = followed(Silent())
        for trial in (first, second):
            list(advance(open_runs(sweep, trial, dataset), dataset, until=2))
            callback.on_epoch(trial, 2)
        config = config_with(mirror, 1.5)
        runs = branch_runs(sweep, second, config, current_paths(sweep, first), 2, dataset)
        callback.on_trial_start(second)
        not_begun = fetch_sweep(sweep.mirror, tmp_path / "a")
        next(advance(runs, dataset))
        callback.on_epoch(second, 2)
        shutil.move(sweep.path, tmp_path / "gone")
        fetched = fetch_sweep(sweep.mirror, tmp_path / "b")
        shutil.move(tmp_path / "gone", sweep.path)
    (_, before), (_, after) = (read_trials(of) for of in (not_begun, fetched))
    assert current_config(before).method.settings.fs.settings.scale == 3.0
    assert [max(committed_epochs(path)) for path in current_paths(not_begun, before)] == [2]
    assert current_config(after).method.settings.fs.settings.scale == 1.5
    (run,) = current_paths(fetched, after)
    assert run.parent.name.startswith("from-")
    assert open_run(run).start.run == current_paths(fetched, first_of(fetched))[0]
    (again,) = open_runs(fetched, after, dataset)
    list(advance([again], dataset))
    list(advance(runs, dataset))
    weights = [sha256_of(path / "result" / "model" / "model.safetensors") for path in (run, runs[0].path)]
    assert weights[0] == weights[1]


def first_of(sweep):
    return read_trials(sweep)[0]


def test_data_that_moved_is_taken_when_it_is_the_same(tmp_path, dataset, mirror, in_step):
    sweep = begun(tmp_path / "n", dataset, mirror, scales=(1.0,))
    with pytest.raises(StopError):
        mirrored(sweep, dataset, leave_off=(0, 2))
    moved = small_dataset(tmp_path / "elsewhere", count=160)
    again = move_data(fetch_sweep(sweep.mirror, tmp_path / "again"), moved.path)
    assert open_sweep(again.path).data == moved.path
    assert open_runs(again, first_of(again), again.dataset())[0].data == moved.path
    other = small_dataset(tmp_path / "other", count=120)
    with pytest.raises(DataError, match="not the data set of the sweep") as caught:
        move_data(again, other.path)
    assert short_digest(other.digest) in str(caught.value)
    assert open_sweep(again.path).data == moved.path


def test_what_is_no_sweep_is_not_fetched_and_what_is_another_is_not_written_over(tmp_path, dataset, mirror, in_step):
    with pytest.raises(CheckpointError, match=r"no sweep there .*give MIRROR/NAME"):
        fetch_sweep(f"{mirror}/n", tmp_path / "again")
    sweep = begun(tmp_path / "n", dataset, mirror, scales=(1.0,))
    mirrored(sweep, dataset)
    other = begun(tmp_path / "other", dataset, None)
    with pytest.raises(CheckpointError, match="other holds another sweep; choose another folder for --out"):
        fetch_sweep(sweep.mirror, other.path)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("")
    with pytest.raises(CheckpointError, match="not empty, and no sweep of raymm"):
        fetch_sweep(sweep.mirror, tmp_path / "full")
    assert not (tmp_path / "again").exists()


def test_a_damaged_sweep_file_is_named(tmp_path, dataset, mirror):
    (Path(mirror) / "n").mkdir(parents=True)
    (Path(mirror) / "n" / "sweep.json").write_text('{"ke')
    with pytest.raises(CheckpointError, match=r"n/sweep\.json: cannot be read"):
        fetch_sweep(f"{mirror}/n", tmp_path / "again")
    with pytest.raises(CheckpointError, match=r"n/sweep\.json: cannot be read"):
        refuse_other_sweep(begun(tmp_path / "n", dataset, mirror))


def test_a_sweep_goes_on_without_a_mirror_that_cannot_be_read_when_that_is_said(tmp_path, dataset):
    (tmp_path / "file").write_text("")
    sweep = begun(tmp_path / "n", dataset, str(tmp_path / "file"))
    with pytest.raises(CheckpointError, match=r'set "mirror" to null in .*n/sweep\.json'):
        catch_up(sweep)
    file = sweep.path / "sweep.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "mirror": None}))
    catch_up(open_sweep(sweep.path))


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("s3://b/p", "s3://b/p/n"),
        ("s3://b/p/?scheme=http&region=x", "s3://b/p/n?scheme=http&region=x"),
        ("/mnt/mirror", "/mnt/mirror/n"),
        ("/mnt/is it?", "/mnt/is it?/n"),
    ],
)
def test_the_place_below_a_uri(uri, expected):
    assert join_uri(uri, "n") == expected
