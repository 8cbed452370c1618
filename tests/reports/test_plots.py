"""Plots show what they were given: colours, numbers, the line of the fair share, and nothing for what is missing."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_hex
from PIL import Image

from raymm.reports import plots

NAMES = ["audio", "rgb", "flow", "text", "depth", "lidar", "eeg"]


def history(names: list[str], epochs: int) -> list[dict]:
    alone = {f"val/accuracy_{name}": 0.3 for name in names}
    return [
        {"epoch": e, "metrics": {"train/loss": 1 / (e + 1), "val/accuracy": 0.5, "rows/epoch": 40.0, **alone}}
        for e in range(epochs)
    ]


def texts(figure) -> str:
    figure.canvas.draw()
    return " ".join(text.get_text() for text in figure.findobj(lambda a: hasattr(a, "get_text")))


def colour_of(axis, label: str) -> str:
    return next(to_hex(line.get_color()) for line in axis.lines if line.get_label() == label)


def test_a_modality_has_one_colour_in_every_plot():
    phi = np.tile([0.5, 1.5, 1.0], (8, 1))
    over = plots.phi_over_epochs(NAMES[:3], np.arange(2), phi[:2], 1.0).axes[0]
    curves = plots.learning_curves(NAMES[:3], history(NAMES[:3], 2)).axes[1]
    bars = plots.phi_distribution(NAMES[:3], phi, 1.0).axes
    for position, name in enumerate(NAMES[:3]):
        assert (
            colour_of(over, name)
            == colour_of(curves, f"{name} alone")
            == to_hex(bars[position].patches[0].get_facecolor())
        )
    assert len({colour_of(over, name) for name in NAMES[:3]}) == 3


@pytest.mark.parametrize("count", [3, 20, 40])
def test_lines_of_many_modalities_differ_and_their_legend_fits(count):
    names = [f"modality_{number}" for number in range(count)]
    drawn = {
        0: plots.phi_over_epochs(names, np.arange(2), np.ones((2, count)), 1.0),
        1: plots.learning_curves(names, history(names, 2)),
    }
    for at, figure in drawn.items():
        figure.canvas.draw()
        lines = [line for line in figure.axes[at].lines if line.get_label().startswith("modality_")]
        looks = {(to_hex(line.get_color()), line.get_linestyle()) for line in lines}
        assert (len(lines), len(looks)) == (count, min(count, 32))
        legend, size = figure.axes[at].get_legend().get_window_extent(), figure.bbox
        assert 0 <= legend.y0 < legend.y1 <= size.height
        assert legend.x1 <= size.width
        assert min(axis.get_window_extent().width for axis in figure.axes) > 1.2 * figure.dpi


@pytest.mark.parametrize("count", [1, 2, 4, 5, 7])
def test_the_distribution_has_a_panel_a_modality_with_shares_that_sum_to_all(count):
    phi = np.random.default_rng(0).normal(1, 0.5, (50, count))
    phi[:5, 0] = np.nan
    shown = [axis for axis in plots.phi_distribution(NAMES[:count], phi, 1.0).axes if axis.axison]
    assert [axis.get_title().split(":")[0] for axis in shown] == NAMES[:count]
    for axis in shown:
        assert sum(bar.get_height() for bar in axis.patches) == pytest.approx(100)
        assert axis.lines[0].get_xdata()[0] == 1.0


@pytest.mark.parametrize("fair_share", [1.0, 2.0])
def test_the_line_stands_at_the_fair_share_and_classes_are_coloured_around_it(fair_share):
    phi = np.array([[0.5, 1.5], [1.0, 0.2]])
    assert plots.phi_distribution(NAMES[:2], phi, fair_share).axes[0].lines[0].get_xdata()[0] == fair_share
    line = plots.phi_over_epochs(NAMES[:2], np.arange(2), phi, fair_share).axes[0].lines[-1]
    assert (line.get_label(), line.get_ydata()[0]) == ("fair share", fair_share)
    figure = plots.phi_per_class(NAMES[:2], ["cat", "dog"], phi, fair_share)
    low, high = figure.axes[0].images[0].get_clim()
    assert (low + high) / 2 == pytest.approx(fair_share)
    assert f"({fair_share:g}: fair share)" in texts(figure)


def test_without_a_fair_share_there_is_no_line_and_classes_are_coloured_around_0():
    phi = np.array([[0.05, 0.15], [0.1, -0.02]])
    panels = plots.phi_distribution(NAMES[:2], phi, None).axes
    assert not any(axis.lines or axis.get_legend() for axis in panels)
    assert sum(bar.get_height() > 0 for bar in panels[0].patches) == 2
    assert len(plots.phi_over_epochs(NAMES[:2], np.arange(2), phi, None).axes[0].lines) == 2
    figure = plots.phi_per_class(NAMES[:2], ["cat", "dog"], phi, None)
    assert figure.axes[0].images[0].get_clim() == pytest.approx((-0.15, 0.15))
    assert "fair share" not in texts(figure)


def test_a_modality_that_is_missing_everywhere_is_said_to_be():
    phi = np.array([[1.0, np.nan], [0.5, np.nan]])
    titles = [axis.get_title() for axis in plots.phi_distribution(["audio", "rgb"], phi, 1.0).axes]
    assert titles == ["audio: mean 0.75", "rgb: missing everywhere"]


def test_each_class_shows_its_mean_without_the_missing():
    mean = np.array([[0.75, 1.5], [2.0, np.nan]])
    shown = texts(plots.phi_per_class(["audio", "rgb"], ["cat", "dog"], mean, 1.0))
    for word in ("cat", "dog", "0.75", "1.50", "2.00", " - "):
        assert word in shown


def test_of_very_many_classes_those_are_shown_that_matter(tmp_path: Path):
    classes = [f"c{number}" for number in range(3000)]
    mean = np.ones((3000, 2))
    mean[::20, 1] = 0.5  # 150 classes whose modalities are apart
    mean[7] = np.nan
    figure = plots.phi_per_class(["audio", "rgb"], classes, mean, 1.0)
    named = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    assert len(named) == 200
    assert set(classes[::20]) < set(named)
    assert named == sorted(named, key=classes.index)
    assert figure.axes[0].get_title() == "200 of 3,000 classes: those whose modalities are furthest apart"
    plots.save(figure, tmp_path / "phi.png")
    with Image.open(tmp_path / "phi.png") as image:
        assert image.height < 10_000
    counts = np.arange(3000)[::-1]
    bars = plots.samples_per_class(classes, {"train": counts, "test": counts})
    assert [text.get_text() for text in bars.axes[0].get_yticklabels()] == classes[-200:]
    assert bars.axes[0].get_title() == "200 of 3,000 classes: those of fewest samples"


def test_curves_show_a_single_epoch_and_leave_out_what_was_not_measured():
    single = plots.learning_curves(["audio"], history(["audio"], 1))
    assert all(line.get_marker() != "None" for axis in single.axes for line in axis.lines)
    entries = history(["audio"], 3)
    del entries[1]["metrics"]["val/accuracy_audio"]
    line = next(x for x in plots.learning_curves(["audio"], entries).axes[1].lines if x.get_label() == "audio alone")
    assert np.isnan(line.get_ydata()).tolist() == [False, True, False]


@pytest.mark.parametrize(
    ("metrics", "label"),
    [
        ({"val/accuracy": 0.5}, "loss (nats)"),
        ({"val/accuracy": 0.5, "val/mae": 0.4}, "loss"),  # of a regression with `within`: label variances
        ({"val/mae": 0.4}, "loss"),
    ],
)
def test_a_loss_is_in_nats_where_the_task_has_it_in_nats(metrics, label):
    entries = [{"epoch": 0, "metrics": {"train/loss": 1.0, "val/loss": 1.1, "rows/epoch": 10, **metrics}}]
    assert plots.learning_curves([], entries).axes[0].get_ylabel() == label


def test_a_plot_is_saved_whole_and_without_leftovers(tmp_path: Path):
    figure = plots.phi_over_epochs(["audio"], np.arange(3), np.ones((3, 1)), 1.0)
    plots.save(figure, tmp_path / "plots" / "phi.png")
    assert (tmp_path / "plots" / "phi.png").read_bytes().startswith(b"\x89PNG")
    assert [path.name for path in (tmp_path / "plots").iterdir()] == ["phi.png"]


def test_names_are_drawn_letter_by_letter():
    """`$` would begin a formula, which need not be one."""
    phi = np.array([[0.5, 1.5]])
    figure = plots.phi_per_class(NAMES[:2], ["$\\frac$", "a_b", "5 $"], np.repeat(phi, 3, axis=0), 1.0)
    figure.canvas.draw()
    assert [text.get_text() for text in figure.axes[0].get_yticklabels()] == [r"\$\frac\$", "a_b", r"5 \$"]
    axis = plots.new_figure(2, 2).subplots()
    axis.plot([0], [0], label=plots.plain_text("_hidden"))
    assert len(axis.get_legend_handles_labels()[1]) == 1


@pytest.mark.filterwarnings("error")
def test_long_names_of_classes_leave_room_for_the_plot(tmp_path: Path):
    classes = ["short", "n" * 200, "a" * 100 + "b" * 100]
    drawn = {
        "phi": plots.phi_per_class(["m0"], classes, np.ones((3, 1)), 1.0),
        "confusion": plots.confusion_matrix(classes, np.eye(3, dtype=np.int64)),
        "samples": plots.samples_per_class(classes, {"train": np.ones(3, np.int64)}),
    }
    plots.save_all(drawn, tmp_path)
    for figure in drawn.values():
        assert "short" in texts(figure)
        assert f"{'a' * 16} ... {'b' * 16}" in texts(figure)
        assert figure.axes[0].get_window_extent().width > 50
