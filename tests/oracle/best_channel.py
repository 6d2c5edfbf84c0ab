"""The model files that random rules may name, and the oracle's best channel by one of them."""

import json
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

from tests.oracle.customer import Customer

#: Where rules files with a ``model:`` stand.
FOLDER: Final = Path(__file__).parent / "models"
#: ``model:`` of a rules file -> its content
MODELS: Final[dict[str, dict[str, Any]]] = {
    path.name: json.loads(path.read_bytes()) for path in sorted(FOLDER.glob("*.json"))
}


def listed_channels(rules: Mapping[str, Any], step: Mapping[str, Any]) -> list[str]:
    """The channels that the step may use: with ``best`` those of the file."""
    return list(rules["channels"]) if step["channels"] == "best" else list(step["channels"])


def best_channel(rules: Mapping[str, Any], customer: Customer) -> str:
    """Of the file's channels the one where the customer opens the largest share of what was really
    sent, the share of everybody counted in as ``weight`` more messages.
    """
    part = MODELS[rules["model"]]["best_channel"]
    weight = Fraction(part["weight"])
    shares = {}
    for channel, rate in part["open_rates"].items():
        if channel not in rules["channels"]:
            continue
        sends = [
            send
            for send in customer["sends"]
            if send["is_marketing"]
            and not send["is_ghost"]
            and not send["is_recalled"]
            and send["channel"] == channel
        ]
        opened = sum(send["is_opened"] for send in sends)
        shares[channel] = (opened + weight * Fraction(rate)) / (len(sends) + weight)
    return min(str(name) for name, share in shares.items() if share == max(shares.values()))
