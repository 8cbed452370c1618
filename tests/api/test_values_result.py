"""Values to look at: the numbers of the table in words, rows, plots, pages and files."""

import numpy as np
import pytest
import torch

from raymm.api.values_result import Values
from raymm.errors import ConfigError, DataError
from raymm.valuation import read_table, value_batches

SHOWN = torch.tensor([[2.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 2.0], [2.0, 0.0, 0.0]])
LABELS = torch.tensor([0, 1, 2, 1])
PRESENT = torch.tensor([[True, True], [True, True], [True, False], [True, True]])


def predict(batch, mask):
    """Audio shows a class; video shows the next one, more weakly."""
    audio, video = batch["audio"] * mask[:, [0]], batch["audio"].roll(1, dims=1) / 2 * mask[:, [1]]
    return audio + video


BATCH = {"audio": SHOWN, "label": LABELS, "present": PRESENT, "name": [*"abcd"], "file": [f"{c}.mp4" for c in "abcd"]}
SETTINGS = {"modalities": ("audio", "video"), "present": "present", "ids": "name", "source": "file"}


@pytest.fixture(scope="module")
def values():
    return Values(value_batches(predict, [BATCH], classes=["cat", "dog", "owl"], **SETTINGS))


PHI = [[1.5, 0.5], [1.5, 0.5], [1.0, np.nan], [-0.5, 0.5]]
"""By hand: audio right alone and together; for d video alone is right, and audio drowns it."""


def test_a_row_a_sample(values):
    frame = values.to_pandas()
    assert frame.columns.tolist() == [
        "sample_id", "split", "source", "label", "prediction", "correct", "phi_audio", "phi_video",
    ]  # fmt: skip
    assert frame["sample_id"].tolist() == values.ids == [*"abcd"]
    assert frame["source"].tolist() == values.sources == BATCH["file"]
    assert frame["label"].tolist() == ["cat", "dog", "owl", "dog"]
    assert frame["prediction"].tolist() == ["cat", "dog", "owl", "cat"]
    assert frame["correct"].tolist() == [True, True, True, False]
    assert np.array_equal(frame[["phi_audio", "phi_video"]], PHI, equal_nan=True)
    assert np.array_equal(values.phi, PHI, equal_nan=True)
    assert len(values) == len(frame) == 4


def test_the_lowest_are_those_with_the_smallest_contribution(values):
    assert values.lowest("audio", 2)["sample_id"].tolist() == ["d", "c"]
    assert values.lowest("video")["sample_id"].tolist() == ["a", "b", "d"]  # c has no video
    assert values.lowest("video", 0).empty
    with pytest.raises(ConfigError, match="no modality 'vidio'; did you mean 'video'"):
        values.lowest("vidio")


def test_words(values):
    assert repr(values) == "Values(4 samples, audio 0.875, video 0.5, accuracy 0.75)"
    summary = values.summary()
    assert summary.startswith("4 samples, accuracy 0.75")
    assert "d.mp4" in summary
    assert "audio + video" in summary
    assert "4 samples" in values._repr_html_()
    assert "<script" not in values._repr_html_()


def test_plots(values):
    figure = values.plot()
    assert [axis.get_title() for axis in figure.axes] == ["audio: mean 0.88", "video: mean 0.50"]
    assert values.plot("phi-per-class") is not figure
    assert values.plot("interactions").axes
    with pytest.raises(ConfigError, match="no kind 'interaction'; did you mean 'interactions'"):
        values.plot("interaction")


def test_a_file_and_a_page(values, tmp_path):
    path = values.save(tmp_path / "t.parquet")
    assert read_table(path).info == values.table.info
    again = Values.read(str(path))
    assert again.to_pandas().equals(values.to_pandas())
    assert (again.summary(), repr(again)) == (values.summary(), repr(values))
    page = values.html(str(tmp_path / "t.html")).read_text()
    assert "d.mp4" in page
    assert "owl" in page
    with pytest.raises(DataError, match="no such file"):
        Values.read(tmp_path / "u.parquet")


def test_without_names_and_files():
    found = Values(value_batches(predict, [BATCH], modalities=("audio", "video"), present="present"))
    frame = found.to_pandas()
    assert frame["label"].tolist() == [*"0121"]
    assert "source" not in frame
    assert found.sources is None
    assert found.ids == [*"0123"]


def test_sampled_values_have_errors():
    n = 13

    def votes(batch, mask):
        ones = (batch["votes"] * mask).sum(1)
        return torch.stack([torch.zeros_like(ones), ones], dim=1)

    generator = torch.Generator().manual_seed(0)
    batch = {"votes": torch.randn(3, n, generator=generator), "y": torch.ones(3, dtype=torch.int64)}
    names = [f"m{i}" for i in range(n)]
    found = Values(value_batches(votes, [batch], modalities=names, budget=40))
    frame = found.to_pandas()
    assert (frame[[f"stderr_{name}" for name in names]].to_numpy() > 0).all()
    with pytest.raises(ConfigError, match="no kind 'interactions'"):
        found.plot("interactions")
    assert "sampled, 40 coalitions a sample" in found.summary()


def test_several_labels_a_sample(tmp_path):
    batch = BATCH | {"label": torch.eye(3, dtype=torch.bool)[LABELS]}
    settings = {"task": "multilabel", "modalities": ("audio", "video"), "present": "present"}
    found = Values(value_batches(lambda batch, mask: predict(batch, mask) - 0.7, [batch], **settings))
    assert found.to_pandas()["label"].tolist() == [*"0121"]
    assert found.to_pandas()["prediction"].tolist()[2] == "2"
    found.html(tmp_path / "t.html")
    assert Values.read(found.save(tmp_path / "t.parquet")).to_pandas().equals(found.to_pandas())


def test_a_name_that_values_cannot_have_is_said(values, tmp_path):
    with pytest.raises(ConfigError, match=r"save: .*v\.csv: values are saved as \.parquet; to_pandas\(\) has them"):
        values.save(tmp_path / "v.csv")
    with pytest.raises(ConfigError, match=r"html: .* is a folder; name a file in it, such as .*values\.html"):
        values.html(tmp_path)
    assert list(tmp_path.iterdir()) == []
