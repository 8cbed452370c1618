"""Every JSON file that is read, in every wrong shape: nothing but an error that names the file comes out."""

import json
import os
import shutil
from pathlib import Path

import pytest

from raymm.cli import main
from raymm.data import open_dataset
from raymm.errors import RaymmError
from raymm.mirror.runs import fetch
from raymm.mirror.sweep_fetch import fetch_sweep
from raymm.models.export import load_model
from raymm.storage.directory import read_manifest
from raymm.storage.remote import pull, remote_path
from raymm.sweep.runs import current_paths
from raymm.sweep.saved import SavedBest, SavedPointer
from raymm.sweep.store import TrialOutcome, open_sweep, open_trial, read_outcome, write_outcome
from raymm.training.checkpoint import load_latest, read_checkpoint, read_history
from raymm.training.loop import Backends, train
from raymm.training.result import read_result
from raymm.training.run import create_or_open, open_run
from tests.games import settings, small_dataset
from tests.sweeps import propose, sweep_of

EPOCH = "run/epochs/epoch-00001"

READERS = {
    "data/manifest.json": lambda root: open_dataset(root / "data"),
    "run/run.json": lambda root: open_run(root / "run"),
    f"{EPOCH}/manifest.json": lambda root: read_checkpoint(root / "run", 1, check=True),
    f"{EPOCH}/state.json": lambda root: (read_checkpoint(root / "run", 1), read_history(root / "run")),
    "run/result/manifest.json": lambda root: read_result(root / "run"),
    "run/result/result.json": lambda root: read_result(root / "run"),
    "run/result/model/manifest.json": lambda root: load_model(root / "run/result/model"),
    "run/result/model/model.json": lambda root: load_model(root / "run/result/model"),
    "sweep/sweep.json": lambda root: open_sweep(root / "sweep"),
    "sweep/trial.json": lambda root: open_trial(trial(root)),
    "sweep/ended.json": lambda root: read_outcome(open_trial(trial(root))),
    "sweep/current.json": lambda root: current_paths(open_sweep(root / "sweep"), open_trial(trial(root))),
    "sweep/best.json": lambda root: SavedBest.read(root / "sweep/summary/best.json"),
    "pointer.json": lambda root: SavedPointer.read(root / "pointer.json"),
    "mirror/run/run.json": lambda root: fetch(root / "run", str(root / "mirror")),
    "mirror/manifest.json": lambda root: pull(remote_path(str(root / "mirror/run/epochs/epoch-00001")), root / "new"),
    "mirror/sweep.json": lambda root: fetch_sweep(str(root / "mirror/sweep"), root / "fetched"),
    "mirror/current.json": lambda root: fetch_sweep(str(root / "mirror/sweep"), root / "fetched"),
}
"""What reads each file."""

MAY_BE_ABSENT = {
    "run/result/model/manifest.json",
    "sweep/ended.json",
    "sweep/current.json",
    "mirror/run/run.json",
    "mirror/current.json",
}
"""Their absence means something: an older version exported the model (whose files the manifest of the result has as
well), a trial is pending, its runs are the first ones, nothing was mirrored yet."""

IMPOSSIBLE = {(shape, "mirror/manifest.json") for shape in ("folder", "symlink loop")}
"""What no object store has; `fetch` gives the words of a file system that does."""

PLACES = {
    "sweep/trial.json": "sweep/trials/*/trial.json",
    "sweep/ended.json": "sweep/trials/*/ended.json",
    "sweep/current.json": "sweep/trials/*/current.json",
    "sweep/best.json": "sweep/summary/best.json",
    "mirror/manifest.json": f"mirror/{EPOCH}/manifest.json",
    "mirror/sweep.json": "mirror/sweep/sweep.json",
    "mirror/current.json": "mirror/sweep/trials/*/current.json",
}

