"""Alert rules: promtool reads them and plays their cases; the runbook explains each."""

import shutil
from collections.abc import Iterator

from deploy.checks.support.place import Place
from deploy.checks.support.results import Result, judged, skipped
from deploy.monitoring import alerts


def run(place: Place) -> Iterator[Result]:
    """What can be said without promtool, then with it."""
    names = f"{len(alerts.alert_names())} alerts, {len(alerts.rules())} rules"
    yield judged("severity, texts and a place in the runbook", alerts.incomplete(), names)
    yield judged("a case in which it fires and stays silent", alerts.untested(), names)
    if shutil.which("promtool") is None:
        yield skipped("promtool", "not installed: apt-get install prometheus")
        return
    yield judged("promtool check rules", alerts.promtool("check", "rules", alerts.RULES))
    for path in alerts.CASES:
        found = alerts.promtool("test", "rules", path)
        yield judged(f"promtool test rules {path.name}", found, f"{alerts.count(path)} cases")
