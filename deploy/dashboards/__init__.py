"""The Grafana dashboards as code: ``python -m deploy.dashboards`` writes the JSON beside this file.

Grafana and the chart take the JSON; a change goes into ``operations.py`` or ``business.py``, and
tests hold both together. Metrics are in app/live/telemetry/metrics.py and
app/live/telemetry/gauges.py, recorded series in deploy/prometheus/rules.yaml.
"""
