"""What people see of a valuation: means with intervals, stability, page, report, and a file that grows in parts."""

import doctest
import json
import re
from dataclasses import replace
from itertools import combinations
from math import factorial

import numpy as np
import pytest
import torch
from scipy import stats

from raymm.data import View
from raymm.errors import ConfigError, DataError
from raymm.models.model import build_model
from raymm.models.valued import with_masking
from raymm.reports import statistics, tables
from raymm.reports.statistics import mean_of
from raymm.reports.valuation_page import write_valuation_page
from raymm.reports.valuation_report import valuation_figures, write_valuation_report
from raymm.reports.valuation_stability import stability, stability_lines
from raymm.reports.valuation_summary import PATTERN_HEADS, summarise, summary_lines
from raymm.valuation import banzhaf_values, interactions, join_tables, outcome_means, read_table
from raymm.valuation.engine import stream_rows, value_rows
from raymm.valuation.jobs import Valuing, value_to_file
from raymm.valuation.outcome_means import mean_interactions
from raymm.valuation.patterns import PATTERNS
from tests.games import settings
from tests.limits import within_limits
from tests.reports.tables import random_table, rows_of


def make_job(dataset, seed=0, **valuation):
    config = settings(valuation={"batch_size": 4, **valuation})
    model = build_model(dataset.schema, config.model, seed)
    return Valuing(model, View(dataset, config.view), dataset.rows("train"), config)


@pytest.fixture(scope="module")
def table(dataset):
    job = make_job(dataset)
    return value_rows(job.model, job.view, job.rows, job.config)


def test_means_have_student_intervals_and_leave_missing_out():
    phi = np.array([0.5, 1.5, np.nan, -0.5])
    mean = mean_of(phi, "all", "audio", 1.0)
    low, high = stats.t.interval(0.95, 2, loc=0.5, scale=stats.sem([0.5, 1.5, -0.5]))
    assert (mean.count, mean.mean) == (3, 0.5)
    assert mean.margin == pytest.approx((high - low) / 2)
    assert (mean.low, mean.negative) == pytest.approx((2 / 3, 1 / 3))
    assert mean_of(phi[2:3], "all", "audio", 1.0).count == 0


def valued_by(dataset, utility):
    job = make_job(dataset, utility=utility)
    return value_rows(job.model, job.view, job.rows, job.config)


def page_data(table, classes, path):
    write_valuation_page(path, table, classes)
    text = path.read_text()
    return text, json.loads(re.search(r'id="data">(.*?)</script>', text, re.DOTALL).group(1))


def test_below_is_below_the_fair_share_of_a_utility_of_ones_own(dataset, table, tmp_path):
    double = valued_by(dataset, "tests.games:DOUBLE")
    assert np.array_equal(double.phi, 2 * table.phi)
    assert not np.array_equal(double.phi < 1, table.phi < 1)
    summaries = summarise(double), summarise(table)
    assert [summary["fair_share"] for summary in summaries] == [2.0, 1.0]
    for name, position in (("m0", 0), ("m1", 1)):
        assert {summary["modalities"][name]["low"] for summary in summaries} == {(table.phi[:, position] < 1).mean()}
    assert any("phi < 2" in line for line in summary_lines(summaries[0]))
    assert any("phi < 1" in line for line in summary_lines(summaries[1]))
    text, data = page_data(double, dataset.schema.classes, tmp_path / "t.html")
    assert data["fairShare"] == 2.0
    assert "below 2</option>" in text
    assert "2 or more</option>" in text
    write_valuation_report(tmp_path / "r", double, dataset.schema.classes, "Title", "c")
    assert "| phi < 2 |" in (tmp_path / "r" / "README.md").read_text()
    assert all(row["flips"] == 0 for row in stability({"a": table, "b": double}))


