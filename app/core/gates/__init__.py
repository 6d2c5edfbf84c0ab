"""The checks that a step passes before it is sent, in the order of the contract."""
