"""F33 to F38, F40: damaged data, tracking stores that are away, silent, slow or closed, a clock that steps back."""

import contextlib
import os
import shutil
import socket
import threading
import time

import numpy as np
import pandas as pd
import pytest

from raymm.cli import main
from raymm.errors import RaymmError
from raymm.storage.layout import committed_epochs
from raymm.tracking.mlflow import client, local_store, replay
from raymm.tracking.mlflow.writer import MlflowClient
from tests.chaos.runs import EPOCHS, by_command, mounted, numbers, one_line, recorded, train_words
from tests.cli.calling import call

SAMPLES = 120


@pytest.fixture(scope="module")
def whole(tmp_path_factory, dataset, store):
    """The numbers of a run that nothing disturbed."""
    folder = tmp_path_factory.mktemp("whole")
    shutil.copytree(store, folder / "mlflow")
    with pytest.raises(SystemExit) as ended:
        main(train_words(dataset.path, folder))
    assert ended.value.code == 0
    assert recorded(folder) == ("FINISHED", list(range(1, EPOCHS + 1)))
    return numbers(folder / "run")


def trained(capfd, words):
    code, out, err = call(capfd, *words)
    assert code == 0, (out, err)
    return err


def damage(file, how):
    content = bytearray(file.read_bytes())
    if how == "empty":
        content = b""
    elif how.startswith("cut"):
        content = content[: int(len(content) * float(how[4:]))]
    else:
        content[int(len(content) * float(how[5:]))] ^= 4
    file.write_bytes(content)


CUTS = ["empty", *(f"cut {share}" for share in (0.01, 0.3, 0.6, 0.999))]
FLIPS = [f"flip {share}" for share in (0.0, 0.05, 0.3, 0.5, 0.7, 0.9, 0.999)]
ROWS = [pytest.param(how, id=f"F33_{how}") for how in CUTS] + [pytest.param(how, id=f"F34_{how}") for how in FLIPS]


