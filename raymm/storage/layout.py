"""The names of files and folders on disk. No module but this and `raymm.storage.data_layout`, for data sets, spells
them; a format belongs to the module that writes it.

A run, of `raymm train` or of a sweep:

    RUN/run.json                        key, data set, configuration; written first
    RUN/epochs/epoch-00007/             the state after 7 epochs; a folder exists when its manifest.json does
        model.safetensors, optimizer.safetensors, plan.safetensors, state.json, valuation-val.parquet
        trained.safetensors             where the model is a moving average (training.ema): the weights in training
        method.safetensors              where the method has a state or weights of its own
    RUN/result/                         the picked model and its test result; written once, at the end
        result.json, valuation-test.parquet, model/{model.json,model.safetensors}
    RUN/plots/, tables/, config.yaml, report.html, valuation.html, samples/
    RUN/report.files/gallery-1.js       samples that the page shows when it is asked for more
    RUN/train.log                       the lines that people see: headings, epochs, how it ended
    RUN/progress.json                   how far it is at this moment, while it is trained
    RUN/compare.yaml                a study of its method, where the page suggests one
    RUN/ray/, outbox/                   files of Ray Train; records for the tracking server

A sweep:

    SWEEP/sweep.json                    what the sweep is; without it there is none
    SWEEP/trials/003-1f0c9a2e/          a trial
        trial.json                      the drawn values and the whole configuration
        runs/<trial>-s0/                a run for each seed
        current.json                    folder and settings of the current runs after population based training
        ended.json                      the outcome; a trial without it is pending
        recorded                        exists once the outcome was sent to the tracker
        trial.log
    SWEEP/warmups/                      runs of the epochs that trials share
    SWEEP/summary/                      table, plots, page, and best.json: the trial that is tagged as the best
    SWEEP/tune/, sweep.log              files of Ray Tune; progress

A study:

    STUDY/study.yaml                    what the study is; without it there is none
    STUDY/runs/DATA/ARM/seed-0/         a run
    STUDY/pilots.json, pilots/          epochs of each arm at the budget; runs by which they were decided
    STUDY/tuning.json, tuning/          settings that were chosen on validation, and the runs of the trials
    STUDY/warmups/                      runs of the epochs that arms share
    STUDY/failed.json                   runs that failed when the study was last run
    STUDY/report/                       tables, plots and page
    STUDY/lanes/, study.log             what the processes said; progress

A comparison of runs, of `raymm compare` or of a study:

    REPORT/report.md, report.html       what is shown, and what is not
    REPORT/runs.csv, comparisons.csv    a row a run, a row a comparison; the plots lie beside them

A valuation that is not yet finished: OUT.parts/about.json, OUT.parts/shard-00012.parquet.

While a folder or a file is written: FOLDER/.writer, `.FILE.writer` beside the file; see `raymm.storage.lock`.
"""

import shutil
from pathlib import Path

__all__ = [
    "BEST",
    "COMPARE",
    "COMPARISONS_CSV",
    "CONFIG",
    "CURRENT",
    "ENDED",
    "EPOCHS",
    "EVENTS",
    "FAILED",
    "LANES",
    "LOCK",
    "MANIFEST",
    "METHOD",
    "MODEL",
    "MODEL_JSON",
    "OPTIMIZER",
    "OUTBOX",
    "PAGE",
    "PARTS_ABOUT",
    "PILOTS",
    "PILOTS_JSON",
    "PLAN",
    "PLOTS",
    "PROGRESS",
    "RAY",
    "RECORDED",
    "REPORT",
    "REPORT_MD",
    "RESULT",
    "RESULT_JSON",
    "RUN",
    "RUNS",
    "RUNS_CSV",
    "SAMPLES",
    "STATE",
    "STUDY",
    "STUDY_LOG",
    "SUMMARY",
    "SUMMARY_MD",
    "SUMMARY_PAGE",
    "SWEEP",
    "SWEEP_LOG",
    "TABLES",
    "TRAINED",
    "TRAIN_LOG",
    "TRIAL",
    "TRIALS",
    "TRIALS_CSV",
    "TRIAL_LOG",
    "TUNE",
    "TUNING",
    "TUNING_JSON",
    "VALUATION_PAGE",
    "WARMUPS",
    "WEIGHTS",
    "beside_lock",
    "committed_epochs",
    "epoch_folder",
    "gallery_file",
    "gallery_files",
    "lock_of_file",
    "lock_of_folder",
    "places_of_epochs",
    "remove_beside_lock",
    "result_folder",
    "short_path",
    "valuation_file",
    "valuation_files",
    "valuation_part",
    "valuation_parts",
    "valuation_parts_folder",
    "within_sweep",
]

MANIFEST = "manifest.json"
"""Written last into a folder, which then exists; see `raymm.storage.directory`."""

LOCK = ".writer"
"""Who writes into a folder at present; see `raymm.storage.lock`."""

