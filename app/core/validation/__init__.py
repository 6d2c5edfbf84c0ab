"""What is wrong with a rules document, beyond its shape: every problem with its path."""