@pytest.mark.parametrize("how", ROWS)
def test_a_damaged_arrow_file_of_a_data_set(capfd, place, dataset, how):
    data = shutil.copytree(dataset.path, place / "data")
    damage(data / "shards" / "part-00000.arrow", how)
    code, _, err = call(capfd, *train_words(data, place))
    assert code == 2, err
    assert "part-00000.arrow" in one_line(err)
    assert committed_epochs(place / "run") == []


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    """A Parquet manifest of vectors in files, whose pages have checksums."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder = tmp_path_factory.mktemp("manifest")
    rows = []
    for number in range(40):
        np.save(folder / f"v{number}.npy", np.full(3, number, np.float32))
        split = "train" if number < 24 else "val" if number < 32 else "test"
        rows.append({"sample_id": f"s{number}", "split": split, "label": f"c{number % 2}", "v": f"v{number}.npy"})
    pq.write_table(pa.Table.from_pandas(pd.DataFrame(rows)), folder / "m.parquet", write_page_checksum=True)
    return folder


@pytest.mark.parametrize("how", ROWS)
def test_a_damaged_parquet_manifest(capfd, tmp_path, manifest, how):
    folder = shutil.copytree(manifest, tmp_path / "in")
    words = ["prepare", "--manifest", folder / "m.parquet", "--media-root", folder, "--modalities", "v:vector"]
    damage(folder / "m.parquet", how)
    code, _, err = call(capfd, *words, "--out", tmp_path / "out", "--backend", "local")
    if code == 0:  # a bit of a name of who wrote it, say: then the rows are those that were written
        good = call(
            capfd, *words[:2], manifest / "m.parquet", *words[3:], "--out", tmp_path / "good", "--backend=local"
        )
        assert good[0] == 0, good
        assert shards(tmp_path / "out") == shards(tmp_path / "good")
        return
    assert code == 2, err
    assert "m.parquet" in one_line(err)
    assert not (tmp_path / "out" / "manifest.json").exists()


def test_F34_no_bit_of_a_parquet_manifest_changes_a_cell(tmp_path, manifest):
    """Pages have checksums here, as every newer writer can give them. The footer (names and types) has none: there a
    file is refused, or read in other types or names, which `prepare` then judges."""
    from raymm.data.tabular.read import read_table

    whole = bytearray((manifest / "m.parquet").read_bytes())
    file = tmp_path / "m.parquet"
    good, refused = cells(read_table(manifest / "m.parquet")), []
    footer = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")
    for at in range(0, len(whole), 7):
        file.write_bytes(bytes([*whole[:at], whole[at] ^ (1 << at % 8), *whole[at + 1 :]]))
        try:
            assert cells(read_table(file)) == good or at >= footer, at
        except RaymmError as cause:
            refused.append(str(cause))
    assert all("m.parquet" in words for words in refused)
    assert len(refused) > len(whole) // 7 // 4


def cells(table):
    return list(table.columns.to_pydict().values())


def shards(folder):
    return [path.read_bytes() for path in sorted((folder / "shards").glob("*.arrow"))]


def test_the_manifest_is_good(capfd, tmp_path, manifest):
    words = ["prepare", "--manifest", manifest / "m.parquet", "--media-root", manifest, "--modalities", "v:vector"]
    assert call(capfd, *words, "--out", tmp_path / "out", "--backend", "local")[0] == 0


def arrived(uri, artifacts, folder):
    """All records of a run are sent, twice; every epoch is there once."""
    assert replay(folder / "run", uri, artifacts) == 0
    assert replay(folder / "run", uri, artifacts) == 0
    assert recorded(folder) == ("FINISHED", list(range(1, EPOCHS + 1)))


def test_F35_a_server_that_is_not_there(capfd, caplog, place, dataset, whole, monkeypatch):
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{port}")
    started = time.monotonic()
    trained(capfd, train_words(dataset.path, place))
    assert time.monotonic() - started < 40
    assert f"http://127.0.0.1:{port}" in caplog.text
    assert numbers(place / "run") == whole
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    arrived(*local_store(place / "mlflow"), place)


@pytest.mark.parametrize("back", [1, 2, 9])
def test_F36_a_server_that_goes_away_and_comes_back(capfd, caplog, place, dataset, whole, monkeypatch, back):
    """It is away from the first epoch to the call `back`, or to the end."""
    monkeypatch.setattr(client, "RETRY_AFTER", 0.0)
    real, calls = MlflowClient.log_batch, []

    def away(*arguments, **named):
        if named.get("metrics"):
            calls.append(named)
            if 1 <= len(calls) <= back:
                raise ConnectionError("no route to host")
        return real(*arguments, **named)

    monkeypatch.setattr(MlflowClient, "log_batch", away)
    trained(capfd, train_words(dataset.path, place))
    assert calls
    assert "no route to host" in caplog.text
    assert numbers(place / "run") == whole
    monkeypatch.setattr(MlflowClient, "log_batch", real)
    arrived(*local_store(place / "mlflow"), place)


class Silent:
    """A server that accepts, and then sends a byte every so many seconds."""

    ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Long: " + b"a" * 10_000

    def __init__(self, pause):
        self.pause, self.ended, self.threads = pause, threading.Event(), []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.uri = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.begin(self.accept)

    def begin(self, target, *arguments):
        self.threads.append(threading.Thread(target=target, args=arguments, daemon=True))
        self.threads[-1].start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                self.begin(self.answer, self.listener.accept()[0])

    def answer(self, connection):
        with connection, contextlib.suppress(OSError):
            for byte in self.ANSWER:
                if self.ended.wait(self.pause):
                    return
                connection.sendall(bytes([byte]))

    def close(self):
        self.ended.set()
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for thread in self.threads:
            thread.join(5)


@pytest.mark.chaos
@pytest.mark.parametrize("pause", [pytest.param(1000.0, id="never"), pytest.param(0.5, id="slowly")])
def test_F37_a_server_that_does_not_come_to_an_end(place, dataset, whole, pause):
    started = time.monotonic()
    words = train_words(dataset.path, place)
    with contextlib.closing(Silent(pause)) as server:
        code, _, err = by_command(words, 300, MLFLOW_TRACKING_URI=server.uri, MLFLOW_HTTP_REQUEST_TIMEOUT="2")
    assert code == 0, err
    assert time.monotonic() - started < 150  # 55 on a quiet machine
    assert numbers(place / "run") == whole
    arrived(*local_store(place / "mlflow"), place)


def closed_store(place, how):
    """A store in which nothing can be written."""
    if how == "a database that is a folder":
        (place / "s" / "mlflow.db").mkdir(parents=True)
    elif how == "a database of nonsense":
        (place / "s").mkdir()
        (place / "s" / "mlflow.db").write_bytes(os.urandom(5000))
    return place / "s"


@pytest.mark.parametrize("how", ["a database that is a folder", "a database of nonsense"])
def test_F38_a_store_that_is_none(capfd, tmp_path, dataset, how):
    words = train_words(dataset.path, tmp_path)
    words[words.index("--store") + 1] = str(closed_store(tmp_path, how))
    started = time.monotonic()
    code, _, err = call(capfd, *words)
    assert code == 2, err
    assert str(tmp_path / "s") in one_line(err)
    assert time.monotonic() - started < 10
    assert committed_epochs(tmp_path / "run") == []


@pytest.mark.parametrize("made", [False, True])
def test_F38_a_store_that_can_only_be_read(capfd, place, dataset, made):
    """A new one, and one that was made before; on a file system that nobody may write to."""
    with mounted(place / "disk", "size=8m") as disk:
        if made:
            shutil.copytree(place / "mlflow", disk / "s")
        os.system(f"mount -o remount,ro {disk}")
        words = train_words(dataset.path, place)
        words[words.index("--store") + 1] = str(disk / "s")
        started = time.monotonic()
        code, _, err = call(capfd, *words)
        assert code == 2, err
        assert str(disk / "s") in one_line(err)
        assert time.monotonic() - started < 10
        assert committed_epochs(place / "run") == []


def test_F40_a_clock_that_steps_back(capfd, place, dataset, whole, monkeypatch):
    """An hour, with every call: whatever follows from the clock is in another order."""
    real, steps = time.time, []

    def stepping():
        steps.append(None)
        return real() - 60.0 * len(steps)

    monkeypatch.setattr(time, "time", stepping)
    trained(capfd, train_words(dataset.path, place))
    monkeypatch.setattr(time, "time", real)
    assert len(steps) > EPOCHS
    assert numbers(place / "run") == whole
    assert recorded(place) == ("FINISHED", list(range(1, EPOCHS + 1)))
