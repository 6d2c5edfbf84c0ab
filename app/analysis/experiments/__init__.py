"""``triggers experiments``: what the variants did, when that is a verdict, and promoting it.

The unit is the customer, because it is customers who are assigned to variants. A customer counts
for a variant from the first message there (or ghost send, where the variant sends nothing), and as
a success when the metric was recorded against any of those messages.

No peeking: an experiment stops at an instant that does not depend on who succeeded, the first at
which every variant has ``min_sample`` customers, or the end of ``max_duration``. Only once the
attribution window of the last message by then has passed is there a verdict, on what was decided up
to that instant; so it is given once, and the same whenever it is asked again.
"""
