"""Which content of a rules file is taken, which is refused, and what is said of it."""

import os
from pathlib import Path

import pytest

from app.core.errors import ConfigError
from app.live.rules_memory import RulesMemory
from app.live.rules_reload import GOOD_AFTER_S, RulesReloader
from app.live.telemetry.metrics import Metrics

FIRST = """\
version: 1
triggers:
  thanks: {kind: event, on: [order_placed], category: transactional, template: one,
           channels: [email]}
"""
SECOND = FIRST.replace("one", "another")
BROKEN = FIRST.replace("kind: event", "kind: evening") + "colour: red\n"


class Watched:
    """A rules file, and a watch on it."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "rules.yaml"
        self.path.write_text(FIRST)
        self.metrics = Metrics()
        self.watch = RulesReloader(self.path, self.metrics, RulesMemory(folder))

    def look(self) -> str | None:
        """Look until the file has settled; the template that is taken, None without any."""
        assert self.watch.look() is None
        rules = self.watch.look()
        if rules is None:
            return None
        self.watch.use(rules)
        return rules.triggers["thanks"].steps[0].template

    def value(self, name: str) -> float | None:
        """A metric's value."""
        return self.metrics.registry.get_sample_value(name)


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    return Watched(tmp_path)


def test_an_unchanged_file_is_not_read_again(watched: Watched) -> None:
    """Neither is one that was only touched taken for a change."""
    assert watched.look() is None
    os.utime(watched.path, ns=(1, 1))
    assert watched.look() is None
    assert watched.value("trigger_rules_reloads_total") == 0


def test_a_changed_file_is_taken_once_it_rests(watched: Watched) -> None:
    """What changes from look to look is still being written."""
    watched.path.write_text(SECOND[:30])
    assert watched.watch.look() is None
    watched.path.write_text(SECOND)
    assert watched.look() == "another"
    assert watched.look() is None
    assert watched.value("trigger_rules_reloads_total") == 1
    assert watched.value("trigger_rules_refused_total") == 0


def test_a_link_that_leads_elsewhere_is_a_change(tmp_path: Path) -> None:
    """The same name, another file behind it."""
    folder = tmp_path / "first"
    folder.mkdir()
    watched = Watched(folder)
    second = tmp_path / "second.yaml"
    second.write_text(SECOND)
    watched.path.unlink()
    watched.path.symlink_to(second)
    assert watched.look() == "another"


def test_a_wrong_file_is_refused_once_with_all_its_problems(
    watched: Watched, caplog: pytest.LogCaptureFixture
) -> None:
    """The rules in use stay, and the gauge says that they are not those of the file."""
    watched.path.write_text(BROKEN)
    assert watched.look() is None
    assert watched.look() is None
    assert watched.value("trigger_rules_refused_total") == 1
    assert watched.value("trigger_rules_stale") == 1
    (record,) = caplog.records
    assert record.__dict__["action"] == "rules_refused"
    assert "2 problems" in record.__dict__["problems"]
    assert "triggers.thanks.kind" in record.__dict__["problems"]
    watched.path.write_text(FIRST)
    assert watched.look() is None
    assert watched.value("trigger_rules_stale") == 0
    assert watched.value("trigger_rules_reloads_total") == 0


def test_a_file_that_is_gone_is_refused_until_it_is_back(watched: Watched) -> None:
    """As a mount may lose it."""
    watched.path.unlink()
    assert watched.look() is None
    assert watched.value("trigger_rules_refused_total") == 1
    watched.path.write_text(SECOND)
    assert watched.look() == "another"
    assert watched.value("trigger_rules_stale") == 0


def test_a_worker_does_not_begin_with_wrong_rules(tmp_path: Path) -> None:
    """There are none that could stay."""
    (tmp_path / "rules.yaml").write_text(BROKEN)
    with pytest.raises(ConfigError):
        RulesReloader(tmp_path / "rules.yaml", Metrics(), RulesMemory(tmp_path))


