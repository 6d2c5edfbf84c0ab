"""The customer record: what is known of one customer, and its limits."""
