"""Pages escape what users write, show it as it was, and load nothing from elsewhere."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from jinja2 import UndefinedError

import raymm
from raymm.reports.html import render
from raymm.reports.pages.answer import answer_of
from raymm.reports.pages.online import online_sentence
from raymm.reports.pages.words import decimal, plus_minus, range_words
from raymm.reports.run_page import write_run_page
from raymm.reports.run_pages import record_pages
from raymm.reports.run_tracking import record_findings
from raymm.reports.statistics import Interval
from raymm.reports.valuation_page import Column, _pattern_names, write_valuation_page
from raymm.storage import layout
from raymm.sweep.page import Part, write_sweep_page
from raymm.tracking import MemoryTracker
from raymm.training.loop import Backends, train
from raymm.training.run import create_or_open
from raymm.valuation import read_table
from tests.games import settings

SAMPLES = 90

EVIL = "</script><script>alert('1') & \"2\"</script>"


class Page(HTMLParser):
    """The elements and the texts of a page, as a browser would find them."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags, self.texts, self.scripts, self.addresses = [], [], [], []
        self.feed(path.read_text())
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.addresses += [value for name, value in attributes if name in {"src", "href"}]

    def handle_data(self, data):
        if data.strip():
            (self.scripts if self.tags[-1] == "script" else self.texts).append(data.strip())


@pytest.fixture(scope="module")
def trained(tmp_path_factory, dataset):
    run = create_or_open(tmp_path_factory.mktemp("run") / "<script>alert(1)", settings(), dataset)
    return run, train(run, dataset, Backends())


def test_the_page_of_a_run(trained, dataset):
    run, result = trained
    page = Page(write_run_page(run, result, dataset, []))
    assert page.texts.count("<script>alert(1)") == 2  # title and head
    assert page.tags.count("script") == 2  # those of the package
    titles = {"Mean contribution of each modality", "Contributions over the epochs", "Accuracy over the epochs"}
    assert titles <= set(page.texts)
    assert all(address.startswith(("#", "data:")) for address in page.addresses)
    assert f"{result.metrics['test/accuracy']:.4f}" in page.texts
    assert any(
        f"Epoch {result.best_epoch + 1} of 4 was picked on validation (accuracy)" in text for text in page.texts
    )


def test_charts_say_their_numbers_in_words_and_count_epochs_from_1(trained, dataset):
    run, result = trained
    said = " ".join(
        re.findall(r'role="img" aria-label="([^"]*)"', write_run_page(run, result, dataset, []).read_text())
    )
    last = result.history[-1]["metrics"]["phi/val_m0"]
    assert re.search(rf"m0 from [0-9.]+ in epoch 1 to {decimal(last)} in epoch 4, highest", said)
    assert f"m1 {result.metrics['phi/test_m1']:.2f} ±" in said


def test_a_page_without_its_data_set_says_so(trained):
    page = Page(write_run_page(*trained, None))
    assert "The data set of this run is not here, so that failure signatures were not looked for." in page.texts
    assert "Try next" not in page.texts


def test_the_answer_says_which_modality_no_training_sample_has_where_the_data_set_is_here(trained):
    run, _ = trained
    answer = answer_of(run, SimpleNamespace(untrained=("m1",)))
    assert "m1 was never trained" in answer.headline
    assert "never trained" not in answer_of(run).headline


def test_a_finished_run_records_its_pages_and_the_lowest_samples_of_what_its_model_reads(tmp_path, dataset, caplog):
    config = settings(training={"epochs": 2}, method={"name": "alone", "settings": {"modality": "m1"}})
    run, tracker = create_or_open(tmp_path / "run", config, dataset), MemoryTracker()
    record_pages(tracker, run, train(run, dataset, Backends()), dataset, [])
    assert not [record for record in caplog.records if "not recorded" in record.message]
    found = [(path.relative_to(run.path).as_posix(), folder) for path, folder in tracker.artifacts]
    assert found == [("report.html", ""), ("valuation.html", ""), ("samples/lowest-m1.json", "samples")]
    rows = json.loads(Page(run.path / "valuation.html").scripts[0])
    places = {column["name"]: at for at, column in enumerate(rows["columns"])}
    assert {row[places["phi m0"]] for row in rows["rows"]} == {None}
    assert None not in {row[places["phi m1"]] for row in rows["rows"]}


def test_the_page_that_is_recorded_is_that_of_the_report(tmp_path, dataset):
    run, tracker = create_or_open(tmp_path / "run", settings(training={"epochs": 2}), dataset), MemoryTracker()
    result = train(run, dataset, Backends())
    record_pages(tracker, run, result, dataset, record_findings(tracker, run, result, dataset))
    assert (run.path / "report.html", "") in tracker.artifacts
    recorded = (run.path / "report.html").read_text()
    assert "Try next" in Page(run.path / "report.html").texts
    assert raymm.report(run.path).page.read_text() == recorded


def test_the_page_of_a_valuation(trained, dataset, tmp_path):
    table = read_table(layout.valuation_file(layout.result_folder(trained[0].path), "test"))
    evil = replace(table, sample_id=np.array([EVIL, *table.sample_id[1:]]))
    classes = (EVIL, *dataset.schema.classes[1:])
    write_valuation_page(tmp_path / "v.html", evil, classes)
    page = Page(tmp_path / "v.html")
    assert page.tags.count("script") == 2
    assert page.addresses == []
    assert EVIL in page.texts  # an option of the filter of classes
    rows = json.loads(page.scripts[0])["rows"]
    assert EVIL in {row[0] for row in rows}
    assert {row[1] for row in rows} <= set(classes)


