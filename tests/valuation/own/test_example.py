"""The example of one's own model runs, is as short as it says, and its values are those that it prints."""

import inspect

import numpy as np

from raymm.valuation import read_table
from tests.examples import example


def test_the_example(tmp_path, capsys):
    program = example("value_my_model")
    values = program.main(tmp_path)
    printed = capsys.readouterr().out
    assert values.summary() in printed
    assert "clips/" in printed
    assert np.array_equal(read_table(tmp_path / "values.parquet").phi, values.phi)
    assert "clips/000.mp4" in (tmp_path / "values.html").read_text()
    alone = dict(zip(values.modalities, values.table.unimodal_correct.mean(axis=0), strict=True))
    phi = dict(zip(values.modalities, values.phi.mean(axis=0), strict=True))
    for other in ("audio", "text"):  # the frames are noise
        assert alone[other] > alone["video"] + 0.3
        assert phi[other] > phi["video"] + 0.2
    own = inspect.getsource(program.main).split("model = trained()\n")[1].split("    return")[0]
    assert len(["import raymm", *own.strip().splitlines()]) <= 8
