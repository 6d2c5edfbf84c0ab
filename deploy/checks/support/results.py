"""What a check has to say: one row of the table for each thing it looked at."""

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """How it went. What cannot be checked here is SKIPPED, never silently left out."""

    OK = "ok"
    FAILED = "FAILED"
    SKIPPED = "SKIPPED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One row. ``what`` is what was looked at, ``detail`` figures, the problem or the reason."""

    what: str
    verdict: Verdict
    detail: str = ""


class NotHere(Exception):
    """The check cannot run on this machine; the text says why. Its row is SKIPPED."""


class Broken(Exception):
    """What was checked is wrong; the text says where and how. Its row is FAILED."""


def ok(what: str, detail: str = "") -> Result:
    """It is as it should be."""
    return Result(what=what, verdict=Verdict.OK, detail=detail)


def failed(what: str, detail: str) -> Result:
    """It is wrong; ``detail`` says where, what was found and what was expected."""
    return Result(what=what, verdict=Verdict.FAILED, detail=detail)


def skipped(what: str, reason: str) -> Result:
    """It could not be checked here."""
    return Result(what=what, verdict=Verdict.SKIPPED, detail=reason)


def judged(what: str, problems: list[str], detail: str = "") -> Result:
    """Failed with the first problems when there are any, else ok with ``detail``."""
    if not problems:
        return ok(what, detail)
    shown = "\n".join(problems[:8])
    rest = len(problems) - 8
    return failed(what, f"{shown}\nand {rest} more" if rest > 0 else shown)
