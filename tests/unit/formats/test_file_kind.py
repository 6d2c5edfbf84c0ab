"""What a file is that should be JSON lines."""

import gzip
from pathlib import Path

import pytest

from app.core.errors import ConfigError
from app.formats.json_lines import open_lines

EVENT = b'{"topic": "orders", "event_id": "e1", "data": {"sku": "a,b"}}'
PRETTY = b'{\n  "topic": "orders",\n  "event_id": "e1"\n}\n'


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"[" + EVENT + b", " + EVENT + b"]", "a JSON array"),
        (b"[\n" + EVENT + b",\n" + EVENT + b"\n]\n", "a JSON array"),
        (b"[\n  " + PRETTY + b"]", "a JSON array"),
        (PRETTY + PRETTY, "several lines"),
        ("\ufeff".encode("utf-16-le") + EVENT.decode().encode("utf-16-le"), "UTF-16"),
        (EVENT.decode().encode("utf-16-be"), "UTF-16"),
        (b"topic,event_id\norders,e1\n", "CSV"),
        (b"topic;event_id\r\norders;e1\r\n", "CSV"),
        (b"PK\x03\x04rest of an archive", "zip"),
        (b"(\xb5/\xfdrest", "zstd"),
        (b"PAR1rest", "Parquet"),
        (b"<!doctype html>\n<title>Not found</title>", "HTML"),
    ],
)
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_another_kind_of_file_is_named(
    tmp_path: Path, content: bytes, kind: str, pack: type[bytes]
) -> None:
    """With what was expected, before a line of it is read; packed with gzip too."""
    path = tmp_path / "some"
    path.write_bytes(pack(content))
    with open_lines(path) as lines, pytest.raises(ConfigError, match=f"JSON lines, got .*{kind}"):
        next(iter(lines))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n\n",
        EVENT,
        b"\xef\xbb\xbf" + EVENT,
        b"[]\n" + EVENT,
        b"not, json\n" + EVENT,
        b"{\n" + EVENT,
        b"not json\nat all\n",
    ],
)
def test_bad_lines_alone_are_no_other_kind(tmp_path: Path, content: bytes) -> None:
    """A file with a line that is an object is read, whatever else is in it."""
    path = tmp_path / "some"
    path.write_bytes(content)
    with open_lines(path) as lines:
        assert len(list(lines)) == len(content.splitlines())
