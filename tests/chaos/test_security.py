"""S1 to S8: code in files is not run, names stay inside, secrets stay secret, and SECURITY.md says what is so."""

import ast
import json
import os
import pickle
import re
import shutil
import socket
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
import yaml

from raymm.cli import main
from raymm.config.sections import EncoderConfig
from raymm.data import RgbSpec, open_dataset
from raymm.errors import RaymmError, TrackingError
from raymm.models.encoders import build_encoder
from raymm.models.export import load_model
from raymm.storage.directory import commit_directory, parse_manifest
from raymm.storage.layout import committed_epochs, epoch_folder
from raymm.tracking.base import check_folder
from raymm.tracking.mlflow import local_store
from raymm.tracking.mlflow.writer import MlflowClient
from raymm.training.checkpoint import load_latest
from raymm.training.loop import Backends, train
from raymm.training.run import open_run
from tests.chaos.bill import BILL, bill_of, packages
from tests.chaos.runs import ROOT, by_command, one_line, train_words
from tests.cli.calling import call

SAMPLES = 90
FORBIDDEN = {"pickle", "cloudpickle", "dill", "marshal", "shelve", "joblib"}


# S1: the code


def unsafe(source):
    """What a module does that could run code from data."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] in FORBIDDEN)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in FORBIDDEN:
            yield node.module
        elif isinstance(node, ast.Call):
            yield from unsafe_call(ast.unparse(node.func), {k.arg: ast.unparse(k.value) for k in node.keywords}, node)


def unsafe_call(name, named, node):
    if name in {"eval", "exec", "os.system", "os.popen"} or (name == "__import__"):
        yield name
    if name == "torch.load" and named.get("weights_only") != "True":
        yield "torch.load without weights_only=True"
    if name in {"yaml.load", "yaml.load_all"} and [ast.unparse(part) for part in node.args[1:]] != ["LOADER"]:
        yield name
    if name in {"yaml.unsafe_load", "yaml.full_load"}:
        yield name
    if named.get("allow_pickle", "False") != "False" or named.get("shell", "False") != "False":
        yield f"{name} of pickle or a shell"


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from cloudpickle import loads",
        "torch.load(f)",
        "torch.load(f, weights_only=False)",
        "yaml.load(t, yaml.Loader)",
        "eval('1')",
        "np.load(f, allow_pickle=True)",
        "subprocess.run('x', shell=True)",
    ],
)
def test_unsafe_code_is_found(source):
    assert list(unsafe(source))
    assert not list(unsafe("torch.load(f, weights_only=True)\nmodel.eval()\nnp.load(f, allow_pickle=False)"))


def test_S1_no_module_runs_code_from_data():
    from raymm.config.yaml_text import LOADER

    files = sorted((ROOT / "raymm").rglob("*.py"))
    assert len(files) > 100
    found = {str(file.relative_to(ROOT)): list(unsafe(file.read_text())) for file in files}
    assert {file: what for file, what in found.items() if what} == {}
    assert issubclass(LOADER, yaml.SafeLoader | yaml.CSafeLoader)


# S2: files that carry code


class Attack:
    """Unpickled, it leaves a file."""

    def __init__(self, canary):
        self.canary = canary

    def __reduce__(self):
        return os.mkdir, (str(self.canary),)


@pytest.fixture
def canary(tmp_path):
    return tmp_path / "canary"


def vectors(folder, file):
    """Samples each of which has a copy of the file: one file of two splits would be refused for that."""
    lines = []
    for number, split in enumerate(SPLITS):
        if (folder / file).exists():
            shutil.copy(folder / file, folder / f"{number}-{file}")
        lines.append(f"s{number},{split},c{number % 2},{number}-{file}\n")
    (folder / "m.csv").write_text("sample_id,split,label,v\n" + "".join(lines))
    return ["prepare", "--manifest", folder / "m.csv", "--media-root", folder, "--modalities", "v:vector"]


SPLITS = ["train"] * 4 + ["val"] * 2 + ["test"] * 2


def tagged_table(canary, name):
    """A table with a column of an extension type whose metadata is a pickle."""
    evil = pickle.dumps(Attack(canary))
    metadata = {b"ARROW:extension:name": name.encode(), b"ARROW:extension:metadata": evil}
    field = pa.field("v", pa.list_(pa.float32()), metadata=metadata)
    columns = [pa.array([f"s{n}" for n in range(8)]), pa.array(SPLITS), pa.array([f"c{n % 2}" for n in range(8)])]
    schema = pa.schema([("sample_id", pa.string()), ("split", pa.string()), ("label", pa.string()), field])
    return pa.table([*columns, pa.array([[float(n), 0.0] for n in range(8)], pa.list_(pa.float32()))], schema=schema)


def evil_array(folder, canary):
    np.save(folder / "v.npy", np.array([Attack(canary)], dtype=object), allow_pickle=True)
    return vectors(folder, "v.npy")


def evil_archive(folder, canary):
    np.savez(folder / "v.npz", v=np.array([Attack(canary)], dtype=object), allow_pickle=True)
    return vectors(folder, "v.npz")


def pickle_as(suffix):
    def make(folder, canary):
        (folder / f"v.{suffix}").write_bytes(pickle.dumps(Attack(canary)))
        return vectors(folder, f"v.{suffix}")

    return make


def torch_file(folder, canary):
    torch.save({"v": Attack(canary)}, folder / "v.pt")
    return vectors(folder, "v.pt")


def parquet_of(name):
    def make(folder, canary):
        pq.write_table(tagged_table(canary, name), folder / "m.parquet")
        return [word if word != folder / "m.csv" else folder / "m.parquet" for word in vectors(folder, "x")]

    return make


def arrow_of(name):
    def make(folder, canary):
        table = tagged_table(canary, name)
        with pa.ipc.new_file(folder / "m.arrow", table.schema) as writer:
            writer.write_table(table)
        return [word if word != folder / "m.csv" else folder / "m.arrow" for word in vectors(folder, "x")]

    return make


def config_of(tag):
    def make(folder, canary):
        (folder / "c.yaml").write_text(f"training:\n  epochs: {tag.format(canary)}\n")
        return [
            "train",
            "--config",
            folder / "c.yaml",
            "--data",
            "DATA",
            "--out",
            folder / "run",
            "--backend",
            "local",
        ]

    return make


EXTENSIONS = ["arrow.py_extension_type", "ray.data.arrow_tensor", "ray.data.arrow_pickled_object", "pandas.period"]
ATTACKS = {
    "npy": evil_array,
    "npz": evil_archive,
    "pickle_as_npy": pickle_as("npy"),
    "pkl": pickle_as("pkl"),
    "pt": torch_file,
    **{f"parquet_{name}": parquet_of(name) for name in EXTENSIONS},
    **{f"arrow_{name}": arrow_of(name) for name in EXTENSIONS},
    "yaml_apply": config_of("!!python/object/apply:os.mkdir ['{}']"),
    "yaml_new": config_of("!!python/object/new:os.mkdir ['{}']"),
    "yaml_name": config_of("!!python/name:os.mkdir {}"),
}


def test_an_attack_would_be_seen(canary):
    pickle.loads(pickle.dumps(Attack(canary)))
    assert canary.exists()


REFUSED = r"0-v\.(npy|npz|pkl|pt)|m\.(parquet|arrow)|c\.yaml"
"""The file is named: it was looked into."""


@pytest.mark.parametrize("attack", ATTACKS)
def test_S2_a_file_with_code_in_it(capfd, tmp_path, canary, dataset, attack):
    if "_ray.data" in attack:
        import ray.data  # noqa: F401  (registers these types; their metadata is then parsed while a schema is read)
    folder = tmp_path / "in"
    folder.mkdir()
    words = [dataset.path if word == "DATA" else word for word in ATTACKS[attack](folder, canary)]
    if words[0] == "prepare":
        words += ["--out", tmp_path / "out", "--backend", "local"]
    code, _, err = call(capfd, *words)
    assert not canary.exists()
    if code:
        assert code == 2
        assert re.search(REFUSED, one_line(err)), err
    else:  # numbers beside an extension's name are read as the numbers that they are
        assert attack.startswith(("parquet", "arrow"))
        assert len(open_dataset(tmp_path / "out").shards.sample_id) == len(SPLITS)
    assert not canary.exists()


@pytest.fixture(scope="module")
def trained(tmp_path_factory, dataset):
    folder = tmp_path_factory.mktemp("trained")
    MlflowClient(tracking_uri=local_store(folder / "mlflow")[0]).search_experiments()
    with pytest.raises(SystemExit) as ended:
        main(train_words(dataset.path, folder))
    assert ended.value.code == 0
    return folder


@pytest.mark.parametrize("kind", ["pickle", "torch"])
@pytest.mark.parametrize("name", ["model.safetensors", "optimizer.safetensors", "plan.safetensors"])
def test_S2_weights_that_carry_code(tmp_path, canary, trained, name, kind):
    """In an epoch that was committed again, so that its checksums are right."""
    run = shutil.copytree(trained / "run", tmp_path / "run")
    shutil.rmtree(run / "result")
    write = {"pickle": lambda file: file.write_bytes(pickle.dumps(Attack(canary)))}
    write["torch"] = lambda file: torch.save({"w": Attack(canary)}, file)
    for epoch in committed_epochs(run):
        folder = epoch_folder(run, epoch)
        write[kind](folder / name)
        (folder / "manifest.json").unlink()
        commit_directory(folder, {"epoch": epoch})
    opened = open_run(run)
    with pytest.raises(RaymmError):
        train(opened, opened.dataset(), Backends())
    assert not canary.exists()


@pytest.mark.parametrize("kind", ["pickle", "torch"])
def test_S2_a_model_and_an_encoder_that_carry_code(tmp_path, canary, trained, kind):
    model = shutil.copytree(trained / "run" / "result" / "model", tmp_path / "model")
    evil = tmp_path / "evil.pt"
    if kind == "pickle":
        evil.write_bytes(pickle.dumps(Attack(canary)))
    else:
        torch.save({"w": Attack(canary)}, evil)
    shutil.copy(evil, model / "model.safetensors")
    (model / "manifest.json").unlink()
    commit_directory(model, {})
    with pytest.raises(RaymmError):
        load_model(model)
    with pytest.raises(RaymmError, match="no weights that can be read"):
        resnet_with(evil)
    assert not canary.exists()


def resnet_with(file):
    frames = RgbSpec(name="rgb", frames=1, height=32, width=32)
    return build_encoder(frames, EncoderConfig(name="resnet18", weights=str(file)), 8)


# S3: the cluster


@pytest.mark.parametrize("name", ["cluster.yaml", "cluster-on-premise.yaml"])
def test_S3_a_cluster_has_a_token_and_listens_to_nobody(name):
    text = (ROOT / name).read_text()
    starts = re.findall(r"RAY_AUTH_MODE=token[^\n]*\n +ray start [^\n]*(?:\n +--[^\n]*)*", text)
    assert len(starts) == len(re.findall(r"^ +ray start ", text, re.MULTILINE)) == 2
    assert "--dashboard-host=127.0.0.1" in starts[0]
    assert "0.0.0.0" not in text


@pytest.mark.ray
@pytest.mark.chaos
def test_S3_a_client_without_the_token_is_refused():
    from tests.head import start_head

    join = "import ray; ray.init(); print(ray.cluster_resources())"
    with start_head() as head:
        with_token = head.run(sys.executable, "-c", join, RAY_ADDRESS=head.address)
        assert with_token[0] == 0, with_token
        other = {"RAY_AUTH_TOKEN": "0" * 64, "RAY_ADDRESS": head.address}
        code, said = head.run(sys.executable, "-c", join, **other)
        assert code != 0, said
        assert "CPU" not in said.splitlines()[-1]


# S4: names that leave their folder

NAMES = {
    "up": "../secret.npy",
    "up_inside": "a/../../secret.npy",
    "up_twice": "../../secret.npy",
    "absolute": "{root}/secret.npy",
    "percent": "%2e%2e/secret.npy",
    "percent_slash": "..%2fsecret.npy",
    "hash": "#/../../secret.npy",
    "question": "?/../../secret.npy",
    "backslash": "..\\secret.npy",
    "null": "\0../secret.npy",
    "address": "file://{root}/secret.npy",
    "link": "link/secret.npy",
}


@pytest.fixture
def outside(tmp_path):
    """A folder with a link out of it, beside a file that must not be read."""
    (tmp_path / "media" / "a").mkdir(parents=True)
    for number in range(len(SPLITS)):
        np.save(tmp_path / f"secret.npy{number}.npy", np.full(3, number, np.float32))
    (tmp_path / "media" / "link").symlink_to(tmp_path)
    return tmp_path


WORDS = dict.fromkeys(["percent", "percent_slash", "backslash", "address"], "none of 8 files is there")
WORDS["hash"] = "is not of the form file.npy"
WORDS["null"] = "has a null character in it"


@pytest.mark.parametrize("kind", NAMES)
def test_S4_a_path_in_a_manifest(capfd, outside, kind):
    assert len(NAMES) == 12
    name = NAMES[kind].format(root=outside)
    table = {"sample_id": [f"s{n}" for n in range(8)], "split": SPLITS, "label": [f"c{n % 2}" for n in range(8)]}
    pq.write_table(pa.table({**table, "v": [f"{name}{n}.npy" for n in range(8)]}), outside / "m.parquet")
    words = ["prepare", "--manifest", outside / "m.parquet", "--media-root", outside / "media"]
    words += ["--modalities", "v:vector", "--out", outside / "out", "--backend", "local"]
    code, _, err = call(capfd, *words)
    assert code == 2, err
    assert one_line(err)
    assert re.search(WORDS.get(kind, "leaves the media root"), err)
    assert not (outside / "out" / "manifest.json").exists()
    if kind in {"up", "up_inside", "absolute", "link"}:  # the file is there, and would be read
        code, _, err = call(capfd, *words, "--allow-outside")
        assert code == 0, err


NOT_OF_A_MANIFEST = {"link", "percent", "percent_slash", "hash", "question", "address"}


@pytest.mark.parametrize("kind", sorted(NAMES.keys() - NOT_OF_A_MANIFEST))
def test_S4_a_file_that_a_manifest_names(outside, kind):
    """Names with other signs in them are files of the folder, which are not there."""
    entry = {"bytes": 1, "sha256": "0" * 64}
    name = NAMES[kind].format(root=outside)
    content = json.dumps({"files": {name: entry}}).encode()
    if kind == "backslash":  # a name as any other here
        assert parse_manifest(content, "x")
        return
    with pytest.raises(RaymmError, match="leaves the folder"):
        parse_manifest(content, "x")


@pytest.mark.parametrize("kind", [kind for kind in NAMES if kind not in {"link", "address"}])
def test_S4_a_folder_of_artifacts(outside, kind):
    check_folder("tables/test")
    with pytest.raises(TrackingError, match="must lie within the run"):
        check_folder(NAMES[kind].format(root=outside))


@pytest.mark.parametrize("kind", NAMES)
def test_S4_a_sample_that_is_named_so(capfd, outside, kind):
    """An id is a name; nothing is written where it leads."""
    name = NAMES[kind].format(root=outside)
    for number in range(len(SPLITS)):
        np.save(outside / "media" / f"v{number}.npy", np.full(3, number, np.float32))
    table = {"sample_id": [f"{name}{n}" for n in range(8)], "split": SPLITS, "label": [f"c{n % 2}" for n in range(8)]}
    pq.write_table(pa.table({**table, "v": [f"v{n}.npy" for n in range(8)]}), outside / "m.parquet")
    before = {*outside.parent.iterdir(), *outside.iterdir()}
    words = ["prepare", "--manifest", outside / "m.parquet", "--media-root", outside / "media"]
    code, _, err = call(capfd, *words, "--modalities", "v:vector", "--out", outside / "out", "--backend", "local")
    assert code == 0 or one_line(err)
    after = {*outside.parent.iterdir(), *outside.iterdir()}
    assert after - before <= {outside / "out"}


# S5: dependencies


def test_S5_every_dependency_is_pinned_with_hashes():
    text = (ROOT / "requirements.lock").read_text()
    pinned = packages(text)
    assert len(pinned) > 100
    for block in re.split(r"\n(?=\S)", text):
        if block.startswith("#") or not block.strip():
            continue
        assert re.match(r"[a-z0-9][a-z0-9._-]*(\[[a-z,]+\])?==\S+", block), block
        assert "--hash=sha256:" in block, block
    assert "--require-hashes -r requirements.lock" in (ROOT / "Makefile").read_text()


def test_S5_the_bill_of_materials_is_that_of_the_lock():
    text = (ROOT / "requirements.lock").read_text()
    assert json.loads(BILL.read_text()) == bill_of(text), "run `python -m tests.chaos.bill`"
    assert bill_of(text.replace("numpy==", "numpy==9")) != bill_of(text)
    components = bill_of(text)["components"]
    assert {"torch", "ray", "mlflow", "numpy"} <= {part["name"] for part in components}
    assert len({part["purl"] for part in components}) == len(components)


class NoFeedError(Exception):
    """No feed of known weaknesses said something of a package."""


def weaknesses(report):
    """Of each package of pip-audit's report in JSON, the ids of its weaknesses, where it has any.

    pip-audit itself says "No known vulnerabilities found" where its feed answers, and knows none of the packages.
    """
    found = {one["name"]: [each["id"] for each in one.get("vulns", [])] for one in report["dependencies"]}
    if known := {name: ids for name, ids in found.items() if ids}:
        return known
    unknown = [one["name"] for one in report["dependencies"] if "vulns" not in one]
    if unknown or not found:
        raise NoFeedError(f"nothing is known of {len(unknown)} of {len(found)} packages: {', '.join(unknown)}")
    return {}


def asked_feed(folder):
    """What `make audit` says of the packages of the lock, within seconds where nobody answers."""
    said = folder / "said.json"
    words = [f"AUDIT_VENV={folder / 'venv'}", f"AUDIT=--timeout 5 --format json --output {said}"]
    quick = {**os.environ, "PIP_TIMEOUT": "5", "PIP_RETRIES": "0"}
    done = subprocess.run(["make", "audit", *words], cwd=ROOT, env=quick, capture_output=True, text=True, check=False)
    if not said.exists():
        raise NoFeedError((done.stdout + done.stderr)[-2_000:])
    return json.loads(said.read_text())


SOUND = {"name": "a", "version": "1", "vulns": []}
WEAK = {"name": "b", "version": "1", "vulns": [{"id": "CVE-1", "fix_versions": ["2"]}]}
UNKNOWN = {"name": "c", "skip_reason": "not found"}


@pytest.mark.parametrize(
    ("packages_said", "found"),
    [
        ([SOUND], {}),
        ([SOUND, WEAK, UNKNOWN], {"b": ["CVE-1"]}),
        ([], None),
        ([UNKNOWN, UNKNOWN], None),
        ([SOUND, UNKNOWN], None),
    ],
)
def test_a_feed_that_knows_nothing_is_no_answer(packages_said, found):
    if found is None:
        with pytest.raises(NoFeedError):
            weaknesses({"dependencies": packages_said})
    else:
        assert weaknesses({"dependencies": packages_said}) == found


@pytest.mark.chaos
@pytest.mark.xfail(
    reason="no feed of known weaknesses answered for every package; `make audit` asks one", raises=NoFeedError
)
def test_S5_no_dependency_has_a_known_weakness(tmp_path):
    assert weaknesses(asked_feed(tmp_path)) == {}


# S6: secrets


SECRETS = {
    "MLFLOW_TRACKING_PASSWORD": "canary-password-1",
    "MLFLOW_TRACKING_TOKEN": "canary-token-2",
    "AWS_SECRET_ACCESS_KEY": "canary-key-3",
    "RAY_AUTH_TOKEN": "c0ffee00" * 8,
}


def holding(folder, secrets):
    """Files below a folder that hold a secret, by name."""
    return [
        (path.name, secret)
        for path in folder.rglob("*")
        if path.is_file()
        for secret in secrets
        if secret.encode() in path.read_bytes()
    ]


@pytest.mark.chaos
@pytest.mark.parametrize("away", [True, False])
def test_S6_a_secret_stays_where_it_was(tmp_path, dataset, trained, away):
    """In the address of a server that is away, and in the environment of a run with a local store."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    address = {"MLFLOW_TRACKING_URI": f"http://me:canary-address-0@127.0.0.1:{port}"} if away else {}
    words = ["--verbose", *train_words(dataset.path, tmp_path)]
    code, out, err = by_command(words, **SECRETS, **address)
    assert code == 0, err
    secrets = [*SECRETS.values(), "canary-address-0"]
    assert (tmp_path / "run" / "outbox" / "events.jsonl").exists()
    assert holding(tmp_path, secrets) == []
    assert [secret for secret in secrets if secret in out + err] == []
    (tmp_path / "leak.txt").write_text(f"x{secrets[0]}x")
    assert holding(tmp_path, secrets) == [("leak.txt", secrets[0])]


