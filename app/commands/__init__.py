"""The command line, one module per group of commands.

A module that does not begin with ``_`` has ``add_parser(subparsers)``, which says what the command
is called and takes, and sets ``run``: a function of the parsed arguments that returns the exit
code. What a command needs beyond argparse is imported inside it, so that the others start fast.
"""
