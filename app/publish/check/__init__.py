"""``triggers publish --check``: what is wrong with a file, before anything of it is published."""
