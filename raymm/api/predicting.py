"""Read samples, ask a model about them, and gather what it answers: what `predict` does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from raymm.api.predictions import Predictions
from raymm.api.progress import Showing, showing
from raymm.api.settings import written
from raymm.data.asked.reading import AT_ONCE, question_of, read_question
from raymm.data.media.text_embeddings import Encoders, parse_encoders
from raymm.data.quarantine import bad_line, by_file
from raymm.errors import ConfigError, DataError, Problems
from raymm.models.answers import Answers
from raymm.models.predictor import Predictor

if TYPE_CHECKING:
    from raymm.data.quarantine import BadValue
    from raymm.data.schema import Schema
    from raymm.models.export import Exported

__all__ = ["predictions_of"]


def predictions_of(
    exported: Exported,
    given: Any = (),
    *,
    manifest: str | Path | None = None,
    media_root: str | Path | None = None,
    allow_outside: bool = False,
    sentence_encoders: Sequence[str] | Mapping[str, str | Path] = (),
    progress: Showing = "auto",
) -> Predictions:
    """What a model answers; parameters and errors as `raymm.predict`."""
    schema = exported.schema
    has_samples = not isinstance(given, list | tuple) or bool(given)
    if has_samples == (manifest is not None):
        raise ConfigError("predict: give samples, or a manifest" + (", not both" if has_samples else ""))
    encoders = _encoders(schema, sentence_encoders)
    place = Path(manifest) if manifest is not None else None
    question = question_of(given, schema, place, Path(media_root) if media_root else None, allow_outside)
    predictor, parts = Predictor(exported), list[Answers]()
    names: list[str] = []
    bad: list[BadValue] = list(question.bad)
    remarks: Counter[tuple[str, str]] = Counter()
    with showing(progress) as told:
        blocks = -(-len(question.records) // AT_ONCE)
        for read in told.follow(read_question(question, schema, encoders), blocks, "predicting blocks of samples"):
            bad += read.bad
            remarks += read.remarks
            if read.names:
                names += read.names
                parts.append(predictor.answers(read.columns))
        for (modality, remark), count in sorted(remarks.items()):
            told.on_note(f"{modality}: {count} of {len(names)} samples are {remark}")
    if not parts:
        Problems("predict", list(map(bad_line, by_file(bad))) or ["no sample was given"]).raise_if_any(DataError)
    return Predictions(names, Answers.joined(parts), by_file(bad))


def _encoders(schema: Schema, given: Sequence[str] | Mapping[str, str | Path]) -> Encoders:
    """The sentence encoders of modalities that were made of texts, each the one that made them.

    Raises
    ------
    ConfigError
        When one is another than that of the data that the model was trained on.
    """
    made = {spec.name: spec for spec in schema.modalities if spec.from_text and not spec.is_text}
    kinds = {spec.name: "text" if spec.name in made else spec.kind for spec in schema.modalities}
    encoders = parse_encoders(written(given), kinds)
    problems = Problems("sentence_encoders")
    for name, encoder in encoders.items():
        wanted = getattr(made.get(name), "encoder", None)
        if encoder.name != wanted:
            problems.add(f"'{name}' was made by {wanted or 'no sentence encoder'}, and this is {encoder.name}")
    problems.raise_if_any(ConfigError)
    return encoders
