"""Every snippet of the docs is run, or at least understood: nothing in them is only for show.

Python is executed, page by page in order, in a folder with a small collection under the names that the docs use. A
block that begins with `# NAME.py` is also that file. Calls of raymm are parsed, and run in this process on that
collection where they can be; what cannot is listed below with the reason.
"""

import re
import shutil
import subprocess
import sys
import tomllib

import pytest
import torch
import yaml

from raymm.cli import main
from raymm.cli.demo_clips import write_collection
from raymm.config.loading import load
from raymm.config.registries import KINDS
from raymm.data import Batch, Schema
from raymm.valuation import check_model
from tests.docs.checks import ROOT, check, raymm_words
from tests.docs.snippets import Command, commands_of, pages_of, snippets_of
from tests.guests import guest
from tests.models.test_model import INPUTS, MORE, SCHEMA

PAGES = {path.relative_to(ROOT).as_posix(): path for path in pages_of(ROOT)}
SNIPPETS = [snippet for name, path in PAGES.items() for snippet in snippets_of(name, path.read_text())]
SHELL = [snippet for snippet in SNIPPETS if snippet.language in {"bash", "console"}]
COMMANDS = [
    command
    for snippet in SHELL
    for command in commands_of(snippet.text, snippet.where, console=snippet.language == "console")
]

ONLY_PARSED = {
    "demo": "starts Ray; .ci/run runs it",
    "sweep": "starts Ray Tune; tests/cli/test_sweep.py runs it",
    "study": "takes minutes; tests/cli/test_study_oracle.py runs it",
    "compare": "compares runs of two methods; tests/study/test_compare.py runs it",
    "ui": "serves until Ctrl-C",
}
"""Verbs that are not run here, and why."""

ONLY_PARSED_PAGES = {
    "docs/first_steps.md": "tests/docs/test_first_steps.py runs it",
    "docs/report.md": "its runs are trained by tests/reports/test_pages_in_a_browser.py, which reports on them",
    "docs/results/": "the data of published results is not part of the checkout",
}

ELSEWHERE = ("/mnt/", "s3://")
"""Paths on a cluster: a command that names one is parsed and not run."""

SMALL = {
    "prepare": ("--backend", "local"),
    "train": ("--backend=local", "training.epochs=2", "resampling.warmup=1", "training.threads=1"),
    "value": ("--backend", "local"),
}
"""What is added to a call so that it runs here in seconds."""

EXIT_CODES = {"doctor": {0, 1}}
"""`raymm doctor` says with 1 that something is wrong with a machine, such as a full disk."""


def call(words):
    with pytest.raises(SystemExit) as ended:
        main([*words, *SMALL.get(words[0], ())])
    return ended.value.code


@pytest.fixture(scope="session")
def collection(tmp_path_factory):
    """Clips, their manifest, the data set that README's command makes, and a trained model."""
    folder = tmp_path_factory.mktemp("docs")
    write_collection(folder, 60)
    out = {name: str(folder / name) for name in ("labels.csv", "clips", "DATA", "trained", "mlflow")}
    prepared = ["--manifest", out["labels.csv"], "--media-root", out["clips"], "--modalities", "audio,rgb,flow"]
    assert call(["prepare", *prepared, "--out", out["DATA"]]) == 0
    assert call(["train", "--data", out["DATA"], "--out", out["trained"], "--store", out["mlflow"]]) == 0
    return folder


@pytest.fixture
def folder(collection, tmp_path, monkeypatch):
    """A folder of its own for each page, and nothing of it left in this process."""
    for name in ("labels.csv", "clips", "DATA"):
        (tmp_path / name).symlink_to(collection / name)
    monkeypatch.chdir(tmp_path)
    with guest(tmp_path):
        yield tmp_path


def bring_best_model(collection, folder, namespace):
    """What `ray rsync-down` and `mlflow artifacts download` bring."""
    for name in ("best-model", "best-model/artifacts/model"):
        shutil.copytree(collection / "trained" / "result" / "model", folder / name)


