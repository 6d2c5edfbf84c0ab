"""The page about one customer: no script, nothing loaded, everything escaped."""

from collections.abc import Iterable, Mapping
from importlib.resources import files
from typing import Any, Final

import orjson

from app.core.time.instants import format_rfc3339
from app.explain.explanation import Explanation
from app.explain.timeline import Entry, timeline, when_of
from app.explain.words import When, cap_use_words, channel_words, merged_words
from app.html.document import security_policy
from app.html.markup import NOTHING, Html, tag

PAGE_STYLE: Final = files("app.explain").joinpath("page.css").read_text(encoding="utf-8")
CONTENT_SECURITY_POLICY: Final = security_policy(PAGE_STYLE)
#: What channel senders get, by (request id, ``send`` or ``recall``).
Requests = Mapping[tuple[str, str], Mapping[str, Any]]
_NO_REQUESTS: Final[Requests] = {}
_KINDS: Final = {
    "timer": "To come",
    "decision": "Decided",
    "send": "Message",
    "event": "Event",
    "engagement": "Engagement",
    "profile": "Profile",
}
_SECTIONS: Final = (
    ("timeline", "Timeline"),
    ("standing", "Channels and limits"),
    ("profile", "Profile"),
)


def customer_page(
    explanation: Explanation,
    *,
    requests: Requests = _NO_REQUESTS,
    style: str = PAGE_STYLE,
    above: Html = NOTHING,
) -> str:
    """The HTML document.

    A decision among ``requests`` shows what the channel sender gets. ``above`` stands before the
    page's own header.
    """
    when = when_of(explanation)
    head = tag(
        "head",
        Html('<meta charset="utf-8">'),
        Html('<meta name="viewport" content="width=device-width, initial-scale=1">'),
        tag("title", f"Customer {explanation.customer_id}"),
        Html(f"<style>{style}</style>"),
    )
    links = (tag("li", tag("a", title, href=f"#{name}")) for name, title in _SECTIONS)
    body = tag(
        "body",
        tag("a", "Skip to the timeline", href="#timeline", class_="skip"),
        above,
        tag(
            "header",
            tag("h1", f"Customer {explanation.customer_id}"),
            tag("p", f"Local time {when(explanation.now_ms)}, {explanation.timezone}."),
        ),
        tag("nav", tag("ul", *links), aria_label="On this page"),
        tag(
            "main",
            _timeline(explanation, when, requests),
            _standing(explanation, when),
            _profile(explanation),
        ),
    )
    return f"<!doctype html>\n{tag('html', head, body, lang='en')}\n"


def _section(name: str, *children: object) -> Html:
    title = tag("h2", dict(_SECTIONS)[name], id=f"{name}-title")
    return tag("section", title, *children, id=name, tabindex=-1, aria_labelledby=f"{name}-title")


def _timeline(explanation: Explanation, when: When, requests: Requests) -> Html:
    entries = [_entry(entry, when, requests) for entry in timeline(explanation)]
    notes = "Latest first; what is to come stands at the top. Times are the customer's."
    if explanation.decisions_since_ms is not None:
        notes += f" Decisions before {when(explanation.decisions_since_ms)} were not looked at."
    shown = tag("ol", *entries, class_="line") if entries else tag("p", "Nothing is known.")
    return _section("timeline", tag("p", notes), shown)


def _entry(entry: Entry, when: When, requests: Requests) -> Html:
    what: list[object] = [tag("span", _KINDS[entry.kind], class_="kind"), f" · {entry.title}"]
    if entry.words:
        what.append(tag("div", entry.words))
    if entry.gates:
        gates = (
            tag(
                "li",
                f"{'passed' if gate.passed else 'stopped'}: {gate.words}",
                class_=None if gate.passed else "fail",
            )
            for gate in entry.gates
        )
        label = tag("summary", f"{len(entry.gates)} checks of {entry.title}")
        what.append(tag("details", label, tag("ul", *gates, class_="gates")))
    request = None if entry.request is None else requests.get(entry.request)
    if request is not None:
        label = tag("summary", f"What the channel sender gets for {entry.title}")
        body = orjson.dumps(request, option=orjson.OPT_INDENT_2).decode()
        what.append(tag("details", label, tag("pre", body, tabindex=0)))
    at = tag("time", when(entry.at_ms), datetime=format_rfc3339(entry.at_ms))
    return tag("li", at, tag("div", *what), class_=entry.kind)


def _standing(explanation: Explanation, when: When) -> Html:
    merged = merged_words(explanation, when)
    rows = [] if merged is None else [("merged", merged)]
    rows += [(state.channel, channel_words(state, when)) for state in explanation.channels]
    rows += [("limit", cap_use_words(use, when)) for use in explanation.caps]
    rows += [
        (
            cool.family,
            f"last message {when(cool.last_ms)}, no other one until {when(cool.until_ms)}",
        )
        for cool in explanation.cooldowns
    ]
    if explanation.is_held_out:
        rows.append(("control group", "marketing is decided for, and not sent"))
    return _section("standing", _pairs(rows))


def _profile(explanation: Explanation) -> Html:
    rows = [
        (field, "on file" if value is True else _plain(value))
        for field, value in explanation.profile.items()
    ]
    rows += [(name.replace("_", " "), _plain(fact)) for name, fact in explanation.facts.items()]
    return _section("profile", _pairs(rows))


def _pairs(rows: Iterable[tuple[str, str]]) -> Html:
    return tag("dl", *(part for name, text in rows for part in (tag("dt", name), tag("dd", text))))


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_plain(item)}" for name, item in value.items()) or "none"
    if isinstance(value, list):
        return ", ".join(map(_plain, value)) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else str(value)
