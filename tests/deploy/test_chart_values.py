"""The chart's schema and README: every setting and topic is there, every value is explained."""

import copy
import json
from pathlib import Path

from app.settings.model import rows
from app.settings.topics import INPUTS, OUTPUTS
from deploy.checks.support.chart_values import chart_readme, undescribed, with_settings

CHART = Path(__file__).parents[2] / "deploy" / "chart"
SCHEMA = json.loads((CHART / "values.schema.json").read_text())
VALUES = (CHART / "values.yaml").read_text()


def test_the_schema_has_every_setting_and_topic() -> None:
    """After a change: `deploy/check --write files`. Secrets come from files only."""
    assert with_settings(copy.deepcopy(SCHEMA)) == SCHEMA

    settings = SCHEMA["properties"]["settings"]["properties"]
    topics = SCHEMA["properties"]["kafka"]["properties"]["topicNames"]["properties"]
    names = {row.variable.name for row in rows()}
    assert {name for name in names if name in settings or f"{name}_FILE" in settings} == names
    assert "SASL_PASSWORD" not in settings
    assert topics.keys() == {*INPUTS, *OUTPUTS}


def test_the_readme_has_every_value_with_a_sentence() -> None:
    """Written from the comments of values.yaml."""
    assert undescribed(VALUES) == []
    assert (CHART / "README.md").read_text() == chart_readme(VALUES)