def save_weights(collection, folder, namespace):
    """What training a custom model leaves."""
    from raymm.data import View, open_dataset

    dataset = open_dataset(folder / "DATA")
    model = namespace["Model"](dataset.schema)
    batch = View(dataset, load(None).view).batch(dataset.rows("test"))
    model.fuse(model.encode(batch), batch.mask)  # gives lazy layers their sizes
    torch.save(model.state_dict(), folder / "weights.pt")


BEFORE = {
    ("docs/cluster.md", "--checkpoint best-model "): bring_best_model,
    ("docs/valuation.md", "--model mymodel:load"): save_weights,
}
"""What must be there before a command that holds these words, and comes from where the docs do not run."""


def why_only_parsed(command):
    words = raymm_words(command)
    if words is None or words[0] in ONLY_PARSED:
        return ONLY_PARSED[words[0]] if words else "no call of raymm"
    reasons = [reason for page, reason in ONLY_PARSED_PAGES.items() if command.where.startswith(page)]
    if any(place in word for word in words for place in ELSEWHERE):
        reasons.append("names a path on a cluster")
    return next(iter(reasons), "")


def run(command, collection, folder, namespace):
    """Run a call of raymm, or a line of Python, where that is possible."""
    if command.words[:2] == ("python", "-c"):
        subprocess.run([sys.executable, *command.words[1:]], cwd=ROOT, check=True, capture_output=True, timeout=120)
    if why_only_parsed(command):
        return
    for (page, words), prepare in BEFORE.items():
        if command.where.startswith(f"{page}:") and words in f"{' '.join(command.words)} ":
            prepare(collection, folder, namespace)
    words = list(raymm_words(command))
    assert call(words) in EXIT_CODES.get(words[0], {0}), f"{command.where}: {' '.join(command.words)}"


def run_page(snippets, collection, folder):
    namespace = {}
    for snippet in snippets:
        if snippet.language == "python":
            if snippet.file:
                (folder / snippet.file).write_text(snippet.text)
            namespace["__name__"] = (
                snippet.file.removesuffix(".py") or "__main__"
            )  # as a plug-in it is imported again
            exec(compile("\n" * (snippet.line - 1) + snippet.text, snippet.page, "exec"), namespace)
        elif snippet.language in {"bash", "console"}:
            for command in commands_of(snippet.text, snippet.where, console=snippet.language == "console"):
                run(command, collection, folder, namespace)
        elif snippet.language == "yaml":
            assert isinstance(yaml.safe_load(snippet.text), dict | list), snippet.where


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: f"{command.where} {command.words[0]}")
def test_every_command_is_understood(command):
    check(command)


def run_here(page):
    """Tutorials run as notebooks, in tests/docs/test_tutorials.py."""
    return not page.startswith("docs/tutorials/")


@pytest.mark.slow
@pytest.mark.parametrize("page", sorted({snippet.page for snippet in SNIPPETS if run_here(snippet.page)}))
def test_every_page_runs_from_top_to_bottom(page, collection, folder):
    run_page([snippet for snippet in SNIPPETS if snippet.page == page], collection, folder)


def test_the_documented_model_reads_every_kind_of_modality():
    snippet = next(snippet for snippet in SNIPPETS if snippet.text.startswith("# mymodel.py"))
    namespace = {}
    exec(snippet.text, namespace)
    schema = Schema(modalities=(*SCHEMA.modalities, *MORE), classes=SCHEMA.classes)
    assert {spec.kind for spec in schema.modalities} == set(KINDS)
    generator = torch.Generator().manual_seed(0)
    mask = torch.rand(20, len(schema.names), generator=generator) < 0.5
    rows = {name: INPUTS[name](20, generator)[mask[:, i]] for i, name in enumerate(schema.names)}
    batch = Batch(inputs=rows, mask=mask, labels=torch.zeros(20, dtype=torch.int64), index=torch.arange(20))
    assert check_model(namespace["Model"](schema), batch, mask).compared == 20 * 2 ** len(schema.names)


def layers():
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    return next(contract["layers"] for contract in contracts if contract["type"] == "layers")


