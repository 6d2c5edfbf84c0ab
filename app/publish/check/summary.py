"""What checking a file came to, in a few lines."""

from collections import Counter
from collections.abc import Iterator
from typing import Final, TypeVar

from app.publish.check.lines import Checked

#: So many kinds of remarks and of events are counted; a file of another kind may have millions.
_KINDS: Final = 500
Key = TypeVar("Key")
#: A warning that comes again and again is printed so often.
REPEATED: Final = 20


class Summary:
    """Counts lines by how they are, events by type and remarks by kind."""

    def __init__(self) -> None:
        self.lines = 0
        self.with_errors = 0
        self.with_warnings = 0
        #: about the file as a whole
        self.file_warnings = 0
        self._events: Counter[str] = Counter()
        self._kinds: Counter[tuple[str, str]] = Counter()

    def take(self, checked: Checked) -> Iterator[str]:
        """Count the line; what is to be printed about it: all errors, and warnings that have not
        been seen REPEATED times.
        """
        self.lines += 1
        levels = {remark.level for remark in checked.remarks}
        self.with_errors += "error" in levels
        self.with_warnings += levels == {"warning"}
        _count(self._events, checked.event)
        for remark in checked.remarks:
            kind = remark.level, f"{remark.path}: expected {remark.expected}".removeprefix(": ")
            _count(self._kinds, kind)
            if remark.level == "error" or self._kinds[kind] <= REPEATED:
                yield str(remark)

    def text(self) -> Iterator[str]:
        """The end of the report."""
        if self._events:
            counts = ", ".join(f"{name} {count}" for name, count in sorted(self._events.items()))
            yield f"events: {counts}"
        for (level, kind), count in sorted(
            self._kinds.items(), key=lambda item: (item[0][0], -item[1], item[0][1])
        ):
            yield f"{level} {count} times: {kind}"
        clean = self.lines - self.with_errors - self.with_warnings
        counts = (
            f"{self.lines} lines: {clean} clean, {self.with_warnings} with warnings,"
            f" {self.with_errors} with errors"
        )
        if self.file_warnings:
            counts += f"; warnings about the file as a whole: {self.file_warnings}"
        yield counts


def _count(counter: Counter[Key], key: Key) -> None:
    if key in counter or len(counter) < _KINDS:
        counter[key] += 1
