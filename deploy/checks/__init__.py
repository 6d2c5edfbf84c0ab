"""One module for each thing that ``deploy/check`` checks; see deploy/checking/__init__.py."""
