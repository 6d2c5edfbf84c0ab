"""How we talk to a cluster: clients, credentials, topics, partitioning, the embedded broker."""
