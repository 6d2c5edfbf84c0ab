"""Whatever dies: nothing lost, nothing twice, nothing wrong, as an outside observer counts it.

Each case publishes a history, does harm to whatever works on it, and compares what read-committed
readers see with the backtest of the same history. ``python -m pytest tests/fault -q`` ends with a
table. ``TRIGGER_FAULT_EVENTS=50000`` is the whole proof; without it a case is as small as CI needs.
"""
