"""Recognises by its beginning a file that should be JSON lines and is not."""

from typing import Final

import orjson

#: First bytes -> what such a file is, and what to do with it.
_MAGIC: Final = {
    b"PK\x03\x04": "a zip archive (or a spreadsheet): unpack it first",
    b"(\xb5/\xfd": "zstd: decompress it first (gzip is read as it is)",
    b"BZh": "bzip2: decompress it first (gzip is read as it is)",
    b"\xfd7zXZ": "xz: decompress it first (gzip is read as it is)",
    b"PAR1": "Parquet: export it as JSON lines",
    b"Obj\x01": "an Avro file: export it as JSON lines",
    b"\xff\xfe": "text in UTF-16: save it as UTF-8",
    b"\xfe\xff": "text in UTF-16: save it as UTF-8",
}
_UTF16: Final = "text in UTF-16: save it as UTF-8"
_ARRAY: Final = "a JSON array: write each element on a line of its own (`jq -c '.[]'`)"
_SPREAD: Final = "JSON objects spread over several lines: write each on one line (`jq -c .`)"
_CSV: Final = "a table (CSV): write each row as a JSON object on a line of its own"
_HTML: Final = "HTML or XML: expected the file, perhaps this is an error page"
_SEPARATORS: Final = (b",", b";", b"\t", b"|")


def what_instead(head: bytes) -> str | None:
    """What the file is instead of JSON lines, and what to do; None when it may be JSON lines.

    ``head`` is its beginning, uncompressed and without a byte order mark of UTF-8. A file with a
    line that is a JSON object is taken for JSON lines, unless most lines are none and it begins as
    an array does.
    """
    for magic, kind in _MAGIC.items():
        if head.startswith(magic):
            return kind
    if b"\0" in head[:4]:
        return _UTF16
    lines = [line for line in head.split(b"\n") if line and not line.isspace()]
    if not lines:
        return None
    first = lines[0].strip()
    objects = sum(map(_is_object, lines))
    if first.startswith(b"["):
        return _ARRAY if 2 * objects < len(lines) and _is_array(head, first) else None
    if objects:
        return None
    if first == b"{" or (first.startswith(b"{") and len(lines) > 1 and b'"' in lines[1]):
        return _SPREAD if len(lines) > 1 else None
    if first.startswith(b"<"):
        return _HTML
    is_table = len(lines) > 1 and all(any(sep in line for sep in _SEPARATORS) for line in lines[:2])
    return _CSV if is_table and not first.startswith(b"{") else None


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(orjson.loads(line), dict)
    except orjson.JSONDecodeError:
        return False


def _is_array(head: bytes, first: bytes) -> bool:
    """Whether it is an array of objects: they follow, or stand behind the bracket."""
    return first[1:].lstrip().startswith(b"{") or head.lstrip()[1:].lstrip().startswith(b"{")
