"""Settings that cannot be, on the command line and in files."""

import pytest
from safetensors.torch import load_file

from raymm.storage.layout import WEIGHTS, epoch_folder
from raymm.training.loop import Backends, train
from raymm.training.run import create_or_open
from tests.chaos.refusing import contents, refused, taken
from tests.chaos.spoiling import train_words
from tests.cli.calling import call
from tests.games import settings

SAMPLES = 60
FAST = ["--epochs", "1", "method=joint", "model.feature_size=4", "model.encoder.width=4"]


@pytest.mark.parametrize(
    ("row", "setting", "words"),
    [
        ("B_config_01_unknown", "optimizer.lrr=1", "optimizer.lrr: no such setting; did you mean 'lr'?"),
        ("B_config_01_unknown_section", "optimiser.lr=1", "optimiser: no such setting; did you mean 'optimizer'?"),
        ("B_config_02_text", "optimizer.lr=fast", "optimizer.lr: must be a number"),
        ("B_config_02_list", "training.epochs=[3]", "training.epochs: must be a whole number"),
        ("B_config_03_negative", "optimizer.lr=-1", "optimizer.lr: must be more than 0 (got -1)"),
        ("B_config_04_nan", "optimizer.lr=nan", "optimizer.lr: must be a finite number (got 'nan')"),
        ("B_config_04_infinity", "optimizer.lr=.inf", "optimizer.lr: must be a finite number"),
        ("B_config_05_none", "cluster.workers=0", "cluster.workers: must be 1 or more"),
        ("B_config_05_minus_1", "cluster.workers=-1", "cluster.workers: must be 1 or more"),
        ("B_config_07_no_epochs", "training.epochs=0", "training.epochs: must be 1 or more"),
        ("B_config_08_address", "cluster.mirror=ftpx://a/b", "give s3://bucket/prefix, gs://bucket/prefix or an"),
        ("B_config_08_no_address", "cluster.mirror=s3:/x", "cluster.mirror: 's3:/x' is no place; give s3://bucket"),
    ],
)
def test_a_setting_that_cannot_be(capfd, tmp_path, data, row, setting, words):
    assert words in refused(capfd, tmp_path, *train_words(data, setting))


def test_B_config_05_a_million_workers(capfd, tmp_path, data):
    """Refused before Ray starts."""
    words = [word if word != "local" else "ray" for word in train_words(data, "cluster.workers=1000000")]
    assert "cluster.workers" in refused(capfd, tmp_path, *words)


def test_B_config_06_batch_larger_than_the_data_set(tmp_path, dataset):
    weights = []
    for size in (20, SAMPLES, 10**6):
        training = {"epochs": 1, "batch_size": size, "threads": 1}
        run = create_or_open(tmp_path / f"{size}", settings(training=training, method={"name": "joint"}), dataset)
        train(run, dataset, Backends())
        weights.append(load_file(epoch_folder(run.path, 1) / WEIGHTS))
    smaller, one, larger = weights
    assert all((one[name] == larger[name]).all() for name in one)
    assert not all((one[name] == smaller[name]).all() for name in one)


@pytest.mark.chaos
def test_B_config_09_experiment_outside(capfd, tmp_path, data):
    deep = tmp_path / "deep"
    words = train_words(data, *FAST, "--experiment", "../../evil")
    words[words.index("--store") + 1] = deep / "er" / "mlflow"
    taken(capfd, *words)
    outside = {name.split("/")[0] for name in contents(tmp_path)} - {"data", "run", "deep"}
    assert outside == set()
    assert [path.name for path in (deep / "er").iterdir()] == ["mlflow"]
    assert not list(tmp_path.rglob("evil*"))


def config(data, text):
    (data.parent / "c.yaml").write_text(text)
    return train_words(data, "--config", data.parent / "c.yaml")


def test_B_config_10_twice_in_a_file(capfd, tmp_path, data):
    said = refused(capfd, tmp_path, *config(data, "optimizer:\n  lr: 0.1\n  lr: 0.2\n"))
    assert "c.yaml: line 3: 'lr' stands twice (first in line 2); remove one" in said


def test_B_config_11_code(capfd, tmp_path, data):
    canary = tmp_path / "canary"
    for tag in ("python/object/apply:os.system", "python/name:os.system", "python/object/new:os.system"):
        said = refused(capfd, tmp_path, *config(data, f"optimizer: !!{tag} ['touch {canary}']\n"))
        assert "c.yaml: not YAML: could not determine a constructor for the tag" in said
    assert not canary.exists()


def test_B_config_12_ten_megabytes(capfd, tmp_path, data):
    text = "optimizer:\n" + "".join(f"  lr{n}: {n}\n" for n in range(600_000))
    assert len(text) > 10 * 2**20
    said = refused(capfd, tmp_path, *config(data, text))
    assert f"c.yaml: has {len(text)} bytes; a configuration has 1048576 at most" in said


def test_B_config_05_words_of_an_option(capfd, data):
    code, _, err = call(capfd, *train_words(data, "--workers", "0"))
    assert code == 2
    assert "Invalid value for '--workers': 0 is not in the range x>=1" in err
