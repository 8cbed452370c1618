"""How a study goes: what begins, what is trained at the moment, what has ended."""

import json
from dataclasses import replace

from raymm.api.headings import study_heading
from raymm.api.progress import Progress, Running
from raymm.api.study_progress import StudyProgress
from raymm.study.jobs import jobs_of
from raymm.study.session import Silent
from raymm.training.live import RunProgress
from tests.study.studies import HereLane, run_here, study_of


class Hears(Progress):
    """Remembers what it hears."""

    def __init__(self):
        self.jobs, self.lines = [], []

    def on_job(self, job):
        self.jobs.append(job)

    def on_line(self, line):
        self.lines.append(line)


def test_runs_and_warmups_begin_and_end_by_name(tmp_path, dataset):
    study, told = study_of(tmp_path / "s", {"d": dataset}, ["joint", "sample"]), Hears()
    progress, named = StudyProgress(study, Silent(), 1, told), []

    class Lane(HereLane):
        def train(self, path, until):
            named.append({name: folder == path for name, folder in progress.folders().items()})
            return super().train(path, until)

    run_here(study, Lane(), progress)
    names = [f"d joint warm-up seed {seed}" for seed in (0, 1)]
    names += [f"d {arm} seed {seed}" for seed in (0, 1) for arm in ("joint", "sample")]
    assert all(found[name] for found, name in zip(named, names, strict=True))  # beside one that has just ended
    for state in ("begins", "finished"):  # the next may begin before the end of the one before is told
        assert [job.name for job in told.jobs if job.state == state] == names
    assert progress.folders() == {}
    for job in told.jobs:
        if job.kind == "run" and job.state == "finished":
            _, arm, _, seed = job.name.split()
            result = json.loads((study.path / f"runs/d/{arm}/seed-{seed}/result/result.json").read_text())
            assert job.score == result["metrics"]["best/accuracy"]
    assert max(map(len, told.lines)) <= 80


def test_the_time_left_is_that_of_runs_on_all_lanes(tmp_path, dataset):
    study, told = study_of(tmp_path / "s", {"d": dataset}, ["joint", "sample"], match="rows"), Hears()
    progress = StudyProgress(study, Silent(), 2, told)  # six runs
    joint = jobs_of(study, {})[0]
    pilot = replace(joint, until=2, kind="pilot")
    broken = replace(joint, seed=1)
    progress.on_run_end(pilot, "", 9000.0)
    progress.on_run_end(broken, "no space left", 1.0)
    progress.on_run_end(replace(joint, until=4), "", 300.0)
    progress.on_run_end(pilot, "", 9000.0)
    assert [line.rpartition(", ")[2] for line in told.lines[1:]] == [
        "9000 s",
        f"  1/6  {broken.label}  failed: no space left",
        "about 10 min of runs left",
        "9000 s",
    ]


def test_silence_is_ended_by_a_line_that_a_screen_does_not_need(tmp_path, dataset, monkeypatch):
    study, told = study_of(tmp_path / "s", {"d": dataset}, ["joint"]), Hears()
    progress = StudyProgress(study, Silent(), 2, told)
    state = RunProgress(3, 30, "training", rows=10, of=100, rows_per_second=10.0)
    running = [Running(f"a_long_name_of_a_data_set joint seed {n}", replace(state, epoch=n)) for n in range(1, 5)]
    told.lines.clear()
    progress.on_running(running)
    assert told.lines == []
    monkeypatch.setattr("raymm.api.study_progress.EVERY", -1.0)
    progress.on_running(running)
    progress.on_running(running[:1])
    progress.on_running([])
    assert len(told.lines) == 2
    assert told.lines[0].startswith("trained now: a_long_name_of_a_data_set joint seed 1 1/30, ")
    assert told.lines[1].endswith("epoch 1/30  10%  10 rows/s  0:09 left")
    assert max(map(len, told.lines)) <= 80
    told.live = True
    progress.on_running(running)
    assert len(told.lines) == 2
    log = (study.path / "study.log").read_text().splitlines()
    assert len(log) == 4
    assert "seed 4 4/30" in log[-1]  # whole, in the log


def test_the_heading_of_a_study_fits(tmp_path, dataset):
    study = study_of(tmp_path / ("s" * 70), {"d": dataset, "e": dataset}, ["joint", "sample"], match="rows")
    lines = study_heading(study, study.datasets(), "local", 2, "mlflow")
    text = " ".join(" ".join(lines).split())
    assert max(map(len, lines)) <= 80
    assert text.count(f"train {len(dataset.rows('train'))}") == 2
    assert "; as many rows for each as for sample" in text
    assert "arms joint, sample" in text
    assert "4 epochs, seeds 0, 1; 2 runs at once" in text
