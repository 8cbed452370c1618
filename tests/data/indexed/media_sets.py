"""One small collection of sound, pictures, vectors and texts: a manifest, tar archives and a Hugging Face folder."""

import io
import json
import tarfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from raymm.data.media.write import write_wav

SPLITS = ("train", "val", "test")
CLASSES = ("low", "high")
MODALITIES = "audio,image,pose:vector,note:text"
SETTINGS = ("image.height=16", "image.width=20")
COUNT = 24


def rows():
    """What the samples are; some lack a modality."""
    found = []
    for row in range(COUNT):
        label = row // 3 % 2
        found.append(
            {
                "sample_id": f"s{row:03d}",
                "split": SPLITS[row % 3],
                "label": CLASSES[label],
                "audio": None if row % 7 == 3 else f"s{row:03d}.wav",
                "image": None if row % 5 == 4 else f"s{row:03d}.png",
                "pose": np.random.default_rng(row).normal(label, 1, 4).astype(np.float32).tolist(),
                "note": f"a {CLASSES[label]} tone of number {row}",
            }
        )
    return found


def write_media(folder):
    """The files of the collection."""
    folder.mkdir(parents=True, exist_ok=True)
    for row, sample in enumerate(rows()):
        generator = np.random.default_rng(100 + row)
        time = np.arange(4000 + 16 * row) / 16_000
        write_wav(folder / f"s{row:03d}.wav", 0.5 * np.sin(2 * np.pi * (300 + 40 * row) * time), 16_000)
        pixels = generator.integers(0, 256, (12 + row, 18, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"s{row:03d}.png")
        del sample


def write_manifest(path):
    """A Parquet manifest; the media lie beside it."""
    write_media(path.parent)
    pq.write_table(pa.Table.from_pylist(rows()), path)
    return path


def write_tars(folder, media):
    """An archive a split, a file a modality; vectors are .npy."""
    folder.mkdir(parents=True)
    for split in SPLITS:
        with tarfile.open(folder / f"{split}-000.tar", "w") as archive:
            for sample in rows():
                if sample["split"] == split:
                    for suffix, content in members_of(sample, media):
                        info = tarfile.TarInfo(f"{sample['sample_id']}{suffix}")
                        info.size = len(content)
                        archive.addfile(info, io.BytesIO(content))
    return folder


def members_of(sample, media):
    """Suffixes and contents of a sample's files."""
    vector = io.BytesIO()
    np.save(vector, np.array(sample["pose"], np.float32))
    yield ".cls", sample["label"].encode()
    yield ".json", json.dumps({"note": sample["note"], "split": sample["split"]}).encode()
    yield ".pose.npy", vector.getvalue()
    for name, suffix in (("audio", ".wav"), ("image", ".png")):
        if sample[name]:
            yield suffix, (media / sample[name]).read_bytes()


def write_hugging_face(folder, media):
    """A `DatasetDict` saved to disk by the library itself."""
    import datasets

    features = datasets.Features(
        {
            "sample_id": datasets.Value("string"),
            "label": datasets.ClassLabel(names=list(CLASSES)),
            "audio": datasets.Audio(decode=False),
            "image": datasets.Image(decode=False),
            "pose": datasets.Sequence(datasets.Value("float32")),
            "note": datasets.Value("string"),
        }
    )
    parts = {}
    for split, named in zip(SPLITS, ("train", "validation", "test"), strict=True):
        own = [sample for sample in rows() if sample["split"] == split]
        columns = {name: [sample[name] for sample in own] for name in ("sample_id", "pose", "note")}
        columns["label"] = [CLASSES.index(sample["label"]) for sample in own]
        for name in ("audio", "image"):
            files = [sample[name] for sample in own]
            columns[name] = [file and {"bytes": (media / file).read_bytes(), "path": file} for file in files]
        table = pa.table({name: columns[name] for name in features}, schema=features.arrow_schema)
        parts[named] = datasets.Dataset(table, info=datasets.DatasetInfo(features=features))
    datasets.DatasetDict(parts).save_to_disk(str(folder))
    return folder
