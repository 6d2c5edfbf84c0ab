"""What has to be true of alerts, dashboards and the runbook: asked by tests and by deploy/check.

Each function returns its problems, one a line, each saying where; an empty list means that all is
well. ``promtool`` comes with Debian's ``prometheus``.
"""
