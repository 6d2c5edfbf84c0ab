"""What a change of the rules would do: to the file, to pending timers, to decisions."""