def test_S6_a_secret_in_a_mirror_is_refused(capfd, tmp_path, dataset):
    words = train_words(dataset.path, tmp_path, "cluster.mirror=s3://bucket/run?access_key=me&secret_key=canary-9")
    code, out, err = call(capfd, *words)
    assert code == 2
    assert "canary-9" not in out + err
    assert holding(tmp_path, ["canary-9"]) == []


# S7: modes


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
def test_S7_who_may_read_an_outbox_and_what_is_being_written(capfd, tmp_path, dataset, trained, mask):
    from raymm.storage import atomic

    before = os.umask(mask)
    try:
        shutil.copytree(trained / "mlflow", tmp_path / "mlflow")
        code, _, err = call(capfd, *train_words(dataset.path, tmp_path))
        assert code == 0, err
        with atomic.atomic_path(tmp_path / "file") as temporary:
            assert stat.S_IMODE(temporary.stat().st_mode) == 0o600
            temporary.write_text("x")
    finally:
        os.umask(before)
    outbox = tmp_path / "run" / "outbox"
    private = [path for path in outbox.rglob("*") if path.is_file()]
    assert private
    assert {stat.S_IMODE(path.stat().st_mode) for path in private} == {0o600}
    writable = [path for path in (tmp_path / "run").rglob("*") if path.stat().st_mode & 0o022 and mask]
    assert writable == []


# S8: what is written down


def test_S8_the_page_says_whom_raymm_trusts():
    text = " ".join((ROOT / "SECURITY.md").read_text().split())
    for words in (
        "Whoever can reach a Ray cluster and has its token can run code on it",
        "Plug-ins and models of your own are code",
        "Data sets, media and manifests** are data: nothing in them is run",
        "checkpoints are read with `weights_only=True`",
        "unless `raymm prepare --allow-outside` is given",
    ):
        assert words in text, words


def test_S8_a_plug_in_of_a_run_is_code_and_is_run(tmp_path, canary, trained):
    """As the page says: whoever opens the run of a stranger runs the stranger's plug-ins."""
    run = shutil.copytree(trained / "run", tmp_path / "run")
    (run / "plugins").mkdir()
    (run / "plugins" / "canary_part.py").write_text(f"import os\nos.mkdir({str(canary)!r})\n")
    about = json.loads((run / "run.json").read_text())
    about["config"]["plugins"] = ["canary_part.py"]
    (run / "run.json").write_text(json.dumps(about))
    open_run(run)
    assert canary.exists()
    assert load_latest(Path(run))
