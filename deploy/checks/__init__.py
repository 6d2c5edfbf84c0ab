"""One module for each thing that ``deploy/check`` checks; see deploy/checks/support/__init__.py."""
