"""What is a path of this machine, and what is an address and refused."""

from pathlib import Path

import pytest

from raymm.errors import ConfigError
from raymm.storage.local_path import local_path

REFUSED = "is an address, and a folder or file of this machine is needed"


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ("file:///mnt/a%20b", "/mnt/a b"),
        ("FILE:///mnt/%E6%97%A5", "/mnt/日"),
        ("file://localhost/a", "/a"),
        ("file:///a%23b%3F", "/a#b?"),
        ("file:///a/", "/a"),
        (Path("file:///mnt/a%20b"), "/mnt/a b"),
    ],
)
def test_the_address_of_a_file_is_its_path(given, path):
    assert local_path(given) == Path(path)


@pytest.mark.parametrize(
    "name", ["a", "/a/b", "run:1", "12:30", "file:x", "a%20b", "s3:x", "s3:", "C:/x", "./s3/x", "a b", "x=s3://y", ""]
)
def test_names_of_folders_stay_as_they_are(name):
    assert local_path(name) == local_path(Path(name)) == Path(name)


@pytest.mark.parametrize("scheme", ["s3", "gs", "S3", "abfss", "https", "hdfs", "s3a"])
@pytest.mark.parametrize("of", [str, Path])
def test_other_addresses_are_refused_in_words(scheme, of):
    with pytest.raises(ConfigError, match=REFUSED) as refused:
        local_path(of(f"{scheme}://bucket/run"))
    assert str(refused.value).startswith(f"{scheme}://bucket/run: ")
    assert "cluster.mirror=s3://bucket/prefix" in str(refused.value)


def test_the_message_holds_no_secret():
    with pytest.raises(ConfigError) as refused:
        local_path("s3://key:secret@bucket/run?token=t")
    assert str(refused.value).startswith("s3://bucket/run: ")
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("wrong", ["file://server/a", "file://a", "file:///a#b", "file:///a?b", "file://"])
def test_addresses_of_files_that_name_no_file_say_how_to_write_it(wrong):
    with pytest.raises(ConfigError, match="write a file of this machine as its plain path"):
        local_path(wrong)
