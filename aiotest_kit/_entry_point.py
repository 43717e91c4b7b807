"""What pytest loads through the entry point: the same as `aiotest_kit.pytest_plugin`.

pytest refuses one module under two names, so the entry point must not be a module that users may name in
`pytest_plugins` or with `-p`.
"""

pytest_plugins = ("aiotest_kit.fixtures", "aiotest_kit._plugin.hooks")