SHAPES = {
    "missing": lambda file: file.unlink(),
    "folder": lambda file: (file.unlink(), file.mkdir()),
    "symlink loop": lambda file: (file.unlink(), file.symlink_to(file.name)),
    "empty": lambda file: file.write_bytes(b""),
    "list": lambda file: file.write_bytes(b"[]"),
    "null": lambda file: file.write_bytes(b"null"),
    "number": lambda file: file.write_bytes(b"3"),
    "text": lambda file: file.write_bytes(b'"x"'),
    "NaN": lambda file: file.write_bytes(file.read_bytes().replace(b'": ', b'": NaN, "a": ', 1)),
    "no object inside": lambda file: file.write_bytes(b"{}"),
    "nested": lambda file: file.write_bytes(b"[" * 200_000),
    "nested objects": lambda file: file.write_bytes(b'{"a":' * 200_000),
    "nested as far as it can be read": lambda file: file.write_bytes(b"[" * 900 + b"]" * 900),
    "truncated": lambda file: file.write_bytes(file.read_bytes()[: file.stat().st_size // 2]),
    "not UTF-8": lambda file: file.write_bytes(b"\xff\xfe\x00" + file.read_bytes()),
    "binary": lambda file: file.write_bytes(os.urandom(64)),
    "long number": lambda file: file.write_bytes(b'{"format": ' + b"9" * 5_000 + b"}"),
    "newer format": lambda file: put(file, ("format",), 99),
}


def trial(root):
    return next((root / "sweep/trials").iterdir())


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A data set, a finished run, a sweep and their copies at a mirror."""
    root = tmp_path_factory.mktemp("whole")
    dataset = small_dataset(root / "data", 60)
    config = settings(training={"epochs": 1, "batch_size": 32}, method={"name": "joint"})
    train(create_or_open(root / "run", config, dataset), dataset, Backends())
    sweep = sweep_of(root / "sweep", dataset)
    made = propose(sweep, 0, fs__scale=2.0)
    write_outcome(made, TrialOutcome("finished", 3))
    current = {"folder": "runs-1", "config": made.config.model_dump(mode="json")}
    (made.path / "current.json").write_text(json.dumps(current))
    (root / "sweep/summary").mkdir()
    (root / "sweep/summary/best.json").write_text(json.dumps({"key": made.key, "trial": made.name, "run_id": ""}))
    (root / "pointer.json").write_text(json.dumps({"trial": made.name, "epochs": 1, "runs": ["a"]}))
    for name in ("run", "sweep"):
        shutil.copytree(root / name, root / "mirror" / name)
    return root


@pytest.fixture
def root(whole, tmp_path):
    shutil.copytree(whole, tmp_path / "root")
    return tmp_path / "root"


def place(root, name):
    (found,) = root.glob(PLACES.get(name, name))
    return found


def put(file, path, value):
    values = json.loads(file.read_bytes())
    inner = values
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    file.write_text(json.dumps(values))


def paths_in(values, depth):
    """Keys of everything in nested values, down to some depth; of a list, its first entry."""
    found = values.items() if isinstance(values, dict) else list(enumerate(values))[:1]
    for key, value in found:
        yield (key,)
        if depth > 1 and isinstance(value, dict | list):
            yield from ((key, *rest) for rest in paths_in(value, depth - 1))


def mistake_of(read, root):
    """The words of the error that comes out, or nothing; any other exception goes on."""
    try:
        read(root)
    except RaymmError as cause:
        return str(cause)
    return ""


@pytest.mark.parametrize("name", READERS)
def test_the_file_is_read_as_it_was_written(root, name):
    READERS[name](root)


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("shape", SHAPES)
def test_a_file_of_another_shape_is_named(root, name, shape):
    if (shape, name) in IMPOSSIBLE:
        return
    file = place(root, name)
    SHAPES[shape](file)
    if shape == "missing" and name in MAY_BE_ABSENT:
        READERS[name](root)
        return
    with pytest.raises(RaymmError) as caught:
        READERS[name](root)
    assert caught.value.exit_code == 2
    assert file.name in str(caught.value)
    assert len(str(caught.value)) < 2_000


@pytest.mark.parametrize("name", sorted(READERS.keys() - {"mirror/sweep.json", "mirror/current.json"}))
def test_a_field_of_another_type_is_named_or_harmless(root, name):
    """Every field, down to the third level, as each of these; whatever comes out is an error for people."""
    file = place(root, name)
    before = file.read_bytes()
    refused = 0
    for path in paths_in(json.loads(before), 3):
        for value in ("x", -1, 0.5, None, [[]], {"x": {}}):
            put(file, path, value)
            said = mistake_of(READERS[name], root)
            refused += bool(said)
            assert not said or file.name in said or str(root) in said, (path, value, said)
        file.write_bytes(before)
    assert refused


def test_a_damaged_epoch_is_passed_over_whatever_its_files_hold(root):
    for name in ("manifest.json", "state.json"):
        for shape in ("list", "nested", "folder", "null"):
            epoch = root / "run/epochs/epoch-00002"
            shutil.rmtree(epoch, ignore_errors=True)
            shutil.copytree(root / EPOCH, epoch)
            SHAPES[shape](epoch / name)
            assert load_latest(root / "run").epoch == 1, (name, shape)


def test_a_copy_of_an_epoch_beside_it_is_no_epoch(root):
    shutil.copytree(root / EPOCH, root / "run/epochs/epoch-00001.bak")
    shutil.copytree(root / EPOCH, root / "run/epochs/epoch-last")
    assert load_latest(root / "run").epoch == 1


@pytest.mark.parametrize("shape", ["list", "nested", "folder", "truncated"])
@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("data/manifest.json", "train --backend local --data {root}/data --out {root}/other"),
        ("run/run.json", "report {root}/run"),
        ("run/result/result.json", "report {root}/run"),
        (
            "run/result/model/model.json",
            "value --backend local --data {root}/data --checkpoint {root}/run --out {root}/o",
        ),
    ],
)
def test_a_command_says_it_in_a_line_and_ends_with_2(root, name, shape, command, capsys):
    SHAPES[shape](place(root, name))
    with pytest.raises(SystemExit) as ended:
        main(command.format(root=root).split())
    said = capsys.readouterr().err
    assert ended.value.code == 2
    assert Path(name).name in said
    assert "Traceback" not in said


@pytest.mark.parametrize("name", ["/etc/x", "../x", "a/../../x", "", "a/..", "x\0y"])
def test_a_manifest_that_names_files_outside_of_its_folder_is_refused(root, name):
    """Else a mirror could write or delete anywhere."""
    file = place(root, "mirror/manifest.json")
    manifest = json.loads(file.read_bytes())
    manifest["files"][name] = next(iter(manifest["files"].values()))
    del manifest["checksum"]
    file.write_text(json.dumps(manifest))
    for read in (lambda: READERS["mirror/manifest.json"](root), lambda: read_manifest(file.parent)):
        with pytest.raises(RaymmError, match="leaves the folder"):
            read()


def test_a_manifest_that_was_edited_is_refused(root):
    put(root / "data/manifest.json", ("statistics", "m0", "mean", 0), 0.25)
    with pytest.raises(RaymmError, match=r"manifest\.json: was changed after it was written"):
        open_dataset(root / "data")
