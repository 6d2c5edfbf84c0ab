"""The same decision code over history, without Kafka (spec section 8)."""
