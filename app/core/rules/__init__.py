"""The compiled rules: what a rules document means, ready to be evaluated."""
