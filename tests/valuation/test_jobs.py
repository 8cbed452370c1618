"""An interrupted valuation goes on: whole blocks are kept, damaged ones valued again, and the table is the same."""

import logging
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from raymm.data import View
from raymm.storage import layout
from raymm.valuation.engine import stream_rows
from raymm.valuation.jobs import Valuing, value_to_file
from raymm.valuation.table_file import read_table, write_table
from tests.reference_values import incomplete_samples, restless_model

SAMPLES, BLOCKS = 150, 3


@pytest.fixture(scope="module")
def job(tmp_path_factory):
    samples = incomplete_samples(tmp_path_factory.mktemp("jobs") / "d", SAMPLES)
    model, config = restless_model(samples.dataset, "concat", batch_size=1)
    model.eval()
    return Valuing(model, View(samples.dataset, config.view), samples.dataset.rows("test"), config)


@pytest.fixture(scope="module")
def whole(job, tmp_path_factory):
    """The bytes of the table, and the folder of its blocks just before they are joined."""
    folder = tmp_path_factory.mktemp("whole")
    out = folder / "t.parquet"
    interrupted_after(job, out, BLOCKS)
    shutil.copytree(layout.valuation_parts_folder(out), folder / "parts")
    value(job, out)
    return out.read_bytes(), folder / "parts"


def interrupted_after(job, out, count):
    def stop(blocks, _total):
        for _, block in zip(range(count), blocks, strict=False):
            yield block
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        value_to_file(job, stream_rows, out, stop)


def value(job, out):
    """Numbers of the blocks that were valued."""
    valued = []

    def told(blocks, total):
        for number, table in blocks:
            valued.append(number)
            yield number, table
        assert total == len(valued)

    value_to_file(job, stream_rows, out, told)
    return valued


def flipped(file):
    content = bytearray(file.read_bytes())
    content[60:80] = bytes(byte ^ 0xFF for byte in content[60:80])  # of the first page
    file.write_bytes(content)


def of_fewer_rows(file):
    write_table(file, read_table(file).part(0, 3))


def of_another_model(file):
    table = pq.read_table(file)
    about = table.schema.metadata[b"raymm"].replace(b'"masking": "mean"', b'"masking": "zeros"')
    assert about != table.schema.metadata[b"raymm"]
    pq.write_table(table.replace_schema_metadata({b"raymm": about}), file)


def a_folder(file):
    file.unlink()
    file.mkdir()


SPOILT = {
    "cut": lambda file: file.write_bytes(file.read_bytes()[:-40]),
    "empty": lambda file: file.write_bytes(b""),
    "flipped": flipped,
    "of_fewer_rows": of_fewer_rows,
    "of_another_model": of_another_model,
    "of_another_block": lambda file: shutil.copy(file.with_name("shard-00001.parquet"), file),
    "a_folder": a_folder,
    "no_parquet": lambda file: file.write_text("not a table"),
}


@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT)
@pytest.mark.parametrize("block", [0, 2])
def test_a_damaged_block_is_valued_again_and_named(job, whole, spoil, block, tmp_path, caplog):
    out = tmp_path / "t.parquet"
    shutil.copytree(whole[1], layout.valuation_parts_folder(out))
    file = layout.valuation_part(layout.valuation_parts_folder(out), block)
    spoil(file)
    with caplog.at_level(logging.WARNING, "raymm"):
        assert value(job, out) == [block]
    assert out.read_bytes() == whole[0]
    (said,) = [record.getMessage() for record in caplog.records]
    assert said.startswith(f"a block that is there is valued again: {file}")


def test_whole_blocks_are_kept_and_others_than_there_are_do_not_count(job, whole, tmp_path, caplog):
    out = tmp_path / "t.parquet"
    shutil.copytree(whole[1], layout.valuation_parts_folder(out))
    folder = layout.valuation_parts_folder(out)
    shutil.copy(folder / "shard-00000.parquet", folder / "shard-00009.parquet")
    (folder / "shard-00001.parquet").unlink()
    assert value(job, out) == [1]
    assert out.read_bytes() == whole[0]
    assert [record for record in caplog.records if "shard-00009" in record.getMessage()]


@pytest.mark.parametrize(
    "name", ["run:1.parquet", "12:30.parquet", "file:x.parquet", "a%20b.parquet", "s3:x.parquet"]
)
def test_names_that_look_like_addresses_are_names(job, whole, name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    out = Path(name)
    interrupted_after(job, out, 2)
    assert value(job, out) == [2]
    assert (tmp_path / name).read_bytes() == whole[0]
    assert len(read_table(name)) == SAMPLES
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".parquet"] == [name]
