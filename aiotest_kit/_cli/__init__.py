"""The commands of `python -m aiotest_kit`.

`serve` serves the routes of a file, which `route_file` reads. `migrate` moves a suite to the kit: `places`
finds what a project says of another library, `rewrite` changes the imports, `minimums` the requirements.
"""
