"""``triggers kpis``: what the messages achieved, by group, each figure with its interval."""
