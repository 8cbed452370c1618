"""What sources of video clips share: sound, pictures and flow are read from the video, or lie beside it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from raymm.data.sources.base import Absent, Source, SourceSettings
from raymm.data.sources.files import SOUND, VIDEO, Files
from raymm.data.sources.folders import flow_folders, frame_folders
from raymm.errors import Problems

__all__ = ["ClipSettings", "ClipSource", "Clips", "youtube_id"]

SOUND_FOLDERS = ("audio", "wav", "train_wav", "test_wav")
"""Where sound lies that was taken out of the clips."""

BESIDE_FRAMES = ("train", "val", "test", "videos", "video")
"""Where it lies as well where pictures were taken out of the clips."""

ID_LETTERS = 11

Find = Callable[..., str | Absent]


def youtube_id(name: str) -> str:
    """The video of which a clip is a part.

    >>> youtube_id("-3Mwkq-7TV4_2"), youtube_id("fbVaD-oDUIE_000168_000178")
    ('-3Mwkq-7TV4', 'fbVaD-oDUIE')
    """
    return name[:ID_LETTERS]


class ClipSettings(SourceSettings):
    """Where pictures and flow are read from."""

    rgb: Literal["video", "pictures"] = Field(
        default="video", description="frames of the videos, or as they lie in Image-01-FPS/CLIP/ and the like"
    )
    flow: Literal["computed", "tvl1"] = Field(
        default="computed", description="flow by raymm from the videos, or as it lies in tvl1_flow/"
    )


@dataclass(frozen=True)
class Clips:
    """The files of a data set of clips.

    Attributes
    ----------
    videos, sound
        Folders in which the videos lie, and the sound where it lies apart.
    ignore_case
        Whether folders of pictures may be called after a clip in other capitals.
    """

    root: Path
    settings: ClipSettings
    problems: Problems
    videos: Sequence[str]
    sound: Sequence[str] = SOUND_FOLDERS
    ignore_case: bool = False

    def finders(self, names: Sequence[str]) -> dict[str, Find]:
        """By modality, what finds its file by the names that a clip may have."""
        found: dict[str, Find] = {}
        if "rgb" in names and self.settings.rgb == "pictures":
            found["rgb"] = frame_folders(self.root, self.problems, self.ignore_case).find
        if "flow" in names and self.settings.flow == "tvl1":
            found["flow"] = flow_folders(self.root, self.problems, self.ignore_case).find
        beside = BESIDE_FRAMES if self.settings.rgb == "pictures" else ()
        sound = Files(self.root, (*self.sound, *beside), SOUND, "", self.problems)
        by_video = [name for name in names if name not in found and not (name == "audio" and sound.names)]
        what = f"the videos, for {' and '.join(by_video)}" if by_video else ""
        videos = Files(self.root, self.videos, VIDEO, what, self.problems).find
        found |= dict.fromkeys(by_video, videos)
        if "audio" in names and sound.names:
            found["audio"] = lambda *stems: _first(sound.find(*stems), videos(*stems))
        return {name: found[name] for name in names}


def _first(sound: str | Absent, video: str | Absent) -> str | Absent:
    """Sound that lies apart, else the video, else where the sound would be."""
    return video if isinstance(sound, Absent) and isinstance(video, str) else sound


class ClipSource(Source):
    """A source of video clips with sound, of up to 10 seconds, pictures once a second as in published work."""

    Settings: ClassVar[type[SourceSettings]] = ClipSettings
    modalities: ClassVar[Mapping[str, str]] = {"audio": "audio", "rgb": "rgb"}
    further: ClassVar[Mapping[str, str]] = {"flow": "flow"}
    sets: ClassVar[Sequence[str]] = ("rgb.fps=1",)
    recordings: ClassVar[str] = "YouTube videos"

    def kinds(self) -> dict[str, str]:
        """Pictures and flow are of the kinds that the settings say."""
        saved = {"rgb": self.settings.rgb == "pictures", "flow": self.settings.flow == "tvl1"}
        return {name: f"{kind}_pictures" if saved.get(name) else kind for name, kind in super().kinds().items()}
