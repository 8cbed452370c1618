"""What sources of video clips with sound share: one file has sound and pictures, or the sound lies beside it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from raymm.data.sources.base import Absent, Source
from raymm.data.sources.files import SOUND, VIDEO, Files
from raymm.errors import Problems

__all__ = ["ClipSource", "Clips", "youtube_id"]

SOUND_FOLDERS = ("audio", "wav", "train_wav", "test_wav")
"""Where sound lies that was taken out of the clips."""

ID_LETTERS = 11


def youtube_id(name: str) -> str:
    """The video of which a clip is a part.

    >>> youtube_id("-3Mwkq-7TV4_2"), youtube_id("fbVaD-oDUIE_000168_000178")
    ('-3Mwkq-7TV4', 'fbVaD-oDUIE')
    """
    return name[:ID_LETTERS]


class Clips:
    """The clips of a data set, and their sound where it lies apart."""

    def __init__(self, root: Path, folders: Sequence[str], what: str, problems: Problems) -> None:
        self._clips = Files(root, folders, VIDEO, what, problems)
        self._sound = Files(root, SOUND_FOLDERS, SOUND, "", problems)

    def cells(self, names: Sequence[str], *stems: str) -> Mapping[str, str | Absent]:
        """Cells of the modalities `names` of a clip that is called after the first of `stems` that there is."""
        clip = self._clips.find(*stems)
        sound = self._sound.find(*stems)
        return {name: sound if name == "audio" and isinstance(sound, str) else clip for name in names}


class ClipSource(Source):
    """A source of video clips with sound, of up to 10 seconds, pictures once a second as in published work."""

    modalities: ClassVar[Mapping[str, str]] = {"audio": "audio", "rgb": "rgb"}
    further: ClassVar[Mapping[str, str]] = {"flow": "flow"}
    sets: ClassVar[Sequence[str]] = ("rgb.fps=1",)
    recordings: ClassVar[str] = "YouTube videos"
