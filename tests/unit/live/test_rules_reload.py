"""Which content of a rules file is taken, which is refused, and what is said of it."""

import os
from pathlib import Path

import pytest

from app.core.errors import ConfigError
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
        self.watch = RulesReloader(self.path, self.metrics)

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
        RulesReloader(tmp_path / "rules.yaml", Metrics())


def test_rates_without_a_share_for_each_partition_are_refused(tmp_path: Path) -> None:
    """At the start, naming limit and partitions; a file that comes later is refused like any."""
    path = tmp_path / "rules.yaml"
    rules = "version: 1\nthrottle: {rate: [{limit: LIMIT, per: 1m, channel: sms}]}\ntriggers: {}\n"
    path.write_text(rules.replace("LIMIT", "12"))
    metrics = Metrics()
    reloader = RulesReloader(path, metrics)
    reloader.share_rates(12)
    with pytest.raises(ConfigError, match=r"at least 13, one for each partition, found 12"):
        reloader.share_rates(13)
    reloader.share_rates(12)
    path.write_text(rules.replace("LIMIT", "7"))
    assert [reloader.look() for _ in range(3)] == [None] * 3
    assert metrics.registry.get_sample_value("trigger_rules_refused_total") == 1


def test_rules_that_fail_when_they_decide_give_way_to_the_ones_before(tmp_path: Path) -> None:
    """Only reloaded ones, and only while they are new; the file is read again when it changes."""
    path, now_s = tmp_path / "rules.yaml", [0.0]
    path.write_text(FIRST)
    first = RulesReloader(path, Metrics(), monotonic=lambda: now_s[0])
    assert first.before_failure() is None
    before = first.in_use
    path.write_text(SECOND)
    assert first.look() is None
    reloaded = first.look()
    assert reloaded is not None
    first.use(reloaded)
    assert first.before_failure() is before
    now_s[0] = GOOD_AFTER_S
    assert first.before_failure() is None

    metrics = Metrics()
    again = RulesReloader(path, metrics, before)
    assert again.in_use is before
    assert metrics.registry.get_sample_value("trigger_rules_stale") == 1
    assert [again.look(), again.look()] == [None, None]
    path.write_text(SECOND.replace("another", "a third"))
    assert again.look() is None
    found = again.look()
    assert found is not None
    assert found.triggers["thanks"].steps[0].template == "a third"
    assert metrics.registry.get_sample_value("trigger_rules_stale") == 0
