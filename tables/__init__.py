"""State: the customers table, its record encoding, and the store with the timer index."""

import app  # noqa: F401 (it decides whether compiled modules are taken)
