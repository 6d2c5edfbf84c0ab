"""The rules file while the worker runs: a change is taken, or refused whole.

What becomes of pending timers under new rules is what ``app.plan.pending`` says.
"""

import logging
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from app.core.errors import ConfigError
from app.core.rules.model import Rules
from app.core.rules.rates import require_share
from app.live.telemetry.metrics import Metrics
from app.rules_file.load import load_rules

_log: Final = logging.getLogger(__name__)

#: How often the worker looks; a look at a file that has not changed is one ``stat``.
LOOK_S: Final = 1.0
#: Reloaded rules that have decided for so long are not to blame for a failure.
GOOD_AFTER_S: Final = 600.0

#: Device, inode, size, and the times of content and inode: of the file that symlinks lead to, so
#: that swapping a link (as Kubernetes does for a ConfigMap) changes it. None: no such file.
_Stamp = tuple[int, int, int, int, int] | None


class RulesReloader:
    """Follows one rules file. ``in_use`` are the last rules it held that were right.

    A changed file is read once two looks in a row have found it the same, so that one that is
    written in place is not read by half. ``look`` blocks while it reads; call it in a thread, never
    twice at once.
    """

    def __init__(
        self,
        path: Path,
        metrics: Metrics,
        last_good: Rules | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Read the rules to begin with; or begin with ``last_good``, because those of the file
        failed when they decided: then the file is read when it changes. Raises ConfigError.
        """
        self._monotonic = monotonic
        #: the rules before those in use, and since when these are
        self._before: Rules | None = None
        self._since_s = monotonic()
        self._partitions = 1
        self._path = path
        self._metrics = metrics
        self._judged = self._seen = _stamp(path)
        self.in_use = self._load() if last_good is None else last_good
        self._topics = frozenset(self.in_use.taxonomy.topics)
        metrics.use_rules(self.in_use)
        if last_good is not None:
            metrics.rules_stale.set(1)
            _log.error(
                "the rules of the file failed when they decided, the ones before them decide again"
                " until the file changes",
                extra={"action": "rules_failed", "rules_version": last_good.version},
            )

    def share_rates(self, partitions: int) -> None:
        """So many partitions share the send rates, of these rules and of later ones.

        Raises ConfigError when a rate has no share for each.
        """
        self._partitions = partitions
        require_share(self.in_use, partitions)

    def _load(self) -> Rules:
        rules = load_rules(self._path)
        require_share(rules, self._partitions)
        return rules

    def look(self) -> Rules | None:
        """The rules to decide by from now on; None when those in use stay."""
        stamp = _stamp(self._path)
        is_settled = stamp == self._seen
        self._seen = stamp
        if stamp == self._judged or not is_settled:
            return None
        self._judged = stamp
        try:
            rules = self._load()
        except Exception as exc:  # whatever a file does to its reader, the rules in use decide on
            self._refuse(exc)
            return None
        self._metrics.rules_stale.set(0)
        if rules.version == self.in_use.version:
            return None
        return rules

    def use(self, rules: Rules) -> None:
        """These rules decide from now on."""
        extra = {
            "action": "rules_reloaded",
            "rules_version": rules.version,
            "rules_version_before": self.in_use.version,
        }
        self._before, self._since_s = self.in_use, self._monotonic()
        self.in_use = rules
        self._metrics.use_rules(rules)
        self._metrics.rules_reloads.inc()
        _log.info("rules file changed, its rules decide from now on", extra=extra)
        unread = sorted(set(rules.taxonomy.topics) - self._topics)
        if unread:
            _log.warning(
                "rules declare input topics that are read only after a restart of every worker",
                extra={"action": "restart_needed", "topics": ", ".join(unread)},
            )

    def before_failure(self) -> Rules | None:
        """A unit failed: the rules to go back to. None when those in use are not to blame: they
        were there from the start, or have decided for GOOD_AFTER_S.
        """
        is_new = self._monotonic() - self._since_s < GOOD_AFTER_S
        return self._before if is_new else None

    def _refuse(self, error: Exception) -> None:
        self._metrics.rules_refused.inc()
        self._metrics.rules_stale.set(1)
        is_bug = not isinstance(error, ConfigError)
        extra = {
            "action": "rules_refused",
            "rules_version": self.in_use.version,
            "problems": repr(error) if is_bug else str(error),
        }
        _log.error(
            "rules file changed and is refused, the rules in use stay",
            extra=extra,
            exc_info=error if is_bug else None,
        )


def _stamp(path: Path) -> _Stamp:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