@pytest.mark.parametrize("utility", ["probability", "tests.games:HALF", "not.installed:HERE"])
def test_without_a_fair_share_nothing_is_below_it(dataset, table, tmp_path, utility):
    """Also of a table whose utility is not there where the table is read."""
    soft = replace(table, info=replace(table.info, utility=utility))
    summary = summarise(soft)
    assert summary["fair_share"] is None
    assert summary["modalities"]["m0"]["low"] is None
    assert summary["modalities"]["m0"]["negative"] is not None
    lines = summary_lines(summary)
    assert "No fair share is known of this utility, so the column 'below' is empty." in lines
    assert any("below" in line and "phi < 0" in line for line in lines)
    assert not any("phi < 1" in line for line in lines)
    text, data = page_data(soft, dataset.schema.classes, tmp_path / "t.html")
    assert data["fairShare"] is None
    assert "or more</option>" not in text
    assert "below 0</option>" in text
    write_valuation_report(tmp_path / "r", soft, dataset.schema.classes, "Title", "c")
    assert "No fair share is known of this utility" in (tmp_path / "r" / "README.md").read_text()
    rows = stability({"a": soft, "b": soft})
    assert [row["flips"] for row in rows] == [None, None]
    assert (
        stability_lines(rows)[-1] == "No fair share is known of a utility: flips, changes of sides of it, are empty."
    )
    assert "No fair share" not in "".join(stability_lines(stability({"a": table, "b": table})))


def test_means_by_class_are_those_of_a_mask_each(table, dataset, tmp_path):
    classes = dataset.schema.classes
    write_valuation_report(tmp_path / "r", table, classes, "Title", "c")
    lines = (tmp_path / "r" / "README.md").read_text().splitlines()
    for number, name in enumerate(classes):
        means = [mean_of(column, name, "", 1.0) for column in table.phi[table.label == number].T]
        cells = [f"{mean.mean:.2f} ± {mean.margin:.2f}" for mean in means]
        assert f"| {name} | {' | '.join(cells)} |" in lines


def class_rows(table, tmp_path):
    write_valuation_report(tmp_path / "r", table, table.info.class_names, "Title", "c")
    text = (tmp_path / "r" / "README.md").read_text()
    section = text.split("## Mean phi by class")[1].split("##")[0].split("![")[0]
    return [line for line in section.splitlines() if line.startswith("| ")][1:], section.splitlines()


def test_a_class_without_samples_or_margin_has_no_nan_and_zero_has_no_sign(tmp_path):
    found = random_table(5, ("audio", "rgb"), classes=4, missing=0.0)
    phi = np.array([[-1e-9, 1.0], [1e-9, 1.0], [-1e-9, 1.0], [-0.5, 0.25], [np.nan, 0.5]])
    rows, _ = class_rows(replace(found, label=np.array([0, 0, 0, 1, 2]), phi=phi), tmp_path)
    assert rows == [
        "| class 0 | 0.00 ± 0.00 | 1.00 ± 0.00 |",
        "| class 1 | -0.50 | 0.25 |",
        "| class 2 | - | 0.50 |",
        "| class 3 | - | - |",
    ]


def test_of_very_many_classes_the_report_has_those_of_the_plot(tmp_path):
    found = random_table(3000, ("audio", "rgb"), classes=1000)
    rows, lines = class_rows(found, tmp_path)
    figure = valuation_figures(found, found.info.class_names)["phi-per-class"]
    assert [row.split(" | ")[0][2:] for row in rows] == [text.get_text() for text in figure.axes[0].get_yticklabels()]
    assert len(rows) == 200
    assert "800 more classes are left out, whose modalities are less far apart." in lines


def test_stability_of_a_table_with_itself_is_whole_and_of_another_is_not(table, dataset):
    other = make_job(dataset, seed=1)
    changed = value_rows(other.model, other.view, other.rows, other.config)
    shuffled = join_tables([table])
    order = np.random.default_rng(0).permutation(len(table))
    shuffled = replace(shuffled, sample_id=table.sample_id[order], phi=table.phi[order])
    rows = stability({"a": table, "b": shuffled})
    assert all(row["flips"] == 0 and row["largest"] == 0 for row in rows)
    assert any(row["largest"] > 0 for row in stability({"a": table, "c": changed}))
    assert all(len(line) <= 80 for line in stability_lines(rows))
    with pytest.raises(DataError, match=r"'a' and 'd' are not of the same samples: 2 are in one of them only"):
        stability({"a": table, "d": replace(table, sample_id=np.array(["x", *table.sample_id[1:]]))})


