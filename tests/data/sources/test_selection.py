"""Which lines become samples, and which of the training list validate, against plain rules over random lists."""

from collections import Counter, defaultdict

from hypothesis import given
from hypothesis import strategies as st

from raymm.data.sources.base import Absent, Entry
from raymm.data.sources.selection import hold_out, leave_out

LISTS = st.lists(
    st.tuples(
        st.sampled_from(["train", "val", "test"]),
        st.sampled_from("xyz"),
        st.sampled_from(["a.mp4", "b.mp4", "c.mp4", "d.mp4", "!e.mp4", "d.mp4#t=1", "d.mp4#t=2"]),
        st.sampled_from(["a.wav", "b.wav", "!c.wav"]),
        st.sampled_from(["a title", "another", ""]),
    ),
    max_size=25,
)
ORDER = ["train", "val", "test"]


def cell(text):
    return Absent(text[1:]) if text.startswith("!") else text


def entries_of(lines):
    return [
        Entry(f"s{number}", split, label, {"rgb": cell(rgb), "audio": cell(audio), "text": title}, f"{rgb[:2]}")
        for number, (split, label, rgb, audio, title) in enumerate(lines)
    ]


@given(LISTS, st.booleans())
def test_lines_are_left_out_for_one_reason_and_never_otherwise(lines, keep_incomplete):
    entries = entries_of(lines)
    kept, out = leave_out(entries, keep_incomplete, ["text"])
    assert sorted(entry.sample_id for entry in [*kept, *(item.entry for item in out)]) == sorted(
        entry.sample_id for entry in entries
    )
    there = []
    for entry in entries:  # the rules again, one at a time
        media = [entry.cells["rgb"], entry.cells["audio"]]
        absent = sum(isinstance(found, Absent) for found in media)
        if not absent or keep_incomplete:
            there.append((entry, tuple(found for found in media if isinstance(found, str))))
    first = [files[0].split("#")[0] if files else "" for _, files in there]
    latest = {
        file: max((ORDER.index(e.split) for (e, _), f in zip(there, first, strict=True) if f == file))
        for file in first
    }
    expected, seen = [], set()
    for (entry, files), file in zip(there, first, strict=True):
        if file and (ORDER.index(entry.split) < latest[file] or files in seen):
            continue
        seen.add(files)
        expected.append(entry.sample_id)
    assert [entry.sample_id for entry in kept] == expected


@given(
    st.lists(st.tuples(st.sampled_from("xyz"), st.integers(0, 9), st.booleans()), min_size=1, max_size=60),
    st.floats(0.05, 0.8),
    st.integers(0, 5),
    st.booleans(),
)
def test_whole_groups_validate_by_class_or_over_all(lines, share, seed, by_class):
    entries = [
        Entry(f"s{number}", "test" if is_test else "train", label, {}, f"{label if by_class else ''}{group}")
        for number, (label, group, is_test) in enumerate(lines)
    ]
    found = hold_out(entries, share, seed, by_class)
    assert [entry.sample_id for entry in found] == [entry.sample_id for entry in entries]
    assert all(new.split == "test" for new, old in zip(found, entries, strict=True) if old.split == "test")
    splits = defaultdict(set)
    for entry in found:
        if entry.split != "test":
            splits[entry.recording].add(entry.split)
    assert all(len(found_splits) == 1 for found_splits in splits.values())
    strata = Counter(group[0] if by_class else "" for group in splits)
    held = Counter(group[0] if by_class else "" for group, found_splits in splits.items() if found_splits == {"val"})
    for stratum, count in strata.items():
        assert held[stratum] == min(max(1, round(share * count)), count - 1)
