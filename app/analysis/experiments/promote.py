"""The winner in place of the experiment: an edit of the rules file that keeps its comments."""

import copy
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from app.analysis.experiments.yaml_edit import Path as YamlPath
from app.analysis.experiments.yaml_edit import removed, replaced
from app.core.errors import ConfigError
from app.core.rules.compile_steps import VARIED
from app.rules_file.load import parse_rules

#: What a trigger of one message says itself, and one with ``steps`` does not.
_OF_ONE_STEP: Final = ("after", "template", "channels", "send_time", "deliver")


def promoted(text: str, winners: Mapping[str, str]) -> str:
    """The rules file with each experiment (name -> winner) gone and its trigger as the winner has
    it: what it changes in the first step, all steps, the cooldown. All else stays as it is.

    Raises ConfigError when a winner sends nothing, because then it is the trigger that should go,
    or has shown to be better for an audience alone, which are for a person to decide; and when
    anchors tie the places together.
    """
    for name, winner in winners.items():
        before = _loaded(text)
        meant = _meant(before, name, winner)
        try:
            edited = _edited(text, before, name, winner)
            is_as_meant = _loaded(edited) == meant
        except YAMLError:
            is_as_meant = False
        if not is_as_meant:
            raise ConfigError(
                f"experiments.{name}: cannot be edited without touching something else, because of"
                " anchors or merged keys: put the winner in by hand"
            )
        text = edited
    return text


def _loaded(text: str) -> Any:
    return YAML(typ="safe", pure=True).load(text)


def _meant(document: Any, name: str, winner: str) -> Any:
    """The document that the edit must give."""
    meant = copy.deepcopy(document)
    experiment = meant["experiments"].pop(name)
    variant = experiment["variants"][winner]
    if variant.get("ghost"):
        raise ConfigError(
            f"experiments.{name}: {winner!r}, which sends nothing, has won: take the trigger"
            f" {experiment['trigger']!r} out by hand if that is what it should do"
        )
    if "when" in experiment:
        raise ConfigError(
            f"experiments.{name}: {winner!r} has won with the audience of the experiment alone: put"
            " it in by hand, for them or for all customers"
        )
    trigger = meant["triggers"][experiment["trigger"]]
    if "cooldown" in variant:
        trigger["cooldown"] = variant["cooldown"]
    if "steps" in variant:
        for field in _OF_ONE_STEP:
            trigger.pop(field, None)
        trigger["steps"] = variant["steps"]
    step = trigger["steps"][0] if "steps" in trigger else trigger
    step |= {field: variant[field] for field in VARIED if field in variant}
    if not meant["experiments"]:
        del meant["experiments"]
    return meant


def _edited(text: str, document: Any, name: str, winner: str) -> str:
    experiment = document["experiments"][name]
    trigger = experiment["trigger"]
    step: YamlPath = ("triggers", trigger)
    if "steps" in document["triggers"][trigger]:
        step = (*step, "steps", 0)
    variant: YamlPath = ("experiments", name, "variants", winner)
    for field in ("cooldown", "steps"):
        if field in experiment["variants"][winner]:
            text = replaced(text, ("triggers", trigger, field), (*variant, field))
    if "steps" in experiment["variants"][winner]:
        for field in _OF_ONE_STEP:
            if field in document["triggers"][trigger]:
                text = removed(text, ("triggers", trigger, field))
    for field in VARIED:
        if field in experiment["variants"][winner]:
            text = replaced(text, (*step, field), (*variant, field))
    is_last = len(document["experiments"]) == 1
    return removed(text, ("experiments",) if is_last else ("experiments", name))


def promote_file(rules: Path, target: Path, winners: Mapping[str, str]) -> None:
    """Write the promoted rules to ``target``, at once or not at all; they are valid.

    Raises ConfigError, and then ``target`` is as it was.
    """
    text = promoted(rules.read_text(encoding="utf-8"), winners)
    parse_rules(text.encode(), source=f"{rules}, promoted", folder=rules.parent)
    try:
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", dir=target.parent, prefix=f".{target.name}.", delete=False
        ) as file:
            file.write(text)
        mode = target.stat().st_mode if target.exists() else rules.stat().st_mode
        os.chmod(file.name, mode & 0o777)
        os.replace(file.name, target)
    except OSError as exc:
        raise ConfigError(f"{target}: cannot be written: {exc.strerror}") from exc
