"""``python -m tests.bench compare``: the same job by several hosts, side by side.

The job: the default rules over the mix of ``tests.bench.events``. Every customer's profile is read
first and not counted. Then come the events, which happen now: reminders are set and wait, what is
answered at once is sent. Nothing comes due within a run, because not every host has timers.

Every host reads from and writes to the broker: its inputs, its changelog, decisions and send
requests, with the same acks, compression, linger and commit interval where it can be told. Each is
one process pinned to one core; the broker and this one, which publishes and looks on, are on the
others. With ``--warm-up`` so many events are handled before the measured ones come: what a host
that compiles itself while it runs spends on that does not count, as in the slope of two lengths.
CPU is user and system of the process and its children, from just before the first event is
published until all are read and committed. ``events_per_s`` ends with the last record written.
``others_percent`` is how much of the worker's core went to other work meanwhile: where that is not
small, the machine was not quiet, caches were shared, and the figures are too high.

The sends of all hosts must be the same, to whom, by which trigger, for which key and step, on which
channel: their digest is compared. Loading takes most of the time with many customers, and is not
measured: the profiles are on the broker when the host starts, which reads them at its own pace.
"""
