"""What the checks of deploy/checks/ share: rows, tools, rendered manifests, schemas.

A check is a module of deploy/checks/ with ``run(place: Place) -> Iterable[Result]``. It yields a
row as soon as it knows one, raises NotHere when this machine cannot run it and Broken when what it
checks is wrong; any other exception is a failure too. Modules with ``write(place)`` generate files:
``deploy/check --write`` calls it, ``run`` says when the files are not what it would write.
"""