def test_the_summary_has_patterns_and_fits_80_columns(table):
    summary = summarise(table)
    assert sum(summary["pairs"][0]["patterns"].values()) == pytest.approx(1.0)
    assert summary["modalities"]["m0"]["banzhaf"] is not None
    assert all(len(line) <= 80 for line in summary_lines(summary))


def test_the_page_holds_every_row_and_escapes_what_it_is_given(table, tmp_path):
    evil = replace(table, sample_id=np.array(["</script><script>alert(1)</script>", *table.sample_id[1:]]))
    write_valuation_page(tmp_path / "t.html", evil, ("<b>", *[str(i) for i in range(1, 10)]))
    text = (tmp_path / "t.html").read_text()
    data = re.search(r'id="data">(.*?)</script>', text, re.DOTALL)
    content = json.loads(data.group(1))
    assert len(content["rows"]) == len(table)
    assert [column["name"] for column in content["columns"]][-3:] == ["phi m0", "phi m1", "pattern"]
    assert any(row[0].startswith("</script>") for row in content["rows"])
    assert "<script>alert" not in text
    assert "http" not in text.replace("http://www.w3.org", "")


def test_samples_are_shown_with_their_files_and_classes(table, dataset, tmp_path):
    evil = "clips/</script><script>alert(1)</script>|2.mp4"
    files = {sample_id: f"clips/of-{sample_id}.mp4" for sample_id in table.sample_id.tolist()}
    named = replace(table, source=np.array([files[sample_id] for sample_id in table.sample_id.tolist()]))
    bare = replace(table, source=None, info=replace(table.info, class_names=()))
    classes = [f"class {number}" for number in range(len(dataset.schema.classes))]
    summary = summarise(named, classes)
    for position, figures in enumerate(summary["modalities"].values()):
        order = sorted(range(len(table)), key=lambda row: table.phi[row, position])[:5]
        assert figures["lowest"] == [
            {
                "sample_id": table.sample_id[row],
                "source": files[table.sample_id[row]],
                "label": f"class {table.label[row]}",
                "prediction": f"class {table.prediction[row]}",
                "phi": table.phi[row, position],
            }
            for row in order
            if table.phi[row, position] < 0
        ]
    lowest = next(figures["lowest"][0] for figures in summary["modalities"].values() if figures["lowest"])
    lines = "\n".join(summary_lines(summary))
    assert f" {lowest['sample_id']} " in lines
    assert f" {lowest['source'][-21:]} {lowest['label']} " in lines
    assert "clips/" not in "\n".join(summary_lines(summarise(bare, classes)))
    assert all(len(line) <= 80 for line in summary_lines(summary))
    by_number = summarise(bare)["modalities"]
    assert {row["label"] for figures in by_number.values() for row in figures["lowest"]} <= set("0123456789")
    _, data = page_data(replace(named, source=np.array([evil, *named.source[1:]])), classes, tmp_path / "t.html")
    assert [column["name"] for column in data["columns"]][:4] == ["sample", "file", "class", "predicted"]
    assert {row[0]: row[1] for row in data["rows"]} == {**files, table.sample_id[0]: evil}
    assert {row[0]: row[2] for row in data["rows"]} == {
        sample_id: f"class {label}" for sample_id, label in zip(table.sample_id, table.label, strict=True)
    }
    assert "<script>alert" not in (tmp_path / "t.html").read_text()
    _, data = page_data(bare, classes, tmp_path / "t.html")
    assert "file" not in {column["name"] for column in data["columns"]}
    odd = replace(named, source=np.char.add(named.source, "|x"))
    write_valuation_report(tmp_path / "r", odd, classes, "Title", "c")
    text = (tmp_path / "r" / "README.md").read_text()
    assert f" {lowest['phi']:+.2f} | {lowest['sample_id']} | {lowest['source']}\\|x | {lowest['label']} | " in text


def test_the_report_says_what_made_it(table, dataset, tmp_path):
    files = write_valuation_report(tmp_path / "r", table, dataset.schema.classes, "Title", "raymm value ...")
    text = (tmp_path / "r" / "README.md").read_text()
    assert all(path.stat().st_size > 0 for path in files)
    assert "Made by `raymm value ...`" in text
    assert "| m0 | m1 |" in text


