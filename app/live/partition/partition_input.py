"""The input of one partition: buffered records of all its topics, and how far they were read."""

from collections.abc import Iterator
from typing import Final

from app.core.errors import EventError, InfrastructureError
from app.kafka.types import InputRecord
from app.live.clock.watermark import Watermark
from app.live.commit.unit import CommitUnit
from app.live.input.record_batch import RecordBatch
from app.live.input.timestamp_merge import TimestampMerge
from app.live.partition.context import PartitionContext
from app.live.repartition.incoming import RepartitionInput
from app.live.repartition.outgoing import MisroutedRecords
from app.live.repartition.progress import FAR_MS, RepartitionWatermark, Reported
from app.settings.topics import REPARTITION


class PartitionInput:
    """Owns the partition's buffers, its watermark, and its misrouted records in both directions.

    Used by the partition's processor, in the worker's main loop.
    """

    def __init__(self, partition: int, context: PartitionContext) -> None:
        settings, progress = context.settings, context.progress
        reading = progress.reading
        self._partition: Final = partition
        self._context: Final = context
        self._reading: Final = reading
        self._now_ms: Final = context.machine_clock.now_ms
        tps = {topic: progress.tp(topic, partition) for topic in settings.read_topics}
        self._tps: Final = tps
        self._merge: Final = TimestampMerge(
            tps,
            lambda topic: reading.read_up_as_of_ms(tps[topic]),
            settings.max_idle_ms / 1000,
            has_room=lambda topic: progress.buffered.has_room(tps[topic]),
            is_rehearsal=settings.clock == "records",
        )
        #: by topic, how many record batches came
        self._batches = dict.fromkeys(tps, 0)
        self.misrouted: Final = MisroutedRecords(
            settings.input_topics, partition, context.input_partitions
        )
        self.repartitioned: Final = RepartitionInput(progress.logical, self._merge)
        self._repartition_watermark: Final = RepartitionWatermark(context.repartition)
        self.watermark: Final = Watermark(tps, settings.grace_ms)

    # -- records

    def add(self, topic: str, batch: RecordBatch) -> None:
        """Buffer a record batch of a topic for its turn.

        Raises InfrastructureError when the batch before it never came.
        """
        self._expect_next(topic, batch)
        if topic == REPARTITION:
            had = self.repartitioned.add(batch, batch.as_of_ms)
        else:
            had = self._merge.add(topic, batch, batch.as_of_ms)
            self.misrouted.find(topic, batch[had:])
        if had:
            self._context.progress.buffered.dropped(self._tps[topic], had)

    def _expect_next(self, topic: str, batch: RecordBatch) -> None:
        expected = self._batches[topic]
        if batch.number != expected:
            raise InfrastructureError(
                f"{topic}[{self._partition}]: got batch {batch.number} at offset"
                f" {batch[0].offset}, expected {expected}: one was lost on the way; it is read"
                " again after a restart"
            )
        self._batches[topic] = expected + 1

    def take(self, limit: int) -> Iterator[tuple[str, InputRecord]]:
        """Up to ``limit`` records whose turn has come, with their topics."""
        return self._merge.take(limit)

    def upcoming(self, limit: int) -> list[InputRecord]:
        """Records among which most of the next ``limit`` are, in no particular order."""
        return self._merge.upcoming(limit)

    def take_rejected(self) -> tuple[list[tuple[InputRecord, EventError | None]], int]:
        """Records of the repartition topic that get no turn, and the position after them."""
        return self.repartitioned.take_rejected()

    @property
    def is_waiting(self) -> bool:
        """Whether a buffered record waits for a topic that is not read far enough."""
        return self._merge.waits_for is not None

    def wait_s(self) -> float | None:
        """How long the next record's turn may still wait, in seconds; None: for an event."""
        return self._merge.wait_s()

    def pass_markers(self, unit: CommitUnit) -> None:
        """Have the unit commit the ends of topics of which it handles all that is left, also where
        these lie behind markers of transactions: a group's lag counts those as records.

        Not where nothing was committed yet: committed input says that there is state.
        """
        for topic, tp in self._tps.items():
            handled = unit.positions.get(topic, self._context.progress.positions.of(tp))
            end = self._reading.end_after(tp, unit.consumed.get(topic, 0))
            if handled is not None and end is not None and handled < end:
                unit.positions[topic] = end

    # -- how far the topics were read

    def is_current(self) -> bool:
        """Whether each input topic has been read, and handled, up to the end that it had at some
        instant at most ``max_lag`` ago, here and where merged customers are. A rehearsal always is.
        """
        return self._context.settings.clock == "records" or not self.not_current_topics()

    def not_current_topics(self) -> list[str]:
        """The topics that marketing steps wait for."""
        oldest_ms = self._now_ms() - self._context.settings.max_lag_ms
        through_ms = self._reading.read_through_ms
        behind = [topic for topic, tp in self._tps.items() if (through_ms(tp) or 0) < oldest_ms]
        if not behind and self._context.repartition.least().current_ms < oldest_ms:
            # a partition with merged customers may have to send something on
            return [REPARTITION]
        return behind

    def is_idle(self, as_of_ms: int = 0) -> bool:
        """Whether everything that was there at that instant, or later, has been handled."""
        complete_ms = self._reading.complete_as_of_ms
        is_complete = all((complete_ms(tp) or -1) >= as_of_ms for tp in self._tps.values())
        has_more = len(self._merge) or self.misrouted.pending or self.repartitioned.rejected
        return is_complete and not has_more

    def lag_records(self) -> dict[str, int]:
        """By topic, how many of its records are not handled; without topics not known yet."""
        lags = {topic: self._reading.lag_records(tp) for topic, tp in self._tps.items()}
        return {topic: lag for topic, lag in lags.items() if lag is not None}

    def advance_watermark(self) -> None:
        """Take what is known of the topics' ends."""
        for topic, tp in self._tps.items():
            if topic != REPARTITION:
                as_of_ms = self._reading.complete_as_of_ms(tp)
                if as_of_ms is not None:
                    self.watermark.advance(topic, as_of_ms)
        through_ms = self._reading.read_through_ms(self._tps[REPARTITION])
        self.watermark.advance(
            REPARTITION, self._repartition_watermark.advance(self._now_ms(), through_ms)
        )

    def report_repartition_progress(self, *, has_merged: bool) -> None:
        """Tell the other partitions up to when all their records were forwarded from here.

        ``has_merged``: the partition has merged customers, for whom any record may be sent on.
        """
        inputs = self._context.settings.input_topics
        topics = inputs if has_merged else self.misrouted.topics_in_doubt()
        through_ms = min(map(self.watermark.seen_ms, topics), default=FAR_MS)
        reported = Reported(through_ms)
        if has_merged:
            read_ms = {
                topic: self._reading.read_through_ms(tp) or 0 for topic, tp in self._tps.items()
            }
            reported = Reported(through_ms, read_ms[REPARTITION], min(read_ms.values()))
        self._context.repartition.report(self._partition, reported)