def test_the_folders_that_the_readme_draws_are_those_that_there_are():
    tree = next(snippet.text for snippet in SNIPPETS if snippet.text.startswith("raymm/\n"))
    names = [name for layer in layers() for name in layer.split(" | ")]
    packages = [name for name in names if (ROOT / "raymm" / name).is_dir()]
    assert sorted(re.findall(r"^.── (\w+)/", tree, re.MULTILINE)) == sorted(packages)


def test_the_layers_of_the_architecture_are_those_that_are_checked():
    assert any(snippet.text.split() == " > ".join(layers()).split() for snippet in SNIPPETS)


def test_there_is_something_to_run_and_no_reason_is_out_of_date():
    verbs = {words[0] for words in map(raymm_words, COMMANDS) if words}
    assert {"prepare", "train", "value", "report", "sweep"} <= verbs
    assert [verb for verb in ONLY_PARSED if verb not in verbs | {"demo"}] == []
    assert sum(not why_only_parsed(command) for command in COMMANDS) >= 10
    assert {snippet.language for snippet in SNIPPETS} >= {"python", "bash"}


def one(text, language="bash"):
    return snippets_of("page.md", f"Words.\n\n```{language}\n{text}\n```\n")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("raymm train --data D --oot R", "No such option"),
        ("raymm train --data D --out R training.epoch=3", "did you mean 'epochs'"),
        ("raymm trian --data D", "no verb 'trian'"),
        ("raymm sweep --data D --space tune_spaces/gone.py --out S", "no file tune_spaces/gone.py"),
        ("A=1 python -m raymm report", "Missing argument 'RUN...'"),
        ("make dome", "no target dome"),
        ("ray job submti -- ls", "has no command 'submti'"),
        ("ray job submit --working-dir . -- python -m raymm train --data D --oot R", "No such option"),
        ("ray exec cluster.yaml 'mlflow servre' > log", "has no command 'servre'"),
        ("ray up clutser.yaml", "no file clutser.yaml"),
        ("python -m raymn.x", "raymn"),
        ("echo hello | sponge", "no way to check this program"),
    ],
)
def test_a_mistake_in_a_command_is_found(text, words):
    (snippet,) = one(text)
    command = next(commands_of(snippet.text, snippet.where))
    with pytest.raises(AssertionError, match=r"^page\.md:4: ") as found:
        check(command)
    assert words in str(found.value)


def test_commands_are_taken_apart_as_a_shell_does():
    text = "A=b raymm ui > /dev/null 2>&1 &  # words\ndocker build - <<'EOF'\nFROM x\nEOF\n"
    text += "make a \\\n  b && ray up 'x y'"
    assert [command.words for command in commands_of(text, "p")] == [
        ("raymm", "ui"),
        ("docker", "build", "-"),
        ("make", "a", "b"),
        ("ray", "up", "x y"),
    ]
    assert list(commands_of("$ make demo\nwords of it", "p", console=True)) == [Command("p", ("make", "demo"))]


@pytest.mark.parametrize(
    ("page", "words"),
    [
        ("```rust\nfn main() {}\n```\n", "p.md:2: no way to check the language 'rust'"),
        ("```\nraymm train\n```\n", "p.md:2: a command in a block without a language"),
        ("```python\nx = 1\n", "p.md: a block is not closed"),
    ],
)
def test_a_block_that_nobody_would_check_is_refused(page, words):
    with pytest.raises(ValueError, match=words.replace(".", r"\.")):
        snippets_of("p.md", page)


@pytest.mark.parametrize(("text", "language"), [("1 / 0", "python"), ("a: [", "yaml"), ("raymm report gone", "bash")])
def test_a_snippet_that_fails_fails_its_page(tmp_path, text, language):
    with pytest.raises((ZeroDivisionError, yaml.YAMLError, AssertionError)):
        run_page(one(text, language), tmp_path, tmp_path)


def test_a_file_of_the_docs_can_be_imported_by_what_follows(folder, collection):
    text = "```python\n# made.py\nvalue = 3\n```\n\n```python\nimport made\n\nassert made.value == value == 3\n```\n"
    run_page(snippets_of("p.md", text), collection, folder)
