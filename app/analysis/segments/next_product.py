"""The next product: what customers with the same last product bought next most often.

The baseline is the product that is sold most.
"""

from collections import Counter, defaultdict
from itertools import pairwise
from typing import Final

from app.analysis.segments.clusters import TooFew
from app.analysis.segments.high_value import is_held_out
from app.analysis.segments.scores import Fitted, Prediction, judged_by_hits
from app.analysis.segments.traces import Purchase, Traces
from app.core.customer.scoring_model import NextProduct

#: The fact that rules must declare: ``last_product: {last: order_placed.items.sku}``.
FACT: Final = "last_product"
#: Of a product fewer than so many next purchases say nothing.
_FEWEST: Final = 5
#: Pairs of purchases, in either part.
_FEWEST_PAIRS: Final = 50
#: So many products at most, those bought most, go into the model.
_MOST_PRODUCTS: Final = 20_000
EMPTY: Final = Prediction(
    name="next_product",
    measure="hit rate: the product is in the next purchase",
    baseline_name="the product sold most",
)

_Pair = tuple[str, frozenset[str]]


def fit_next_product(traces: Traces) -> Fitted:
    """Raises TooFew."""
    fitted: list[_Pair] = []
    held_out: list[_Pair] = []
    sold: Counter[str] = Counter()
    for customer, purchases in traces.purchases.items():
        is_kept = is_held_out(customer)
        if not is_kept:
            sold.update(sku for purchase in purchases for sku in set(purchase.skus))
        (held_out if is_kept else fitted).extend(_pairs(purchases))
    if min(len(fitted), len(held_out)) < _FEWEST_PAIRS:
        raise TooFew(
            f"{min(len(fitted), len(held_out))} purchases after another with products in a part of"
            f" the data, not {_FEWEST_PAIRS}"
        )
    favourite = min(sold, key=lambda sku: (-sold[sku], sku))
    part = NextProduct(fact=FACT, after=_after(fitted), otherwise=favourite)
    hits = sum(part.product(last) in following for last, following in held_out)
    naive = sum(favourite in following for _, following in held_out)
    report = judged_by_hits(
        EMPTY, hits=hits, baseline_hits=naive, fitted=len(fitted), held_out=len(held_out)
    )
    return Fitted(part=part, report=report)


def _pairs(purchases: list[Purchase]) -> list[_Pair]:
    """The last product of a purchase, and the products of the one after it."""
    known = sorted((each for each in purchases if each.skus), key=lambda each: each.occurred_ms)
    return [(before.skus[-1], frozenset(after.skus)) for before, after in pairwise(known)]


def _after(pairs: list[_Pair]) -> dict[str, str]:
    """Product -> what was bought next most often, the first by name of equals."""
    following: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for last, products in pairs:
        following[last].update(products)
    enough = {sku: counts for sku, counts in following.items() if counts.total() >= _FEWEST}
    most = sorted(enough, key=lambda sku: (-enough[sku].total(), sku))[:_MOST_PRODUCTS]
    return {
        sku: min(enough[sku], key=lambda other: (-enough[sku][other], other))
        for sku in sorted(most)
    }
