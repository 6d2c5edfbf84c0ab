"""Sphinx's configuration: Markdown by MyST, the furo theme, nothing from the network.

The source folder is deploy/, so that links between pages, runbook and chart are the same in the
site and where the files are read as they are.
"""

project = "Trigger engine"
root_doc = "docs/index"
include_patterns = ["docs/**/*.md", "docs/*.md", "RUNBOOK.md", "CHANGELOG.md", "chart/README.md"]
extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 4
# a reference page may have one table and no text under a heading
suppress_warnings = ["myst.header"]
html_theme = "furo"
html_title = "Trigger engine"
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False
html_theme_options = {"navigation_with_keys": True}
nitpicky = True
