"""State: the customers table, its record encoding, and the store with the timer index."""