def test_the_page_of_a_sweep(tmp_path):
    parts = [
        Part("Sweep", EVIL, ["trial", EVIL], [["0", EVIL]]),
        Part("Failed", "", ["trial", "cause"], [["1", f"ConfigError: /data/{EVIL}: no such file"]]),
    ]
    page = Page(write_sweep_page(tmp_path / "s.html", parts, []))
    assert "script" not in page.tags
    assert page.texts.count(EVIL) == 3
    assert f"ConfigError: /data/{EVIL}: no such file" in page.texts
    assert [page.tags.count(tag) for tag in ("h1", "h2", "table", "th", "td")] == [1, 1, 2, 4, 4]


def test_a_value_that_is_not_given_is_an_error_and_not_a_blank():
    with pytest.raises(UndefinedError, match="'about' is undefined"):
        render("run.html", title="t", headline="h")


def test_patterns_are_named_after_the_modalities():
    assert "second_eye carries" in _pattern_names("second_eye", "first_eye").tolist()
    assert "first_eye carries" in _pattern_names("second_eye", "first_eye").tolist()


def test_a_column_without_choices_has_no_filter():
    columns = [Column("plain <b>", "text", None), Column("kind", "choice", None, [("<i>", "<i>")])]
    values = {"title": "t", "summary": "", "left_out": 0, "data": {}, "gallery": None}
    text = render("valuation.html", columns=columns, **values)
    assert text.count("<select") == 1
    assert 'name="c1"' in text
    assert "plain &lt;b&gt;" in text
    assert '<option value="&lt;i&gt;">&lt;i&gt;</option>' in text


def test_of_a_modality_that_the_model_does_not_read_no_number_is_told(tmp_path, dataset):
    config = settings(model={"modalities": ["m0"]}, training={"epochs": 2})
    run = create_or_open(tmp_path / "run", config, dataset)
    page = write_run_page(run, train(run, dataset, Backends()), dataset).read_text()
    assert "m1 is not read by this model." in page
    assert not re.search(r'data-in="[^"]*\b1,(lowest|surprising)', page)  # in no list of the gallery
    bars = re.findall(r'<tr><th scope="row">m1<td>([^<]*)<td>', page)
    assert bars
    assert set(bars) == {"missing"}
    classes = page.partition("By class, the least often found first.")[2].partition("</table>")[0]
    assert classes.count('<td class="number">-</td>\n</tr>') == len(dataset.schema.classes)  # phi m1 of each


@pytest.fixture(scope="module")
def online(tmp_path_factory, dataset):
    """A run whose contributions of training samples came from the training pass."""
    config = settings(valuation={"source": "online"}, training={"epochs": 2})
    run = create_or_open(tmp_path_factory.mktemp("online") / "run", config, dataset)
    return run, train(run, dataset, Backends())


def test_how_far_contributions_of_the_training_pass_are_is_said(online, dataset):
    run, result = online
    saved = json.loads((run.path / "result" / "result.json").read_text())["metrics"]
    gaps = {name: saved[f"online/gap_{name}"] for name in dataset.schema.names}
    assert all(gap > 0 for gap in gaps.values())
    said = " and ".join(f"{decimal(gap)} for {name}" for name, gap in gaps.items())
    page = write_run_page(run, result, dataset, []).read_text()
    sentence = page.partition("samples came from the training pass (")[2].partition("</p>")[0]
    assert sentence.startswith("<code>valuation.source=online</code>)")
    assert f"by the weights after it: {said}, on average over" in sentence
    assert "512 training samples, where the fair share is 1." in sentence


def test_nothing_is_said_of_the_training_pass_where_all_is_valued_by_a_pass(trained, dataset):
    assert "came from the training pass" not in write_run_page(*trained, dataset, []).read_text()


def test_only_modalities_that_were_valued_in_the_training_pass_are_told():
    metrics = {"online/gap_a": 0.25, "online/gap_c": 0.5, "phi/test_b": 1.0}
    said = online_sentence(metrics, ["a", "b"], None)
    assert "by the weights after it: 0.25 for a, on average over at most 512 training samples. By" in said
    assert online_sentence(metrics, ["b"], None) == ""


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (decimal(4e-6), "4e-06"),
        (decimal(-4.21e-6, signed=True), "-4.2e-06"),
        (decimal(4.21e-4, 3), "0.00042"),
        (decimal(4e-6, signed=True), "+4e-06"),
        (decimal(0.0), "0.00"),
        (decimal(1e-16), "0.00"),
        (decimal(2e-5, 3, beside=[0.4, 2e-5]), "0.000"),
        (plus_minus(Interval(4e-6, 1e-6, 10)), "4e-06 ± 1e-06"),
        (plus_minus(Interval(2e-5, 0.03, 10), signed=True), "0.00 ± 0.03"),
        (plus_minus(Interval(0.31, 2e-5, 10)), "0.31 ± 0.00"),
        (plus_minus(Interval(4e-6, float("nan"), 1)), "4e-06"),
        (range_words(2e-6, 4e-6), "2e-06 to 4e-06"),
        (range_words(2e-5, 0.03), "0.00 to 0.03"),
    ],
)
def test_small_numbers_are_not_shown_as_0_where_nothing_beside_them_is_larger(text, shown):
    assert text == shown
