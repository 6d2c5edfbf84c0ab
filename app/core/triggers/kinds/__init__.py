"""The six trigger kinds: what opens an instance of each (spec section 5)."""
