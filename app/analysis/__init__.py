"""What the messages achieved: KPIs, experiments and customer models, from files.

Needs the ``analysis`` extra (duckdb, numpy, scipy, scikit-learn), which the worker never imports:
commands call ``app.analysis.extra.require`` first and import the rest inside.

| package | holds |
|---|---|
| ``statistics`` | intervals, tests, sample sizes: numbers in, numbers out |
| ``data`` | files of decisions, outcomes and events as tables, in bounded memory |
| ``kpis``, ``experiments``, ``segments`` | one command each: what is counted, how it is written |
"""
