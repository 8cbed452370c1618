"""Other kinds of data: images with texts, sensors, and a visual question that neither modality answers alone.

The question adds a number from 0 to 3 to the position of a bright square in the image, modulo 4. Either modality
alone leaves every answer as likely as before, so values are known of any model that answers right: either modality
is right by chance, and both always.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from bench.experiments.inputs import Inputs
from bench.experiments.page import Page
from bench.experiments.planted import splits_of
from bench.experiments.sections import add_costs, add_phi, add_runs, add_scores, mean_text
from bench.experiments.sets import entry, real
from bench.experiments.studies import runs_of, study_of
from raymm.data import ImageSpec, Sample, Schema, TextSpec, write_dataset
from raymm.study.results import RunRecord, StudyResults
from raymm.valuation import interactions
from raymm.valuation.table_file import read_test_table

__all__ = ["ANSWERS", "interaction", "question_data", "run"]

SETS = ("openclipart", "emoji", "imu_digits")
ARMS: dict[str, dict[str, Any]] = {"joint": {}, "multitask": {}, "coalition": {}, "sample": {}}
ANSWERS, SIDE = 4, 16
WORDS = ("where is it", "one step on", "two steps on", "three steps on")
QUESTION_SETTINGS = {"training.epochs": 20, "method.warmup": 5, "model.feature_size": 32}
FUSIONS = ("concat", "mlp")

QUESTION = (
    "Do the methods carry over to other modalities: drawings with titles and tags (openclipart, some of them "
    "missing), two renderings of emoji with texts in two languages, seven sensors, and a visual question whose "
    "answer needs both modalities? In the visual question a square is at one of four places, and the text says "
    "how many steps further the answer is, modulo four: alone, image and text tell nothing. phi of a model that "
    "answers right is 1 for each, and the interaction of the pair (on right or wrong) 1 - 2/4 = 0.5, since the "
    "empty coalition counts as wrong. Additive fusion (`concat`) cannot represent the answer, so the question is "
    "asked with `mlp` too. Regression is left out."
)


def run(inputs: Inputs) -> Page:
    """Train all arms on all data sets; the visual question is compared with what is known of it."""
    data = {name: real(inputs, name) for name in SETS}
    folder = inputs.work / "data" / "question"
    if not (folder / "manifest.json").exists():
        write_dataset(folder, _samples(120 if inputs.quick else 1200), _schema())
    settings = {fusion: {**QUESTION_SETTINGS, "model.fusion": fusion} for fusion in FUSIONS}
    asked = {f"question_{fusion}": entry(inputs, folder, own) for fusion, own in settings.items()}
    question = study_of(inputs, "question", asked, ARMS)
    results = study_of(inputs, "transfer", data, ARMS)
    page = Page("Transfer to other modalities", QUESTION)
    _add_question(page, question)
    add_scores(page, results, ": drawings, emoji and sensors")
    add_phi(page, results)
    add_costs(page, results)
    add_runs(page, question, "question.csv")
    add_runs(page, results)
    return page


def question_data(count: int, seed: int = 7) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Images uint8 [N, 3, side, side], steps and answers int64 [N], balanced over places and steps."""
    generator = np.random.default_rng(seed)
    place, step = np.arange(count) % ANSWERS, np.arange(count) // ANSWERS % ANSWERS
    images = generator.integers(0, 120, (count, 3, SIDE, SIDE)).astype(np.uint8)
    half = SIDE // 2
    for row, at in enumerate(place):
        top, left = half * (at // 2), half * (at % 2)
        y, x = generator.integers(1, half - 4, 2)
        images[row, :, top + y : top + y + 4, left + x : left + x + 4] = 255
    return images, step, (place + step) % ANSWERS


def interaction(run: RunRecord) -> float:
    """Mean interaction of the two modalities on test, on right or wrong."""
    table = read_test_table(run.path)
    return float(interactions(torch.from_numpy(table.correct()).double())[:, 0, 1].mean())


def _schema() -> Schema:
    modalities = (ImageSpec(name="image", height=SIDE, width=SIDE), TextSpec(name="text"))
    return Schema(modalities=modalities, classes=tuple(f"place-{c}" for c in range(ANSWERS)))


def _samples(count: int) -> Iterator[Sample]:
    images, step, answer = question_data(count)
    splits = splits_of(count)
    for row in range(count):
        values = {"image": images[row], "text": WORDS[step[row]]}
        yield Sample(f"sample-{row:05d}", splits[row], int(answer[row]), values)


def _add_question(page: Page, results: StudyResults) -> None:
    page.head(
        "The visual question against what is known",
        "Means and standard deviations over seeds, on test. Interaction: that of the pair on right or wrong. The "
        "last line is of a model that answers right, and guesses where it sees one modality.",
    )
    rows = []
    for data in (f"question_{fusion}" for fusion in FUSIONS):
        for arm in ARMS:
            runs = runs_of(results, data, arm)
            accuracy = mean_text([each.metrics["test/accuracy"] for each in runs], 100, 1)
            phi = [mean_text([each.metrics[f"phi/test_{name}"] for each in runs]) for name in ("image", "text")]
            rows.append([data, arm, accuracy, *phi, mean_text([interaction(each) for each in runs])])
    rows.append(["known", "", "100", "1", "1", f"{1 - 2 / ANSWERS:g}"])
    page.table(["data", "arm", "accuracy (%)", "phi image", "phi text", "interaction"], rows)
