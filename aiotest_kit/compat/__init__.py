"""Other libraries' interfaces over this one: change an import, and a suite runs as it was.

Each module has the names, the arguments and the habits of the library that it is named after, written with
the public names of `aiotest_kit`. Where it differs is in `docs/migrate.md`.
"""
