"""What opens, moves and ends instances of triggers, and decides their steps."""
