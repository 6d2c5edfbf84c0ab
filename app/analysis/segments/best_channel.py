"""The best channel: where a customer most readily opens, from what was delivered and opened.

Half way through each customer's messages it is guessed, and the other half shows on which channel
they opened the larger share. The baseline is the channel most used until then.
"""

from collections import Counter
from typing import Final

import msgspec

from app.analysis.segments.clusters import TooFew
from app.analysis.segments.high_value import is_held_out
from app.analysis.segments.scores import Fitted, Prediction, judged_by_hits
from app.analysis.segments.traces import Sent, Traces
from app.core.customer.scoring_model import BestChannel

#: Of which the one that guesses best is taken.
_WEIGHTS: Final = (1.0, 3.0, 10.0, 30.0)
_FEWEST: Final = 50
EMPTY: Final = Prediction(
    name="best_channel",
    measure="accuracy: the channel on which more of the later messages were opened",
    baseline_name="the channel used most",
)


class _Case(msgspec.Struct, frozen=True):
    """What was sent and opened by then, and the channel that turned out best."""

    sent: Counter[str]
    opened: Counter[str]
    best: str


def fit_best_channel(traces: Traces) -> Fitted:
    """Raises TooFew."""
    fitted: list[_Case] = []
    held_out: list[_Case] = []
    sent: Counter[str] = Counter()
    opened: Counter[str] = Counter()
    for customer, messages in traces.messages.items():
        is_kept = is_held_out(customer)
        if not is_kept:
            sent.update(each.channel for each in messages)
            opened.update(each.channel for each in messages if each.is_opened)
        case = _case(messages)
        if case is not None:
            (held_out if is_kept else fitted).append(case)
    fewest = min(len(fitted), len(held_out))
    if fewest < _FEWEST:
        raise TooFew(
            f"{fewest} customers who were sent messages on two channels and opened one show"
            f" clearly in a part of the data, not {_FEWEST}"
        )
    rates = {channel: opened[channel] / count for channel, count in sorted(sent.items())}
    part = max(
        (BestChannel(open_rates=rates, weight=weight) for weight in _WEIGHTS),
        key=lambda each: _hits(each, fitted),
    )
    hits = _hits(part, held_out)
    naive = sum(
        min(case.sent, key=lambda name: (-case.sent[name], name)) == case.best for case in held_out
    )
    report = judged_by_hits(
        EMPTY, hits=hits, baseline_hits=naive, fitted=len(fitted), held_out=len(held_out)
    )
    return Fitted(part=part, report=report)


def _hits(part: BestChannel, cases: list[_Case]) -> int:
    return sum(part.best(case.sent, case.opened) == case.best for case in cases)


def _case(messages: list[Sent]) -> _Case | None:
    """None when the later half does not show which channel is best."""
    in_order = sorted(messages, key=lambda each: each.occurred_ms)
    before, after = in_order[: len(in_order) // 2], in_order[len(in_order) // 2 :]
    sent = Counter(each.channel for each in after)
    opened = Counter(each.channel for each in after if each.is_opened)
    ranked = sorted(((opened[name] / sent[name], name) for name in sent), reverse=True)
    if not before or len(ranked) < 2 or ranked[0][0] == ranked[1][0]:
        return None
    return _Case(
        Counter(each.channel for each in before),
        Counter(each.channel for each in before if each.is_opened),
        ranked[0][1],
    )
