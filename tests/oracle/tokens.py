"""What a send request tells the template, in the oracle's naive way."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from tests.oracle.calendar import EPOCH
from tests.oracle.customer import Customer, value_of


def tokens(
    rules: Mapping[str, Any], trigger: str, customer: Customer, data: Mapping[str, Any], now: int
) -> dict[str, Any]:
    """Each token's value, or what stands for one that is missing or empty."""
    found = {}
    for name, text in rules["triggers"][trigger].get("tokens", {}).items():
        path, _, fallback = text.partition(" | default: ")
        value = value_of(path, customer, data, rules, now)
        if value is None or value == "":
            value = json.loads(fallback) if fallback else value
        elif path.endswith("_at"):
            value = written(value)
        found[name] = value
    return found


def written(ms: int) -> str:
    """An instant as RFC 3339 in UTC with milliseconds."""
    moment: datetime = EPOCH + timedelta(milliseconds=ms)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{ms % 1000:03d}Z"
