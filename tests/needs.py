"""Programs that some tests need beside Python: whether they are here, and how to get them."""

import shutil
from typing import Final

import pytest

#: What each need is for and how it is met, by the suffix of its marker ``needs_...``.
REMEDIES: Final = {
    "kafka": "Apache Kafka needs Java 17 and, the first time, Maven:"
    " apt-get install default-jre-headless maven",
    "prometheus": "alert rules and dashboards: apt-get install prometheus",
    "browser": "pages in Chromium: apt-get install chromium",
    "node": "dispatch read with kafkajs: apt-get install nodejs npm",
    "go": "dispatch read with franz-go: apt-get install golang-go (1.21 or newer)",
    "javac": "dispatch read with Java's client: apt-get install default-jdk-headless",
    "root": "a full disk: run the tests as root, with the right to mount",
}
#: Why a need could not be met, for those that a test of this process asked for.
missing: Final[dict[str, str]] = {}


def skip_without(need: str, reason: str) -> None:
    """Skip the test, or all that a fixture serves; the end of the run tells ``reason``."""
    assert need in REMEDIES
    missing[need] = reason
    pytest.skip(f"needs {need}: {reason}")


def program(need: str, name: str) -> str:
    """The path of a program; the test is skipped without it."""
    found = shutil.which(name)
    if found is None:
        skip_without(need, f"no {name}")
        raise AssertionError
    return found
