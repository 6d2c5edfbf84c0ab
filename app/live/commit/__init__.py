"""Makes a commit unit durable, at least once or exactly once."""