def test_a_file_that_was_interrupted_goes_on_where_it_stopped(dataset, table, tmp_path, monkeypatch):
    for module in ("raymm.valuation.engine", "raymm.valuation.jobs"):
        monkeypatch.setattr(f"{module}.BATCHES_PER_BLOCK", 8)
    job, out, valued = make_job(dataset), tmp_path / "t.parquet", []

    def stream(*arguments):
        for shard, part in stream_rows(*arguments):
            valued.append(shard)
            yield shard, part

    def stop_after_two(shards, total):
        assert total == job.blocks > 3
        for count, item in enumerate(shards, start=1):
            yield item
            if count == 2:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        value_to_file(job, stream, out, stop_after_two)
    assert not out.exists()
    whole = value_to_file(job, stream, out, lambda shards, _: shards)
    assert sorted(valued) == list(range(job.blocks))
    assert np.array_equal(whole.phi, table.phi)
    assert read_table(out).sample_id.tolist() == table.sample_id.tolist()
    assert not out.with_name("t.parquet.parts").exists()


def test_parts_of_another_model_are_not_used(dataset, tmp_path, monkeypatch):
    for module in ("raymm.valuation.engine", "raymm.valuation.jobs"):
        monkeypatch.setattr(f"{module}.BATCHES_PER_BLOCK", 8)
    first, second, out = make_job(dataset), make_job(dataset, seed=1), tmp_path / "t.parquet"

    def one_shard(shards, total):
        yield next(shards)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        value_to_file(first, stream_rows, out, one_shard)
    whole = value_to_file(second, stream_rows, out, lambda shards, _: shards)
    expected = value_rows(second.model, second.view, second.rows, second.config)
    assert np.array_equal(whole.phi, expected.phi)
    assert whole.info.fingerprint == expected.info.fingerprint


def test_masking_by_the_mean_changes_what_a_masked_feature_is(dataset, table):
    job = with_masking(make_job(dataset), "mean", dataset)
    assert value_rows(job.model, job.view, job.rows, job.config).info.masking == "mean"
    batch = job.view.batch(dataset.rows("train"))
    assert np.allclose(job.model.baseline.numpy(), job.model.encode(batch).detach().numpy().mean(axis=0), atol=1e-4)
    with pytest.raises(ConfigError, match="trained with 'zeros'; zeros and mean can be put in its place"):
        with_masking(make_job(dataset), "learned", dataset)


def test_the_table_of_pairs_says_patterns_in_words_and_names_whole_where_they_fit():
    patterns = {name: number / 100 for number, name in enumerate(PATTERNS, 1)}
    pair = {"first": "audio", "second": "optical_flow", "patterns": patterns, "interaction": -0.5}
    summary = {
        "samples": 1,
        "accuracy": 1.0,
        "utility": "count",
        "fair_share": 1.0,
        "method": "exact",
        "budget": None,
    }
    lines = summary_lines({**summary, "modalities": {}, "pairs": [pair, {**pair, "first": "x" * 40}]})
    upper, lower, row, cut = lines[-4:]
    ends = [match.end() for match in re.finditer(r"\S+", lower)]
    heads = [
        (upper[:end].split(" ")[-1] + " " + lower[:end].split(" ")[-1]).replace("- ", "").strip() for end in ends
    ]
    assert heads == [*PATTERN_HEADS, "interaction"]
    assert row.startswith("audio + optical_flow ")
    assert cut.startswith("xxxxxxxx + optical_f ")
    values = dict(zip(heads, row[20:].split(), strict=True))
    assert values == {**{name: str(number) for number, name in enumerate(PATTERNS, 1)}, "interaction": "-0.50"}
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize("names", [("audio", "rgb"), ("audio", "rgb", "flow")])
@pytest.mark.parametrize("missing", [0.0, 0.4])
def test_an_interaction_is_the_mean_over_samples_that_have_both(names, missing):
    found = random_table(60, names, missing=missing, seed=3)
    right, present, n = found.correct().astype(int), ~np.isnan(found.phi), len(names)

    def of_sample(row, i, j):
        total = 0.0
        for members in (set(each) for size in range(n - 1) for each in combinations(set(range(n)) - {i, j}, size)):
            code = sum(1 << member for member in members)
            weight = factorial(len(members)) * factorial(n - len(members) - 2) / factorial(n - 1)
            ends = (code | 1 << i | 1 << j, code | 1 << i, code | 1 << j, code)
            both, first, second, none = (right[row, end] for end in ends)
            total += weight * (both - first - second + none)
        return total

    strength, pairs = mean_interactions(found), list(combinations(range(n), 2))
    expected = [
        np.mean([of_sample(row, i, j) for row in np.flatnonzero(present[:, i] & present[:, j])]) for i, j in pairs
    ]
    assert [strength[pair] for pair in pairs] == pytest.approx(expected)
    assert [pair["interaction"] for pair in summarise(found)["pairs"]] == pytest.approx(expected)
    drawn = {
        text.get_text() for text in valuation_figures(found, found.info.class_names)["interactions"].axes[0].texts
    }
    assert drawn == {f"{value:+.2f}" for value in expected}


