"""Samples whose modalities play games of known value, planted as evidence that a model reads.

A modality of a sample shows evidence in one channel, in the column of the sample's label. What the channels do with
the sum over the modalities of a coalition is the model's affair (`tests.oracle.models`):

    linear    the sum is the logit of the label
    step      the logit is high where the sum reaches the quota
    parity    the logit is high where an odd number of carriers takes part
    product   the logit is exp(sum) - 1: evidence multiplies

Games of the channels linear and step are weighted votes: a coalition is right when its whole weights reach the quota.
Quotas divide 840, so evidence 840 * weight / quota is whole and its sums are exact in float32, and one threshold
serves all samples. About a quarter of the samples lacks modalities.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from raymm.data import Dataset, Sample, Schema, VectorSpec, open_dataset, write_dataset
from raymm.errors import ConfigError
from raymm.seeds import derive
from raymm.storage import is_committed

__all__ = [
    "CHANNELS",
    "CHANNEL_OF",
    "FULL",
    "GAMES",
    "MOST_PLAYERS",
    "UNIT",
    "GameSamples",
    "sample_games",
    "samples_on_disk",
    "schema_of",
]

CHANNELS = ("linear", "step", "parity", "product")
LABELS = 3
"""Classes that a sample may have; one more, `none`, wins where there is no evidence."""

FULL = 840
"""What evidence in the channels linear and step must add up to."""

UNIT = 1024
"""Parts of one unit of a logit; a power of two, so that FULL / UNIT is exact."""

MOST_PLAYERS = 16
QUOTAS = tuple(quota for quota in range(1, MOST_PLAYERS + 1) if FULL % quota == 0)

Votes = tuple[npt.NDArray[np.int64], int]
"""Whole weights [n] and the quota."""


@dataclass(frozen=True)
class GameSamples:
    """Samples and the game that each of them plays; all arrays have one row a sample.

    Attributes
    ----------
    game, channel
        Names [N], of `GAMES` and `CHANNELS`.
    label
        int64 [N].
    present
        bool [N, n]: the modalities that a sample has.
    weight, quota
        int64 [N, n] and [N]: of the vote; carriers weigh 1 in the channel parity; 0 where evidence is graded.
    evidence
        float32 [N, n]: what each modality adds in its channel.
    """

    game: npt.NDArray[np.str_]
    channel: npt.NDArray[np.str_]
    label: npt.NDArray[np.int64]
    present: npt.NDArray[np.bool_]
    weight: npt.NDArray[np.int64]
    quota: npt.NDArray[np.int64]
    evidence: npt.NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.label)

    @property
    def players(self) -> int:
        """Modalities of the data set."""
        return self.present.shape[1]

    def some(self, rows: npt.NDArray[np.int64]) -> "GameSamples":
        """The samples of some rows."""
        return GameSamples(**{name: values[rows] for name, values in vars(self).items()})

    def write(self, out: Path) -> Path:
        """Write the samples as a data set, all in the split `test`, so that nothing is standardised."""
        return write_dataset(out, (self._sample(row) for row in range(len(self))), schema_of(self.players))

    def _sample(self, row: int) -> Sample:
        column = CHANNELS.index(str(self.channel[row])) * LABELS + int(self.label[row])
        vectors = np.zeros((self.players, len(CHANNELS) * LABELS), np.float32)
        vectors[:, column] = self.evidence[row]
        values = {f"m{i}": vectors[i] if self.present[row, i] else None for i in range(self.players)}
        return Sample(f"sample-{row:06d}", "test", int(self.label[row]), values)


def schema_of(players: int) -> Schema:
    """Vectors m0, m1, ... with one number a channel and label, and the classes."""
    vectors = tuple(VectorSpec(name=f"m{i}", size=len(CHANNELS) * LABELS) for i in range(players))
    return Schema(modalities=vectors, classes=(*(f"label-{c}" for c in range(LABELS)), "none"))


def sample_games(
    players: int,
    counts: dict[tuple[str, str], int],
    seed: int,
    *,
    missing: float = 0.25,
    spread: float = 0.15,
) -> GameSamples:
    """Deal samples, game by game.

    Parameters
    ----------
    players
        Modalities, 2 to 16.
    counts
        Samples of each (game, channel); `CHANNEL_OF` says which there are.
    seed
        Decides weights, quotas, labels and what is missing.
    missing
        Share of the samples that lack modalities; one modality at least is there.
    spread
        Largest logarithm of a factor in the channel product.

    Raises
    ------
    ConfigError
        When the number of players is out of range, or a game is not played in a channel.
    """
    if not 2 <= players <= MOST_PLAYERS:
        raise ConfigError(f"players={players}: games are sampled to 2 to {MOST_PLAYERS} modalities")
    for game, channel in counts:
        if game not in CHANNEL_OF.get(channel, ()):
            raise ConfigError(
                f"game '{game}' is not played in the channel '{channel}'; use one of "
                f"{CHANNEL_OF.get(channel, CHANNELS)}"
            )
    generator = np.random.default_rng(derive(seed, "oracle", players))
    drawn = [
        _draw(game, channel, players, spread, generator)
        for (game, channel), count in counts.items()
        for _ in range(count)
    ]
    names = np.array([pair for pair, count in counts.items() for _ in range(count)], np.str_).reshape(-1, 2)
    count = len(drawn)
    present = generator.random((count, players)) > 0.3 * (generator.random((count, 1)) < missing)
    present[np.arange(count), generator.integers(players, size=count)] = True
    return GameSamples(
        game=names[:, 0],
        channel=names[:, 1],
        label=generator.integers(LABELS, size=count),
        present=present,
        weight=np.stack([weight for weight, _, _ in drawn]),
        quota=np.array([quota for _, quota, _ in drawn]),
        evidence=np.stack([evidence for _, _, evidence in drawn]).astype(np.float32),
    )


def samples_on_disk(folder: Path, game_samples: GameSamples) -> Dataset:
    """The data set of a game_samples, written where it is not there yet.

    Raises
    ------
    DataError
        When what lies there is damaged.
    """
    if not is_committed(folder):
        game_samples.write(folder)
    return open_dataset(folder, check=True)


def _draw(
    game: str, channel: str, n: int, spread: float, generator: np.random.Generator
) -> tuple[npt.NDArray[np.int64], int, npt.NDArray[np.float64]]:
    """Weights, quota and evidence of one sample."""
    if game in {"additive", "product"}:
        reach = 1.0 if game == "additive" else spread
        return np.zeros(n, np.int64), 0, generator.uniform(-reach, reach, size=n)
    weight, quota = GAMES[game](n, generator)
    if channel == "parity":
        return weight, quota, weight.astype(np.float64)
    return weight, quota, weight * (FULL // quota) / UNIT


def _members(n: int, count: int, generator: np.random.Generator) -> npt.NDArray[np.int64]:
    """Weight 1 for `count` players drawn at random, 0 for the others."""
    chosen = np.zeros(n, np.int64)
    chosen[generator.permutation(n)[:count]] = 1
    return chosen


def _unanimity(n: int, generator: np.random.Generator) -> Votes:
    count = int(generator.choice([quota for quota in QUOTAS if 2 <= quota <= n]))
    return _members(n, count, generator), count


def _dummies(n: int, generator: np.random.Generator) -> Votes:
    return _members(n, 1, generator), 1


def _redundancy(n: int, generator: np.random.Generator) -> Votes:
    return _members(n, int(generator.integers(2, n + 1)), generator), 1


def _always(n: int, generator: np.random.Generator) -> Votes:
    del generator
    return np.ones(n, np.int64), 1


def _quota(n: int, generator: np.random.Generator) -> Votes:
    return np.ones(n, np.int64), int(generator.choice([quota for quota in QUOTAS if quota <= n]))


def _saboteur(n: int, generator: np.random.Generator) -> Votes:
    weight = np.zeros(n, np.int64)
    carrier, saboteur = generator.permutation(n)[:2]
    weight[carrier], weight[saboteur] = 1, -1
    return weight, 1


def _voting(n: int, generator: np.random.Generator) -> Votes:
    weight = generator.integers(-2, 5, size=n)
    reach = max(1, int(weight.clip(min=0).sum()))
    return weight, int(generator.choice([quota for quota in QUOTAS if quota <= reach]))


def _vote_won(n: int, generator: np.random.Generator) -> Votes:
    while True:
        weight, quota = _voting(n, generator)
        if weight.sum() >= quota:
            return weight, quota


def _vote_lost(n: int, generator: np.random.Generator) -> Votes:
    while True:
        weight, quota = _voting(n, generator)
        if weight.sum() < quota <= weight.clip(min=0).sum():
            return weight, quota


def _parity(n: int, generator: np.random.Generator) -> Votes:
    return _members(n, int(generator.integers(1, n + 1)), generator), 1


GAMES: dict[str, Callable[[int, np.random.Generator], Votes]] = {
    "unanimity": _unanimity,
    "dummies": _dummies,
    "redundancy": _redundancy,
    "always right": _always,
    "quota": _quota,
    "saboteur": _saboteur,
    "vote won": _vote_won,
    "vote lost": _vote_lost,
    "parity": _parity,
}
"""How weights and quota of each vote are drawn. Synergy is unanimity; dummies stand beside a dictator; a vote is won
or lost by everyone together, and some coalition wins it."""

VOTES = tuple(name for name in GAMES if name != "parity")
CHANNEL_OF: dict[str, tuple[str, ...]] = {
    "linear": (*VOTES, "additive"),
    "step": VOTES,
    "parity": ("parity",),
    "product": ("product",),
}
"""The games of each channel."""
