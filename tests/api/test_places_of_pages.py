"""Pages and reports do not go among the files of a run, a study, a sweep or a data set."""

import pytest
from click.testing import CliRunner

import raymm
from raymm.api.places_of_pages import refuse_page, refuse_report
from raymm.cli import cli
from raymm.errors import ConfigError

OWNERS = {
    "run.json": "a run",
    "study.yaml": "a study",
    "sweep.json": "a sweep",
    "manifest.json": "a data set or model",
}


@pytest.fixture(params=OWNERS)
def owner(request, tmp_path):
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / request.param).touch()
    return tmp_path / "own", f"is {OWNERS[request.param]} (it holds {request.param})"


def test_a_comparison_is_written_into_none_of_them(owner):
    folder, found = owner
    with pytest.raises(ConfigError) as caught:
        raymm.compare(["runs/a", "runs/b"], out=folder)
    assert str(caught.value) == f"compare: {folder} {found}; choose another folder, such as comparison"


@pytest.mark.parametrize("name", ["report.html", "new.html", "run.json"])
def test_a_page_of_others_is_written_into_none_of_them(owner, name, tmp_path):
    folder, found = owner
    for runs in (["runs/a"], ["runs/a", folder]):
        with pytest.raises(ConfigError) as caught:
            raymm.report(*runs, out=folder / name)
        assert str(caught.value).startswith(
            f"report: {folder} {found}; give a page in another folder, such as pages/{name}"
        )


def test_the_page_of_several_runs_replaces_that_of_the_current_folder_in_no_run(owner, monkeypatch):
    monkeypatch.chdir(owner[0])
    with pytest.raises(ConfigError, match=r"such as pages/report\.html"):
        raymm.report("../a", "../b")


def test_a_folder_may_hold_pages_of_its_own(owner):
    folder, _ = owner
    refuse_page("report", folder / "report.html", folder)
    refuse_page("report", folder / "summary" / "summary.html", folder)
    refuse_page("report", folder / "again.html", folder.parent / "." / "own")
    with pytest.raises(ConfigError, match=r"study.yaml is no name of a page there; give one of .html"):
        refuse_page("report", folder / "study.yaml", folder)


@pytest.mark.parametrize("part", ["report", "summary", "result", "plots"])
def test_what_belongs_to_one_of_them_is_its_own(owner, part):
    folder, _ = owner
    with pytest.raises(ConfigError, match="belongs to a"):
        refuse_report("compare", folder / part)
    refuse_report("compare", folder / "mine")
    refuse_report("compare", folder.parent / part)


def test_an_earlier_report_is_written_again(tmp_path):
    for name in ("report.md", "report.html", "runs.csv", "comparisons.csv"):
        (tmp_path / name).touch()
    refuse_report("compare", tmp_path)
    refuse_page("report", tmp_path / "report.html")


@pytest.mark.parametrize(("option", "name"), [("--html", "values.html"), ("--report", "")])
def test_raymm_value_says_so_before_anything_is_valued(owner, option, name):
    folder, found = owner
    given = ["--data", "DATA", "--checkpoint", "runs/a", "--out", "a.parquet"]
    caught = CliRunner().invoke(cli, ["value", *given, option, str(folder / name)])
    assert f"{option}: {folder} {found}; " in f"{caught.exception} {caught.output}"
