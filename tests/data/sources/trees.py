"""Tiny trees in the layouts in which the field's data sets are published; each function returns what must be found.

That is a dictionary from sample ids to `(split, label)`, where the split "train+" is that of the training list, of
which a part becomes validation.
"""

import json
import shutil
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
from PIL import Image

from raymm.data.media.write import write_clip, write_wav
from tests.data.clips import FPS, RATE, flashes, tone

SECONDS = 0.4


@cache
def model_file(kind, start=0.2):
    """A clip or a sound, written once."""
    path = Path(mkdtemp()) / f"model.{'mp4' if kind == 'clip' else 'wav'}"
    if kind == "clip":
        write_clip(path, flashes(SECONDS, start), FPS, tone(SECONDS, start), RATE)
    else:
        write_wav(path, tone(SECONDS, start), RATE)
    return path


def put(path, kind="clip", start=0.2):
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(model_file(kind, start), path)
    return path


def text(path, *lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
    return path


def video_id(number):
    return f"{'-_'[number % 2]}A{number:09d}"


def kinetics_sounds(root):
    """The lists of OGM-GE; clips in folders of splits, half of them called as Kinetics calls them."""
    found = {}
    for split, count in (("train", 8), ("test", 4)):
        lines = []
        for number in range(count):
            name = f"{video_id(number + 100 * (split == 'test'))}_{7 * number}"
            lines.append(f"{name},10,{2 + 8 * (number % 2)}")
            video, start = name[:11], 7 * number
            called = name if number % 3 else f"a class/{video}_{start:06d}_{start + 10:06d}"
            put(root / split / f"{called}.mp4")
            found[name] = ("test" if split == "test" else "train+", str(2 + 8 * (number % 2)))
        text(root / f"my_{split}.txt", *lines)
    return found


def vggsound(root):
    """A list of which labels hold commas; clips by six digits or by the plain second."""
    found, lines = {}, []
    for number in range(12):
        video, start, split = video_id(number), 5 * number, "test" if number % 3 == 2 else "train"
        label = ("dog barking", "people eating crisps, loudly")[number % 2]
        lines.append(f'{video},{start},"{label}",{split}')
        put(root / "video" / (f"{video}_{start:06d}.mp4" if number % 2 else f"{video}_{start}.mp4"))
        found[f"{video}_{start:06d}"] = ("test" if split == "test" else "train+", label)
    text(root / "vggsound.csv", *lines)
    return found


def ave(root):
    """Three lists, of which one has a header; a video with a second event, and one in two splits."""
    found = {}
    for place, (split, file) in enumerate({"train": "trainSet", "val": "valSet", "test": "testSet"}.items()):
        lines = ["Category&VideoID&Quality&StartTime&EndTime"] if split == "train" else []
        for number in range(4):
            video, label = video_id(10 * place + number), ("Church bell", "Male speech, man speaking")[number % 2]
            lines.append(f"{label}&{video}&good&0&{number + 1}")
            put(root / "AVE" / f"{video}.mp4")
            found[video] = (split, label)
        text(root / f"{file}.txt", *lines)
    more = [f"Church bell&{video_id(1)}&good&3&5", f"Church bell&{video_id(20)}&good&3&5"]
    with (root / "trainSet.txt").open("a") as file:
        file.write("\n".join(more) + "\n")
    return found


def mm_debiased(root):
    found, clips = {}, {}
    subsets = {"training": "train", "validation": "val", "testing": "test"}
    for place, (subset, split) in enumerate(subsets.items()):
        for number in range(4):
            video, label = video_id(10 * place + number), ("bowling", "playing piano")[number % 2]
            name = (f"{video}_20", f"{video}_000168_000178", video)[number % 3]
            clips[name] = {"subset": subset, "label": label}
            put(root / ("VGGSound", "Kinetics")[number % 3 == 1] / f"{name}.mp4")
            found[name] = (split, label)
    (root / "MM-Debiased.json").write_text(json.dumps(clips))
    return found


def crema_d(root, actors=10):
    """Each actor says two sentences; the usual lists have all actors in both."""
    lists = {"train": [], "test": []}
    found = {}
    for actor in range(1001, 1001 + actors):
        for sentence in ("DFA", "IEO", "TSI"):
            for emotion in ("ANG", "NEU"):
                name = f"{actor}_{sentence}_{emotion}_XX"
                split = "test" if sentence == "TSI" else "train"
                lists[split].append(f"{name},{emotion}")
                put(root / "AudioWAV" / f"{name}.wav", "wav")
                put(root / "VideoFlash" / f"{name}.flv")
                found[name] = ("test" if split == "test" else "train+", emotion)
    for split, lines in lists.items():
        text(root / f"{split}.csv", *lines)
    return found


def food101(root):
    """One list with a header in another order, one without; titles with commas, quotes, line breaks and none."""
    found = {}
    titles = ["Apple pie, the best", 'A "real" one', "two\nlines", ""]
    for split in ("train", "test"):
        lines = ["label,Image_path,text"] if split == "train" else []
        for number in range(8):
            label = ("apple_pie", "sushi")[number % 2]
            picture, title = f"{label}_{split}_{number}.jpg", titles[number // 2].replace('"', '""')
            row = [label, picture, f'"{title}"'] if split == "train" else [picture, f'"{title}"', label]
            lines.append(",".join(row))
            (root / "images" / split / label).mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (12, 10), (255, 0, 0) if number % 2 else (0, 0, 255)).save(
                root / "images" / split / label / picture
            )
            found[picture.removesuffix(".jpg")] = ("test" if split == "test" else "train+", label)
        text(root / "texts" / f"{split}_titles.csv", *lines)
    return found


def ucf101(root, flow=""):
    """Classes in an order of their own; groups of two clips; flow as u and v folders or in one folder a clip."""
    found = {}
    classes = ("YoYo", "Archery")
    text(root / "ucfTrainTestlist" / "classInd.txt", *(f"{place} {name}" for place, name in enumerate(classes, 1)))
    for split, groups in (("train", range(3, 7)), ("test", (1, 2))):
        lines = []
        for place, label in enumerate(classes, 1):
            for group in groups:
                for clip in (1, 2):
                    name = f"v_{label}_g{group:02d}_c{clip:02d}"
                    lines.append(f"{label}/{name}.avi" + (f" {place}" if split == "train" else ""))
                    put(root / "UCF-101" / label / f"{name}.avi")
                    if flow:
                        flow_pictures(root / "tvl1_flow", name, flow, group)
                    found[name] = ("test" if split == "test" else "train+", label)
        text(root / "ucfTrainTestlist" / f"{split}list01.txt", *lines)
    return found


def flow_pictures(root, name, layout, value, count=10, size=(20, 16)):
    """Pictures that are `128 + value` in x and `128 - value` in y, in one of the published layouts."""
    for number in range(1, count + 1):
        places = {
            "u": (f"u/{name}/frame{number:06d}.jpg", f"v/{name}/frame{number:06d}.jpg"),
            "x": (f"{name}/flow_x_{number:05d}.jpg", f"{name}/flow_y_{number:05d}.jpg"),
            "inner": (f"{name}/flow_x/{number}.png", f"{name}/flow_y/{number}.png"),
        }[layout]
        for place, pixel in zip(places, (128 + value, 128 - value), strict=True):
            (root / place).parent.mkdir(parents=True, exist_ok=True)
            Image.new("L", size, pixel).save(root / place)


def nvgesture(root):
    """Gestures that begin at frame 5 of colour and frame 3 of depth, by seven people."""
    lists = {"train": [], "test": []}
    found = {}
    for person in range(1, 8):
        for label in (1, 2):
            folder = f"class_{label:02d}/subject{person}_r0"
            split = "test" if person > 5 else "train"
            sensors = "depth:sk_depth:3:9 color:sk_color:5:9 duo_left:duo_left:1:9"
            lists[split].append(f"path:./Video_data/{folder} {sensors} label:{label}")
            put(root / "Video_data" / folder / "sk_color.avi")
            put(root / "Video_data" / folder / "sk_depth.avi")
            found[folder.replace("/", "-")] = ("test" if split == "test" else "train+", f"{label:02d}")
    for split, lines in lists.items():
        text(root / f"nvgesture_{split}_correct_cvpr2016_v2.lst", *lines)
    return found


SENTIMENTS = [-3, -0.2, 0, 0.4, 2.5, -1]


def cmu_mosei(root, file="mosei_senti_data.npz"):
    """Six sentences a split, of three videos; sound with minus infinity."""
    arrays, found = {}, {}
    generator = np.random.default_rng(0)
    for split, called in (("train", "train"), ("val", "valid"), ("test", "test")):
        for name, size in (("text", 6), ("audio", 4), ("vision", 3)):
            arrays[f"{called}_{name}"] = generator.normal(size=(6, 5, size)).astype(np.float32)
        arrays[f"{called}_audio"][1, 2, 3] = -np.inf
        arrays[f"{called}_labels"] = np.array(SENTIMENTS, np.float32).reshape(6, 1, 1)
        arrays[f"{called}_id"] = np.array([[f"{called}{number // 2}", "0", "1"] for number in range(6)])
        for row, sentiment in enumerate(SENTIMENTS):
            found[f"{split}-{row:05d}"] = (split, "negative" if sentiment < 0 else "nonnegative")
    root.mkdir(parents=True, exist_ok=True)
    np.savez(root / file, **arrays)
    return found


TREES = {
    make.__name__: make
    for make in (kinetics_sounds, ucf101, crema_d, vggsound, ave, mm_debiased, cmu_mosei, food101, nvgesture)
}
