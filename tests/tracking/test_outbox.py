import stat
from pathlib import Path

import pytest

from raymm.errors import TrackingError
from raymm.tracking.outbox import Outbox


def test_events_come_back_in_order(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path)
    for number in range(5):
        outbox.add({"kind": "metrics", "step": number})
    assert [event["step"] for event in Outbox(tmp_path).events] == [0, 1, 2, 3, 4]


def test_an_event_with_an_identity_is_kept_once_also_by_the_next_process(tmp_path: Path) -> None:
    Outbox(tmp_path).add({"kind": "tags", "value": 1}, once="epoch 3")
    later = Outbox(tmp_path)
    later.add({"kind": "tags", "value": 2}, once="epoch 3")
    later.add({"kind": "tags", "value": 3}, once="epoch 4")
    assert [event["value"] for event in Outbox(tmp_path).events] == [1, 3]


def test_an_event_of_another_digest_is_kept_also_when_it_comes_back(tmp_path: Path) -> None:
    for value, digest in enumerate(["a", "a", "b", "b", "a", None, None]):
        Outbox(tmp_path).add({"kind": "tags", "value": value, "digest": digest}, once="artifact plots/x.png")
    assert [event["value"] for event in Outbox(tmp_path).events] == [0, 2, 4, 5]


def test_the_newest_values_of_a_kind(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path)
    outbox.add({"kind": "tags", "tags": {"a": "1", "b": "1"}})
    outbox.add({"kind": "summary", "summary": {"a": 7.0}})
    outbox.add({"kind": "tags", "tags": {"b": "2"}})
    assert Outbox(tmp_path).newest("tags") == {"a": "1", "b": "2"}
    assert outbox.newest("status") == {}


def test_events_without_identity_are_all_kept(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path)
    outbox.add({"kind": "status", "status": "KILLED"})
    outbox.add({"kind": "status", "status": "KILLED"})
    assert len(Outbox(tmp_path).events) == 2


@pytest.mark.parametrize("left", range(1, 30, 4))
def test_a_torn_last_line_is_forgotten_and_overwritten(tmp_path: Path, left: int) -> None:
    outbox = Outbox(tmp_path)
    outbox.add({"kind": "metrics", "step": 0})
    whole = len(outbox.path.read_bytes())
    outbox.add({"kind": "metrics", "step": 1, "metrics": {"val/accuracy": 0.5}})
    with outbox.path.open("rb+") as file:
        file.truncate(whole + left)
    torn = Outbox(tmp_path)
    assert torn.events == [{"kind": "metrics", "step": 0}]
    torn.add({"kind": "metrics", "step": 9})
    assert [event["step"] for event in Outbox(tmp_path).events] == [0, 9]


def test_a_damaged_line_in_the_middle_is_named(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path)
    for number in range(3):
        outbox.add({"kind": "metrics", "step": number})
    outbox.path.write_bytes(outbox.path.read_bytes().replace(b'"step": 1', b'"step": \x00'))
    with pytest.raises(TrackingError, match=r"events\.jsonl: line 2 is damaged.*delete the file"):
        Outbox(tmp_path)


@pytest.mark.parametrize("line", [b"null", b"[]", b"3", b'"x"', b"[" * 200_000, b"{", b"\xff"])
def test_a_line_that_is_no_event_is_named(tmp_path: Path, line: bytes) -> None:
    outbox = Outbox(tmp_path)
    outbox.add({"kind": "metrics", "step": 0})
    outbox.path.write_bytes(outbox.path.read_bytes() + line + b"\n")
    with pytest.raises(TrackingError, match=r"events\.jsonl: line 2 is damaged.*delete the file"):
        Outbox(tmp_path)


def test_only_the_owner_may_read_it(tmp_path: Path) -> None:
    assert stat.S_IMODE(Outbox(tmp_path).path.stat().st_mode) == 0o600


def test_outboxes_of_different_runs_have_different_marks(tmp_path: Path) -> None:
    one, other = Outbox(tmp_path / "a"), Outbox(tmp_path / "b")
    one.add({"kind": "run", "time": 1})
    other.add({"kind": "run", "time": 2})
    assert one.mark(1) != other.mark(1)
    before = one.mark(1)
    one.add({"kind": "metrics"})
    assert one.mark(1) == before == Outbox(tmp_path / "a").mark(1)
    assert one.count_of(other.mark(1)) is None
