"""Reads the settings from ``TRIGGER_*`` variables, with every problem at once."""

import difflib
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from app.core.errors import ConfigError
from app.settings.conflicts import find_conflicts
from app.settings.model import Settings, rows, topic_variable
from app.settings.parsers import name
from app.settings.topics import INPUTS, OUTPUTS
from app.settings.variable import PREFIX

#: What Kubernetes puts into every pod for a Service whose name starts with "trigger".
_SERVICE_LINK = re.compile(
    r"(\w+_)?(SERVICE_HOST=.*|SERVICE_PORT(_\w+)?=[0-9]+|PORT=(tcp|udp|sctp)://.*"
    r"|PORT_[0-9]+_(TCP|UDP|SCTP)(_(ADDR|PORT|PROTO))?=.*)"
)

#: variable without prefix -> (field, parser). A parser raises ValueError saying what it expects.
_VARIABLES: Final[dict[str, tuple[str, Callable[[str], Any]]]] = {}
for _field, _variable, _ in rows():
    _VARIABLES[_variable.name] = (_field, _variable.parse)
    if _variable.parse_file is not None:
        _VARIABLES[f"{_variable.name}_FILE"] = (_field, _variable.parse_file)

#: What is wrong with such a variable may be that the secret itself is in it; so with addresses.
_SECRET_PARTS: Final = ("PASSWORD", "TOKEN", "SECRET")
_TOPIC_VARIABLES: Final = {
    topic_variable(topic).removeprefix(PREFIX): topic for topic in (*INPUTS, *OUTPUTS)
}
_TOPIC: Final = "TOPIC_"
#: How the package is built (deploy/build_native.py) and imported (app/compiled.py).
_NOT_SETTINGS: Final = frozenset({"COMPILE", "PURE_PYTHON"})


def load_settings(environ: Mapping[str, str]) -> Settings:
    """The settings in ``environ``. A variable set to nothing counts as not set.

    ``TRIGGER_TOPIC_*`` of a topic that is not built in is kept for the rules file to declare
    (``Settings.with_declared_inputs``).
    Raises ConfigError with every problem, each naming its variable, what was got and expected.
    """
    fields: dict[str, Any] = {}
    topic_names: dict[str, str] = {}
    given: dict[str, str] = {}
    problems: list[str] = []
    for variable, value in sorted(environ.items()):
        short = variable.removeprefix(PREFIX)
        if short == variable or not value or short in _NOT_SETTINGS:
            continue
        try:
            if short in _TOPIC_VARIABLES:
                topic_names[_TOPIC_VARIABLES[short]] = name(value)
            elif short in _VARIABLES:
                field, parse = _VARIABLES[short]
                if field in given:
                    problems.append(f"{variable}: got it and {given[field]}, expected one of them")
                given[field] = variable
                fields[field] = parse(value)
            elif short.startswith(_TOPIC) and not _near_topic(short):
                topic_names[short.removeprefix(_TOPIC).lower().replace("_", "-")] = name(value)
            elif not _SERVICE_LINK.fullmatch(f"{short}={value}"):
                problems.append(_unknown(variable))
        except ValueError as exc:
            is_secret = any(part in short for part in _SECRET_PARTS) or "@" in value
            shown = "a value that is not shown" if is_secret else repr(value)
            problems.append(f"{variable}: got {shown}, expected {exc}")
    settings = Settings(**fields, topic_names=topic_names)
    problems += find_conflicts(settings, given)
    if problems:
        raise ConfigError("the settings are wrong:\n  " + "\n  ".join(problems))
    return settings


def _near_topic(short: str) -> bool:
    """Whether it looks like a misspelt variable of a built-in topic."""
    return bool(difflib.get_close_matches(short, _TOPIC_VARIABLES, n=1, cutoff=0.85))


def _unknown(variable: str) -> str:
    known = [PREFIX + short for short in (*_VARIABLES, *_TOPIC_VARIABLES)]
    close = difflib.get_close_matches(variable, known, n=1)
    hint = f"; did you mean {close[0]}?" if close else ""
    return f"{variable}: got a variable that is not known, expected one that is{hint}"
