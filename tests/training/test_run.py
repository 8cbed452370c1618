"""The folder of a run: validated when it is made, and read with words for what is wrong in it."""

import errno

import pytest

from raymm.errors import CheckpointError, ConfigError
from raymm.training import run as module
from raymm.training.loop import Backends, train
from raymm.training.run import BranchPoint, check_folder, create_or_open, move_start, open_run
from tests.games import settings


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


def test_a_run_that_ended_before_its_run_file_was_written_is_made_by_the_next_call(tmp_path, dataset, monkeypatch):
    plugin = tmp_path / "part.py"
    plugin.write_text("X = 1\n")
    given = settings().model_copy(update={"plugins": (str(plugin),)})

    def full(path, _):
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    with monkeypatch.context() as patch:
        patch.setattr(module, "write_json", full)
        with pytest.raises(OSError, match="No space left"):
            create_or_open(tmp_path / "r", given, dataset, check=False)
    assert [entry.name for entry in (tmp_path / "r").iterdir()] == ["plugins"]
    (tmp_path / "r" / "plugins" / "part.py").write_text("X =")  # half a copy is made anew
    (tmp_path / "r" / ".run.json.abcd1234.tmp").touch()
    check_folder(tmp_path / "r", given, dataset)
    made = create_or_open(tmp_path / "r", given, dataset, check=False)
    assert (tmp_path / "r" / "plugins" / "part.py").read_text() == "X = 1\n"
    assert open_run(made.path) == made


@pytest.mark.parametrize("name", ["notes.txt", ".run.json.abcd.tmp", "plugin", "epochs"])
def test_a_folder_with_anything_else_is_refused(tmp_path, dataset, name):
    (tmp_path / "r" / "plugins").mkdir(parents=True)
    (tmp_path / "r" / name).touch()
    for use in (create_or_open, check_folder):
        with pytest.raises(CheckpointError, match="r: not empty, and no run of raymm; choose another folder"):
            use(tmp_path / "r", settings(), dataset)


def test_weights_that_cannot_be_read_leave_no_folder(tmp_path, dataset, monkeypatch):
    plugin = tmp_path / "part.py"
    plugin.write_text("")
    monkeypatch.setattr(module, "hashes_of_weights", lambda _: (_ for _ in ()).throw(OSError("unreadable")))
    given = settings().model_copy(update={"plugins": (str(plugin),)})
    with pytest.raises(OSError, match="unreadable"):
        create_or_open(tmp_path / "r", given, dataset, check=False)
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize(
    ("content", "words"), [('{"ke', "Expecting|Unterminated"), ("[1]", "it holds a list"), ("", "Expecting")]
)
@pytest.mark.parametrize("use", ["create_or_open", "open_run", "move_start"])
def test_a_damaged_run_file_is_named(tmp_path, dataset, content, words, use):
    path = create_or_open(tmp_path / "r", settings(), dataset, check=False).path
    (path / "run.json").write_text(content)
    uses = {
        "create_or_open": lambda: create_or_open(path, settings(), dataset),
        "open_run": lambda: open_run(path),
        "move_start": lambda: move_start(path, lambda before: before),
    }
    with pytest.raises(CheckpointError, match=rf"r/run\.json: cannot be read \(.*({words})"):
        uses[use]()


def test_a_folder_without_a_run_says_what_to_give(tmp_path):
    with pytest.raises(
        CheckpointError, match=r"no run there \(run\.json is missing\); give the --out of `raymm train`"
    ):
        open_run(tmp_path)


def test_the_start_of_a_run_is_moved_and_nothing_else(tmp_path, dataset):
    start = BranchPoint(tmp_path / "there", 2)
    run = create_or_open(tmp_path / "r", settings(), dataset, start, check=False)
    move_start(run.path, lambda before: before.parent / "moved")
    assert open_run(run.path).start == BranchPoint(tmp_path / "moved", 2)
    assert open_run(run.path).config == run.config


def test_where_a_plugin_lies_is_no_difference(tmp_path, dataset):
    """The copy in the folder of the run stands for the file that was given."""
    plugin = tmp_path / "mine.py"
    plugin.write_text("")
    given = settings().model_copy(update={"plugins": (str(plugin),)})
    create_or_open(tmp_path / "r", given, dataset, check=False)
    other = settings(optimizer={"lr": 0.5}).model_copy(update={"plugins": given.plugins})
    with pytest.raises(CheckpointError) as raised:
        create_or_open(tmp_path / "r", other, dataset)
    assert "optimizer.lr: " in str(raised.value)
    assert "plugins" not in str(raised.value)


def test_a_shared_setting_that_no_encoder_has_is_said_once_a_run(tmp_path, dataset, caplog):
    config = settings(training={"epochs": 2}, model={"encoder": {"norm": "batch"}})
    train(create_or_open(tmp_path / "r", config, dataset), dataset, Backends())
    create_or_open(tmp_path / "r", config, dataset)
    said = [message for message in caplog.messages if "model.encoder.norm" in message]
    assert len(said) == 1
    assert said[0].startswith("model.encoder.norm: no encoder of m0, m1 has it; ")
    assert said[0].endswith(" would, so it is left out")
