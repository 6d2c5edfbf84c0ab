"""``triggers segments fit``: customer clusters and an early high-value model, as the engine loads
them (``app.core.customer.scoring_model`` says what is in the file and what features mean).

Features are worked out by the engine's own code from the engine's own counters, so what is fitted
is what conditions will see.
"""
