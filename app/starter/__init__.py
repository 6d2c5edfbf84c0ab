"""`triggers init`: a folder to begin with, written from the files that ship with the project."""
