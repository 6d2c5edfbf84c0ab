"""What is seen of a line at a glance is what reading all of it says."""

from hypothesis import given
from hypothesis import strategies as st

from app.backtest.history import read_arrival
from app.backtest.parallel.line_headers import LineHeader, read_headers
from app.core.events import Event
from tests.bench.events import START_MS, events, profiles
from tests.effort import examples

SOUND = [
    *events(60, 5),
    *profiles(2),
    '{"topic":"orders","event_id":"é","type":"t","customer_id":"ü€😀","data":{"a":[1]},'
    '"occurred_at":"2026-01-01T00:00:00Z","arrived_at":5}'.encode(),
    b'{"topic":"profiles","key":"ann","value":null,"arrived_at":5}',
]
#: What tells one JSON reader from another, and one type from another.
BITS = (
    b"",
    b" ",
    b'"',
    b"\\",
    b"{",
    b"[]",
    b"}",
    b",",
    b":",
    b"0",
    b"-",
    b".0",
    b"e999",
    b"null",
    b"true",
    b"NaN",
    b"1.0",
    b"9" * 25,
    b"\x00",
    b"\x1f",
    b"\x7f",
    b"\xff",
    b"\xed\xa0\x80",
    b"\xc0\x80",
    b"\\ud800",
    b'"customer_id":"zoe",',
    b'"occurred_at":7,',
    b'"arrived_at":null,',
    b'"key":"k",',
    b'"data":{},',
    b'"data":{"a":1e400},',
    b'"data":{"a":{"b":[]}},',
    b'"more":"\xff",',
    b'"x":1,',
)


@examples(1500)
@given(
    line=st.sampled_from(SOUND),
    changes=st.lists(
        st.tuples(st.integers(0, 200), st.integers(0, 3), st.sampled_from(BITS)), max_size=3
    ),
)
def test_line_headers_agree_with_read_arrivals(
    line: bytes, changes: list[tuple[int, int, bytes]]
) -> None:
    """Whose line it is and its times, also when something in it is wrong."""
    for place, length, bit in changes:
        place %= len(line)
        line = line[:place] + bit + line[place + length :]
    whole = read_arrival(line, 1)
    content = whole.content
    occurred_ms = content.occurred_ms if isinstance(content, Event) else None
    whose = content.customer_id if isinstance(content, Event) else ""
    if isinstance(content, str):
        whose = content
    expected = LineHeader(1, whole.arrived_ms, occurred_ms, whose, line)
    assert list(read_headers([line])) == ([] if line.isspace() else [expected])


def test_lines_count_as_a_file_counts_them() -> None:
    """Line numbers count blank lines."""
    assert [seen.number for seen in read_headers([b"", SOUND[0], b" ", b"x"])] == [2, 4]
    assert next(read_headers(profiles(1))).arrived_ms == START_MS
