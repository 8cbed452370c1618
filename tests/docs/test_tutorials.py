"""Tutorials run as notebooks; what their pages show came from the code that stands there."""

import sys
from pathlib import Path

import nbformat
import pytest
import ray
from nbclient.exceptions import CellExecutionError

from tests.docs.notebooks import TUTORIALS, Page, execute, notebook_of, with_outputs

NAMES = sorted(path.stem for path in TUTORIALS.glob("*.md"))
RAY = {"a_sweep_on_a_cluster"}
LONG = RAY | {"a_fair_study", "fix_a_starved_modality"}


def marked(name):
    marks = [("slow", NAMES), ("ray", RAY), ("long", LONG)]
    return pytest.param(name, marks=[getattr(pytest.mark, mark) for mark, names in marks if name in names])


@pytest.mark.parametrize("name", [marked(name) for name in NAMES])
def test_a_tutorial_runs_and_prints_and_draws_where_its_page_says(name, tmp_path, request, monkeypatch):
    if name in RAY:
        request.getfixturevalue("ray_local")
        monkeypatch.setenv("RAY_ADDRESS", ray.get_runtime_context().gcs_address)  # not another for each call
    page = Page.named(name)
    outputs = execute(page, tmp_path)
    assert [(bool(text), len(pictures)) for text, pictures in outputs] == page.kinds


@pytest.mark.parametrize("name", NAMES)
def test_the_outputs_on_a_page_are_of_its_code(name):
    page = Page.named(name)
    assert page.written_digest == page.digest, f"run `python -m tests.docs.notebooks {name}`"


@pytest.mark.parametrize("name", NAMES)
def test_a_page_has_no_path_of_a_machine_and_says_what_its_pictures_show(name):
    text = Page.named(name).text
    assert [path for path in (sys.prefix, str(Path.home()), str(TUTORIALS.parents[1])) if path in text] == []
    assert "What the cell draws" not in text
    pictures = {path.name for path in TUTORIALS.glob(f"images/{name}-*.png")}
    assert all(f"](images/{picture})" in text for picture in pictures)
    assert sum(text.count(f"](images/{picture})") for picture in pictures) == text.count("\n![")


TEXT = """# A page

```python
x = 2
x + 1
```

```text
old
```

Words.

```python
print(x)
```

```python
y = x
```

```bash
raymm report RUN
```
"""


def test_a_page_becomes_a_notebook_and_its_outputs_a_page(tmp_path):
    page = Page("a", TEXT)
    notebook = notebook_of(page)
    nbformat.validate(notebook)
    assert [cell.cell_type for cell in notebook.cells] == ["markdown", "code", "markdown", "code", "code", "markdown"]
    assert "old" not in nbformat.writes(notebook)
    outputs = execute(page, tmp_path)
    assert outputs == [("3", []), ("2", []), ("", [])]
    text, pictures = with_outputs(page, outputs)
    assert pictures == {}
    again = Page("a", text)
    assert again.kinds == [(True, 0), (True, 0), (False, 0)]
    assert again.written_digest == again.digest == page.digest
    assert page.written_digest == ""
    assert with_outputs(again, outputs)[0] == text.replace("old", "3")
    assert again.text.endswith(f"raymm report RUN\n```\n\n<!-- outputs of {page.digest} -->\n")


@pytest.mark.parametrize("name", NAMES)
def test_the_site_offers_a_tutorial_as_a_notebook(name, monkeypatch):
    monkeypatch.syspath_prepend(TUTORIALS.parent)
    from sphinx_parts.notebooks import offered

    page = Page.named(name)
    assert f'<a href="{name}.ipynb" download>' in offered(name, page.text).split("\n## ")[0]
    notebook = notebook_of(page)
    nbformat.validate(notebook)
    assert [cell.source + "\n" for cell in notebook.cells if cell.cell_type == "code"] == page.cells


def test_a_picture_keeps_its_words_and_other_code_has_another_digest():
    page = Page("a", "```python\nplot()\n```\n\n![A line](images/a-1.png)\n")
    text, pictures = with_outputs(page, [("", [b"png"])])
    assert "![A line](images/a-1.png)" in text
    assert pictures == {"a-1.png": b"png"}
    assert Page("a", text.replace("plot()", "plot(2)")).digest != page.digest


def test_a_wrong_statement_fails_a_page(tmp_path):
    with pytest.raises(CellExecutionError, match="two is three"):
        execute(Page("a", '```python\nassert 2 == 3, "two is three"\n```\n'), tmp_path)
