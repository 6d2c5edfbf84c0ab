"""Finding a customer, and the page about one."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from app.core.customer.record import Customer
from app.explain.explain import explain
from app.explain.narrowing import find_customers
from app.explain.page import Requests, customer_page
from app.html.document import section
from app.html.markup import table, tag
from app.studio.folder import Loaded, first
from app.studio.frame import CUSTOMER_STYLE, customer_link, navigation, page

#: So many matches are listed.
MAX_FOUND: Final = 50
#: So many decisions of a customer are on the page.
MAX_DECISIONS: Final = 200
_HIDDEN: Final = "hidden: start the studio with --show-personal"


def found_page(loaded: Loaded, text: str, *, show_personal: bool) -> str:
    """Customers whose id, name or address contains the text."""
    rules = loaded.saved.rules
    title = "Customers"
    if not text.strip():
        note = tag("p", "Type a part of an id, a name or an address into the field above.")
        return page(title, "", tag("h1", title), note)
    matches = find_customers(loaded.saved.customers(), text, rules.addresses)
    found, is_cut = first(matches, MAX_FOUND)
    if not found:
        note = tag("p", f"No customer has {text!r} in id, name or address.", class_="wrong")
        return page(title, "", tag("h1", title), note, find=text)
    rows = [
        (customer_link(customer.customer_id), _where(customer, field, show_personal))
        for customer, field in found
    ]
    more = f"More than {MAX_FOUND}: give more of the text." if is_cut else f"{len(found)} found."
    listed = table("Customers", ("customer", "found in"), rows)
    return page(title, "", tag("h1", title), section("Found", tag("p", more), listed), find=text)


def _where(customer: Customer, field: str, show_personal: bool) -> str:
    return f"{field}: {customer.profile[field]}" if show_personal and field != "id" else field


def explained_page(loaded: Loaded, customer_id: str, *, show_personal: bool) -> str | None:
    """The page about one customer; None for one without a record."""
    saved = loaded.saved
    customer = saved.customer(customer_id)
    if customer is None:
        return None
    explanation = explain(
        customer,
        saved.rules,
        saved.now_ms,
        saved.decisions(customer_id),
        show_personal=show_personal,
        recent=MAX_DECISIONS,
    )
    return customer_page(
        explanation,
        requests=_requests(saved.requests(customer_id), show_personal=show_personal),
        style=CUSTOMER_STYLE,
        above=navigation(""),
    )


def _requests(records: Sequence[Mapping[str, Any]], *, show_personal: bool) -> Requests:
    return {
        (record["request_id"], record["kind"]): record if show_personal else _masked(record)
        for record in records
    }


def _masked(record: Mapping[str, Any]) -> dict[str, Any]:
    """Without the address and what the tokens say: both are personal."""
    tokens = dict.fromkeys(record["tokens"], _HIDDEN)
    return {**record, "address": _HIDDEN, "tokens": tokens}