def test_rates_without_a_share_for_each_partition_are_refused(tmp_path: Path) -> None:
    """At the start, naming limit and partitions; a file that comes later is refused like any."""
    path = tmp_path / "rules.yaml"
    rules = "version: 1\nthrottle: {rate: [{limit: LIMIT, per: 1m, channel: sms}]}\ntriggers: {}\n"
    path.write_text(rules.replace("LIMIT", "12"))
    metrics = Metrics()
    reloader = RulesReloader(path, metrics, RulesMemory(tmp_path))
    reloader.share_rates(12)
    with pytest.raises(ConfigError, match=r"at least 13, one for each partition, found 12"):
        reloader.share_rates(13)
    reloader.share_rates(12)
    path.write_text(rules.replace("LIMIT", "7"))
    assert [reloader.look() for _ in range(3)] == [None] * 3
    assert metrics.registry.get_sample_value("trigger_rules_refused_total") == 1


class Failing:
    """A worker's folder with a rules file, begun again after failures, at a time of its own."""

    def __init__(self, folder: Path) -> None:
        self.path, self._folder = folder / "rules.yaml", folder
        self.now_s = 0.0
        self.path.write_text(FIRST)
        self.begin()

    def begin(self) -> str | None:
        """Begin (again); the template that is decided by."""
        self.metrics = Metrics()
        self.reloader = RulesReloader(
            self.path, self.metrics, RulesMemory(self._folder), lambda: self.now_s
        )
        return self.template()

    def template(self) -> str | None:
        return self.reloader.in_use.triggers["thanks"].steps[0].template

    def change(self, text: str) -> str | None:
        """Write the file and follow it; the template that is decided by then."""
        self.path.write_text(text)
        for _ in range(2):
            rules = self.reloader.look()
            if rules is not None:
                self.reloader.use(rules)
        return self.template()

    def let_decide(self) -> None:
        """Let the rules in use decide for long enough to be good."""
        self.now_s += GOOD_AFTER_S
        assert self.reloader.look() is None

    def is_stale(self) -> bool:
        return self.metrics.registry.get_sample_value("trigger_rules_stale") == 1


@pytest.fixture
def failing(tmp_path: Path) -> Failing:
    return Failing(tmp_path)


def test_reloaded_rules_that_fail_give_way_to_the_ones_before(failing: Failing) -> None:
    """While they are new; after every restart, until the file changes."""
    assert not failing.reloader.goes_back()
    assert failing.change(SECOND) == "another"
    assert failing.reloader.goes_back()
    for _ in range(2):
        assert failing.begin() == "one"
        assert failing.is_stale()
    failing.path.touch()
    assert failing.change(SECOND) == "one"
    assert failing.is_stale()
    assert failing.change(SECOND.replace("another", "a third")) == "a third"
    assert not failing.is_stale()
    assert failing.begin() == "a third"


def test_rules_that_have_decided_for_long_are_not_to_blame(failing: Failing) -> None:
    """Whatever fails then is not mended by other rules."""
    failing.change(SECOND)
    failing.let_decide()
    assert not failing.reloader.goes_back()
    assert failing.begin() == "another"


def test_rules_that_fail_at_the_start_give_way_to_good_ones(failing: Failing) -> None:
    """As when they came with a new pod; without any that were good the worker just fails."""
    failing.path.write_text(SECOND)
    failing.begin()
    assert not failing.reloader.goes_back()
    failing.change(FIRST)
    failing.let_decide()
    failing.path.write_text(SECOND)
    assert failing.begin() == "another"
    assert failing.reloader.goes_back()
    assert failing.begin() == "one"


def test_when_the_ones_before_fail_too_the_file_is_tried_again(failing: Failing) -> None:
    """The failure is not the rules'."""
    failing.change(SECOND)
    assert failing.reloader.goes_back()
    assert failing.begin() == "one"
    assert not failing.reloader.goes_back()
    assert failing.begin() == "another"


def test_putting_the_rules_back_ends_the_alert(failing: Failing) -> None:
    """The file then holds what decides."""
    failing.change(SECOND)
    assert failing.reloader.goes_back()
    failing.begin()
    assert failing.change(FIRST) == "one"
    assert not failing.is_stale()
