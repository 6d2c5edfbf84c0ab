"""The rules file while the worker runs: a change is taken, or refused whole.

What becomes of pending timers under new rules is what ``app.plan.pending`` says.
"""

import logging
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from app.core.errors import ConfigError
from app.core.rules.model import Rules
from app.core.rules.rates import require_share
from app.live.rules_memory import RulesMemory
from app.live.telemetry.metrics import Metrics
from app.rules_file.load import parse_rules, read_rules_file

_log: Final = logging.getLogger(__name__)

#: How often the worker looks; a look at a file that has not changed is one ``stat``.
LOOK_S: Final = 1.0
#: Rules that have decided for so long are good: they are not to blame for a failure.
GOOD_AFTER_S: Final = 600.0

#: Device, inode, size, and the times of content and inode: of the file that symlinks lead to, so
#: that swapping a link (as Kubernetes does for a ConfigMap) changes it. None: no such file.
_Stamp = tuple[int, int, int, int, int] | None


class _Loaded(NamedTuple):
    """Rules and the content of the file that they were read from."""

    rules: Rules
    raw: bytes


class RulesReloader:
    """Follows one rules file. ``in_use`` are the last rules it held that were right, or, while
    those of the file have failed when they decided, the ones before them.

    A changed file is read once two looks in a row have found it the same, so that one that is
    written in place is not read by half. ``look`` blocks while it reads; call it in a thread, never
    twice at once.
    """

    def __init__(
        self,
        path: Path,
        metrics: Metrics,
        memory: RulesMemory,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Read the rules to begin with. Raises ConfigError and InfrastructureError."""
        self._monotonic = monotonic
        self._partitions = 1
        self._path = path
        self._metrics = metrics
        self._memory = memory
        #: the file's rules failed when they decided, and those in use are the ones before
        self._is_fallback = False
        self._judged = self._seen = _stamp(path)
        self._loaded = self._next = self._begin()
        #: since when the rules in use decide, and whether they are known to be good
        self._since_s = monotonic()
        self._is_kept = self._is_fallback
        #: the content of the rules before those in use
        self._before = self._last_good()
        self._topics = frozenset(self.in_use.taxonomy.topics)
        metrics.use_rules(self.in_use)

    @property
    def in_use(self) -> Rules:
        """The rules that decide."""
        return self._loaded.rules

    def _begin(self) -> _Loaded:
        loaded = self._load()
        good = self._memory.good()
        if good is None or loaded.rules.version != self._memory.failed_version():
            self._memory.forget_failure()
            return loaded
        try:
            rules = parse_rules(good, source=f"{self._path} (before)", folder=self._path.parent)
        except ConfigError:
            return loaded
        self._is_fallback = True
        self._metrics.rules_stale.set(1)
        _log.error(
            "the rules of the file failed when they decided, the ones before them decide until the"
            " file changes",
            extra={
                "action": "rules_failed",
                "rules_version": rules.version,
                "rules_version_failed": loaded.rules.version,
            },
        )
        return _Loaded(rules, good)

    def _last_good(self) -> bytes | None:
        """The content of other rules that decided well before."""
        good = self._memory.good()
        return None if good == self._loaded.raw else good

    def share_rates(self, partitions: int) -> None:
        """So many partitions share the send rates, of these rules and of later ones.

        Raises ConfigError when a rate has no share for each.
        """
        self._partitions = partitions
        require_share(self.in_use, partitions)

    def _load(self) -> _Loaded:
        raw = read_rules_file(self._path)
        rules = parse_rules(raw, source=str(self._path), folder=self._path.parent)
        require_share(rules, self._partitions)
        return _Loaded(rules, raw)

    def look(self) -> Rules | None:
        """The rules to decide by from now on, to be confirmed by ``use``; None when those in use
        stay.
        """
        self._keep_good()
        stamp = _stamp(self._path)
        is_settled = stamp == self._seen
        self._seen = stamp
        if stamp == self._judged or not is_settled:
            return None
        self._judged = stamp
        try:
            loaded = self._load()
            self._require_not_failed(loaded.rules)
        except Exception as exc:  # whatever a file does to its reader, the rules in use decide on
            self._refuse(exc)
            return None
        self._metrics.rules_stale.set(0)
        self._memory.forget_failure()
        self._is_fallback = False
        if loaded.rules.version == self.in_use.version:
            return None
        self._next = loaded
        return loaded.rules

    def _keep_good(self) -> None:
        """Remember the rules in use once they have decided for long enough."""
        if not self._is_kept and self._monotonic() - self._since_s >= GOOD_AFTER_S:
            self._is_kept = True
            self._memory.keep_good(self._loaded.raw)

    def _require_not_failed(self, rules: Rules) -> None:
        if self._is_fallback and rules.version == self._memory.failed_version():
            raise ConfigError(
                f"{self._path}: expected other rules than those that failed when they decided, got"
                " the same: change them (a comment is enough to have them tried again)"
            )

    def use(self, rules: Rules) -> None:
        """These rules, the last that ``look`` returned, decide from now on."""
        extra = {
            "action": "rules_reloaded",
            "rules_version": rules.version,
            "rules_version_before": self.in_use.version,
        }
        self._before, self._since_s = self._loaded.raw, self._monotonic()
        self._loaded, self._is_kept = self._next, False
        self._metrics.use_rules(rules)
        self._metrics.rules_reloads.inc()
        _log.info("rules file changed, its rules decide from now on", extra=extra)
        unread = sorted(set(rules.taxonomy.topics) - self._topics)
        if unread:
            _log.warning(
                "rules declare input topics that are read only after a restart of every worker",
                extra={"action": "restart_needed", "topics": ", ".join(unread)},
            )

    def goes_back(self) -> bool:
        """A unit failed: whether a worker that begins again decides by the rules before.

        Rules that have decided for GOOD_AFTER_S are not to blame, nor are any when those before
        them fail as well: then the next start tries those of the file.
        """
        if self._is_fallback:
            self._memory.forget_failure()
            return False
        is_new = self._monotonic() - self._since_s < GOOD_AFTER_S
        if not is_new or self._before is None:
            return False
        self._memory.note_failure(self.in_use.version, self._before)
        return True

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