RUN = "run.json"
EPOCHS = "epochs"
RESULT = "result"
PLOTS = "plots"
TABLES = "tables"
CONFIG = "config.yaml"
TRAIN_LOG = "train.log"
PROGRESS = "progress.json"
COMPARE = "compare.yaml"
PAGE = "report.html"
VALUATION_PAGE = "valuation.html"
SAMPLES = "samples"
REPORT_MD = "report.md"
RUNS_CSV = "runs.csv"
COMPARISONS_CSV = "comparisons.csv"
RAY = "ray"
OUTBOX = "outbox"
EVENTS = "events.jsonl"

WEIGHTS = "model.safetensors"
TRAINED = "trained.safetensors"
OPTIMIZER = "optimizer.safetensors"
METHOD = "method.safetensors"
PLAN = "plan.safetensors"
STATE = "state.json"

RESULT_JSON = "result.json"
MODEL = "model"
MODEL_JSON = "model.json"

SWEEP = "sweep.json"
SWEEP_LOG = "sweep.log"
TRIALS = "trials"
WARMUPS = "warmups"
SUMMARY = "summary"
TUNE = "tune"
BEST = "best.json"
TRIALS_CSV = "trials.csv"
SUMMARY_MD = "summary.md"
SUMMARY_PAGE = "summary.html"

STUDY = "study.yaml"
STUDY_LOG = "study.log"
PILOTS = "pilots"
PILOTS_JSON = "pilots.json"
TUNING = "tuning"
TUNING_JSON = "tuning.json"
FAILED = "failed.json"
REPORT = "report"
LANES = "lanes"

TRIAL = "trial.json"
RUNS = "runs"
CURRENT = "current.json"
ENDED = "ended.json"
RECORDED = "recorded"
TRIAL_LOG = "trial.log"

PARTS_ABOUT = "about.json"


def lock_of_folder(folder: Path) -> Path:
    """The lock file of a run, a sweep, a data set or a store."""
    return folder / LOCK


def lock_of_file(file: Path) -> Path:
    """The lock file of a single file, beside it."""
    return file.with_name(f".{file.name}{LOCK}")


def beside_lock(folder: Path) -> list[Path]:
    """All that a folder holds but its lock file."""
    return [entry for entry in folder.iterdir() if entry.name != LOCK]


def remove_beside_lock(folder: Path) -> None:
    """Empty a folder whose lock is held."""
    for entry in beside_lock(folder):
        shutil.rmtree(entry) if entry.is_dir() else entry.unlink()


def epoch_folder(run: Path, epoch: int) -> Path:
    """The folder of the state after `epoch` epochs."""
    return run / EPOCHS / f"epoch-{epoch:05d}"


def places_of_epochs(run: Path) -> list[Path]:
    """What a run has in the place of the states of epochs, committed or not."""
    return sorted((run / EPOCHS).glob("epoch-*"))


def committed_epochs(run: Path) -> list[int]:
    """Numbers of the committed epochs of a run, in order."""
    folders = (manifest.parent.name for manifest in (run / EPOCHS).glob(f"epoch-*/{MANIFEST}"))
    numbers = (name.removeprefix("epoch-") for name in folders)
    return sorted(int(number) for number in numbers if number.isdecimal())  # a copy may lie beside: epoch-00004.bak


def result_folder(run: Path) -> Path:
    """The folder of the result of a run."""
    return run / RESULT


def short_path(path: Path) -> str:
    """A path below the current folder relative to it, as people type it; another as it is."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) and path != here else path)


def within_sweep(run: Path) -> Path:
    """The path of a run relative to the folder of its sweep.

    >>> within_sweep(Path("/elsewhere/SWEEP/warmups/1f0c9a2e-s0")).as_posix()
    'warmups/1f0c9a2e-s0'
    >>> within_sweep(Path("/elsewhere/SWEEP/trials/003-1f0c9a2e/runs/003-1f0c9a2e-s0")).as_posix()
    'trials/003-1f0c9a2e/runs/003-1f0c9a2e-s0'
    """
    return Path(*run.parts[-2 if run.parts[-2] == WARMUPS else -4 :])


def valuation_file(folder: Path, split: str) -> Path:
    """The valuation table of a split, in the folder of an epoch or of a result."""
    return folder / f"valuation-{split}.parquet"


def valuation_files(folder: Path) -> list[Path]:
    """The valuation tables of a folder, in order."""
    return sorted(folder.glob("valuation-*.parquet"))


def valuation_parts_folder(out: Path) -> Path:
    """The folder in which a valuation that becomes the file `out` collects its parts."""
    return out.with_name(f"{out.name}.parts")


def valuation_part(folder: Path, number: int) -> Path:
    """One part of a valuation, in its `valuation_parts_folder`."""
    return folder / f"shard-{number:05d}.parquet"


def valuation_parts(folder: Path) -> set[int]:
    """Numbers of the parts in a `valuation_parts_folder`."""
    numbers = (path.stem.removeprefix("shard-") for path in folder.glob("shard-*.parquet"))
    return {int(number) for number in numbers if number.isdecimal()}


def gallery_file(page: Path, number: int) -> Path:
    """Part `number` of the samples of a page's gallery that lie beside it; PAGE.html has them in PAGE.files."""
    return page.with_name(f"{page.stem}.files") / f"gallery-{number}.js"


def gallery_files(page: Path) -> list[Path]:
    """The parts that there are."""
    return sorted(gallery_file(page, 1).parent.glob("gallery-*.js"))
