"""Read samples, ask a model about them, and gather what it answers: what `predict` does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from raymm.api.predictions import Predictions
from raymm.api.settings import written
from raymm.counts import counted
from raymm.data.asked.reading import AT_ONCE, question_of, read_question
from raymm.data.media.text_embeddings import Encoders, parse_encoders
from raymm.data.quarantine import bad_line, by_file
from raymm.errors import ConfigError, DataError, Problems
from raymm.models.answers import Answers
from raymm.models.predictor import Predictor

if TYPE_CHECKING:
    from raymm.api.progress import Progress
    from raymm.data.asked.reading import Question
    from raymm.data.quarantine import BadValue
    from raymm.data.schema import Schema
    from raymm.models.export import Exported

__all__ = ["answered", "encoders_of", "question_in"]


def question_in(
    given: Any, schema: Schema, manifest: str | Path | None, media_root: str | Path | None, allow_outside: bool
) -> Question:
    """What is asked by samples, or by a manifest; raises `ConfigError` where both are given, or neither."""
    has_samples = not isinstance(given, list | tuple) or bool(given)
    if has_samples == (manifest is not None):
        raise ConfigError("predict: give samples, or a manifest" + (", not both" if has_samples else ""))
    place = Path(manifest) if manifest is not None else None
    return question_of(given, schema, place, Path(media_root) if media_root else None, allow_outside)


def answered(question: Question, exported: Exported, encoders: Encoders, told: Progress) -> Predictions:
    """What a model answers; raises `DataError` where no sample could be read."""
    predictor, parts = Predictor(exported), list[Answers]()
    names: list[str] = []
    bad: list[BadValue] = list(question.bad)
    remarks: Counter[tuple[str, str]] = Counter()
    blocks = -(-len(question.records) // AT_ONCE)
    reading = read_question(question, exported.schema, encoders)
    for read in told.follow(reading, blocks, "predicting blocks of samples"):
        bad += read.bad
        remarks += read.remarks
        if read.names:
            names += read.names
            parts.append(predictor.answers(read.columns))
    for (modality, remark), count in sorted(remarks.items()):
        told.on_note(f"{modality}: {count} of {counted(len(names), 'sample is', 'samples are')} {remark}")
    if not parts:
        Problems("predict", list(map(bad_line, by_file(bad))) or ["no sample was given"]).raise_if_any(DataError)
    return Predictions(names, Answers.joined(parts), by_file(bad))


def encoders_of(schema: Schema, given: Sequence[str] | Mapping[str, str | Path]) -> Encoders:
    """The sentence encoders of modalities that were made of texts, each the one that made them.

    Raises
    ------
    ConfigError
        When one is another than that of the data that the model was trained on.
    """
    made = {spec.name: spec for spec in schema.modalities if spec.from_text and not spec.is_text}
    kinds = {spec.name: "text" if spec.name in made else spec.kind for spec in schema.modalities}
    encoders = parse_encoders(written(given, "sentence_encoders"), kinds)
    problems = Problems("sentence_encoders")
    for name, encoder in encoders.items():
        wanted = getattr(made.get(name), "encoder", None)
        if encoder.name != wanted:
            problems.add(f"'{name}' was made by {wanted or 'no sentence encoder'}, and this is {encoder.name}")
    problems.raise_if_any(ConfigError)
    return encoders