def test_a_pair_that_no_sample_has_has_no_interaction():
    found = random_table(20, ("audio", "rgb", "flow"), missing=0.0)
    phi = found.phi.copy()
    phi[:10, 0], phi[10:, 1] = np.nan, np.nan
    apart = replace(found, phi=phi)
    assert np.isnan(mean_interactions(apart)[0, 1])
    drawn = [
        text.get_text() for text in valuation_figures(apart, apart.info.class_names)["interactions"].axes[0].texts
    ]
    assert drawn.count("-") == 2


def test_a_class_that_is_called_like_a_table_does_not_break_it(table, dataset, tmp_path):
    classes = ["a|b\nc", *dataset.schema.classes[1:]]
    write_valuation_report(tmp_path / "r", table, classes, "Title", "c")
    assert "| a\\|b c | " in (tmp_path / "r" / "README.md").read_text()
    write_valuation_report(tmp_path / "r", table, ["<i>`a`&lt;</i>", *classes[1:]], "Title", "c")
    text = (tmp_path / "r" / "README.md").read_text()
    assert "| &lt;i>\\`a\\`&amp;lt;&lt;/i> | " in text
    assert "<i>" not in text


def test_examples_of_the_reports_hold():
    for module in (statistics, tables):
        failed, tried = doctest.testmod(module)
        assert (failed, tried > 0) == (0, True), module


@pytest.mark.parametrize(("coalitions", "outcomes"), [(8, 8), (8, 56), (16, 2**21), (2**12, 2**21)])
@pytest.mark.parametrize("n", [1, 2, 5])
def test_figures_of_pieces_are_those_of_the_whole_table(n, coalitions, outcomes, monkeypatch):
    found = random_table(50, [f"m{number}" for number in range(n)], missing=0.3)
    values, has = torch.from_numpy(found.correct()).long(), ~np.isnan(found.phi)
    both = has[:, :, None] & has[:, None, :] & ~np.eye(n, dtype=bool)
    monkeypatch.setattr(outcome_means, "MOST_COALITIONS", coalitions)
    monkeypatch.setattr(outcome_means, "MOST_OUTCOMES", outcomes)
    expected = [banzhaf_values(values).numpy()[has[:, at], at].mean() for at in range(n)]
    assert [row["banzhaf"] for row in summarise(found)["modalities"].values()] == pytest.approx(expected, rel=1e-12)
    expected = np.where(both, interactions(values).numpy(), 0).sum(axis=0) / np.maximum(both.sum(axis=0), 1)
    np.testing.assert_allclose(mean_interactions(found), expected, rtol=0, atol=1e-14)


def test_outcomes_of_many_modalities_are_unpacked_a_piece_at_a_time():
    few = random_table(50, [f"m{number}" for number in range(12)])
    found = rows_of(few, np.arange(25_000) % 50)
    with within_limits():
        pairs = summarise(found)["pairs"]
    assert [pair["interaction"] for pair in pairs] == pytest.approx(
        [x["interaction"] for x in summarise(few)["pairs"]]
    )
