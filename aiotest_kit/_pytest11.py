"""What pytest loads through the entry point: it only points at the plugin.

pytest refuses one module under two names, so the entry point must not be the plugin itself, which users may
name in `pytest_plugins` or with `-p`.
"""

pytest_plugins = ("aiotest_kit.pytest_plugin",)
