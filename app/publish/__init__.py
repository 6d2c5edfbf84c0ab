"""JSON lines onto Kafka, and the check of a file before anything of it is published."""
