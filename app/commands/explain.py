"""``triggers explain CUSTOMER``: where one customer stands, and why."""

import argparse
import sys
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final

from app.commands._options import Subparsers, parse_instant_option, settings_from, whole_number
from app.core.errors import ConfigError

#: where ``triggers worker`` serves by default
DEFAULT_WORKER: Final = "http://localhost:6066"
#: so many matches of --find are listed
MAX_FOUND: Final = 50
#: characters of --find that a worker takes
MAX_TEXT: Final = 200


def add_parser(subparsers: Subparsers) -> None:
    """Add the command to the command line."""
    parser = subparsers.add_parser(
        "explain",
        help="a customer's state, timers, limits, and why messages were (not) sent",
        description="Where one customer stands and why each message was or was not sent: of a"
        " backtest with --out, else of a running worker.",
    )
    parser.add_argument("customer", metavar="CUSTOMER", nargs="?", help="the customer's id")
    parser.add_argument(
        "--find",
        metavar="TEXT",
        help="list customers whose id, name or address contains TEXT; workers read all their"
        " records for it, and want TRIGGER_WEB_TOKEN",
    )
    parser.add_argument("--trigger", metavar="NAME", help="of this trigger alone")
    parser.add_argument("--since", metavar="T", help="nothing that is earlier")
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--out", type=Path, metavar="DIR", help="what triggers backtest wrote")
    source.add_argument(
        "--worker",
        default=DEFAULT_WORKER,
        metavar="URL",
        help=f"a running worker, any of them (default {DEFAULT_WORKER})",
    )
    parser.add_argument(
        "--last", type=whole_number, default=20, help="how many decisions (default 20)"
    )
    parser.add_argument(
        "--show-personal",
        action="store_true",
        help="name, addresses, birthday and attributes too; a worker wants TRIGGER_WEB_TOKEN",
    )
    parser.add_argument(
        "--format",
        choices=("text", "json", "html"),
        default="text",
        help="html: the page that a worker serves at /customers/CUSTOMER",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the explanation; a customer without a record is bad input, as is a --find without any
    match.
    """
    if (args.customer is None) == (args.find is None):
        raise ConfigError("expected either CUSTOMER or --find TEXT")
    if args.find is not None and args.format == "html":
        raise ConfigError("--find: expected --format text or json, got html")
    if args.out is None:
        sys.stdout.write(_asked(args) if args.find is None else _found_on_workers(args))
    else:
        sys.stdout.write(_saved(args) if args.find is None else _found(args))
    return 0


def _asked(args: argparse.Namespace) -> str:
    """From a worker. The token is sent only when personal data is asked for."""
    from app.explain.asked import ask_worker

    query = {"last": str(args.last)}
    if args.format != "html":
        query["format"] = args.format
    if args.trigger is not None:
        query["trigger"] = args.trigger
    if args.since is not None:
        query["since"] = str(parse_instant_option(args.since, "--since"))
    if args.show_personal:
        query["show_personal"] = "1"
    token = settings_from(args).web_token if args.show_personal else None
    as_page = args.format == "html"
    return ask_worker(args.worker, args.customer, query, token, as_page=as_page)


def _saved(args: argparse.Namespace) -> str:
    """From a backtest's folder."""
    import orjson

    from app.backtest.saved_run import SavedRun
    from app.explain.explain import explain
    from app.explain.narrowing import narrow, narrow_decisions
    from app.explain.page import customer_page
    from app.explain.written import explanation_json, explanation_text

    saved = SavedRun(args.out)
    since_ms = None if args.since is None else parse_instant_option(args.since, "--since")
    if args.trigger is not None and args.trigger not in saved.rules.triggers:
        known = ", ".join(sorted(saved.rules.triggers))
        raise ConfigError(f"--trigger: expected one of {known}, got {args.trigger!r}")
    customer = saved.customer(args.customer)
    if customer is None:
        raise ConfigError(
            f"{args.out}: no customer {args.customer!r} there: no event of theirs was applied, or"
            " they were erased; `triggers explain --find TEXT` looks for names and addresses"
        )
    explanation = explain(
        customer,
        saved.rules,
        saved.now_ms,
        narrow_decisions(saved.decisions(args.customer), args.trigger, since_ms),
        show_personal=args.show_personal,
        recent=args.last,
    )
    explanation = narrow(explanation, args.trigger, since_ms)
    if args.format == "html":
        return customer_page(explanation)
    if args.format == "json":
        shown = explanation_json(explanation)
        return orjson.dumps(shown, option=orjson.OPT_INDENT_2).decode() + "\n"
    return explanation_text(explanation)


def _found_on_workers(args: argparse.Namespace) -> str:
    """As from a folder; how far the search went is said on standard error."""
    from app.explain.asked import find_on_workers

    if not 1 <= len(args.find.strip()) <= MAX_TEXT:
        raise ConfigError(f"--find: expected 1 to {MAX_TEXT} characters, got {args.find[:20]!r}")
    token = settings_from(args).web_token
    if token is None:
        raise ConfigError(
            "--find on a worker looks into names and addresses: expected its TRIGGER_WEB_TOKEN in"
            " the environment"
        )
    found = find_on_workers(
        args.worker, args.find.strip(), token, show_personal=args.show_personal, most=MAX_FOUND
    )
    extent = f"searched {found.customers} customers of {found.workers} workers"
    if found.not_searched:
        numbers = ", ".join(map(str, sorted(found.not_searched)))
        extent += (
            f"; not partitions {numbers}: being recovered, or of a worker without TRIGGER_WEB_URL"
        )
    if not found.matches:
        raise ConfigError(f"no customer has {args.find!r} in id, name or address; {extent}")
    print(extent, file=sys.stderr)
    return _listed(found.matches, is_cut=found.is_cut, as_json=args.format == "json")


def _found(args: argparse.Namespace) -> str:
    """Ids of customers, and where the text was; what it was found in is personal."""
    from app.backtest.saved_run import SavedRun
    from app.explain.narrowing import find_customers

    saved = SavedRun(args.out)
    matching = find_customers(saved.customers(), args.find, saved.rules.addresses)
    found = list(islice(matching, MAX_FOUND + 1))
    if not found:
        raise ConfigError(f"{args.out}: no customer has {args.find!r} in id, name or address")
    matches = [
        (each.customer_id, field, each.profile[field] if args.show_personal else None)
        if field != "id"
        else (each.customer_id, field, None)
        for each, field in found
    ]
    return _listed(matches, is_cut=len(found) > MAX_FOUND, as_json=args.format == "json")


def _listed(matches: Sequence[tuple[str, str, Any]], *, is_cut: bool, as_json: bool) -> str:
    """The first matches: id, the field that matched, its value if there is. Lines, or JSON."""
    import orjson

    from app.formats.printable import printable_line

    if as_json:
        found = [
            {"customer_id": customer_id, "found_in": field}
            | ({} if value is None else {"value": value})
            for customer_id, field, value in matches[:MAX_FOUND]
        ]
        listed = {"matches": found, "more": is_cut}
        return orjson.dumps(listed, option=orjson.OPT_INDENT_2).decode() + "\n"
    lines = []
    for customer_id, field, value in matches[:MAX_FOUND]:
        shown = "" if value is None else f": {value}"
        lines.append(printable_line(f"{customer_id}  {field}{shown}") + "\n")
    if is_cut:
        lines.append(f"more than {MAX_FOUND}: give more of the text\n")
    return "".join(lines)
