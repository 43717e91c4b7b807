"""The pytest plugin: the fixtures of `aiotest_kit.fixtures`, and the hooks that they need.

Loaded by the entry point `aiotest_kit`, or by `pytest_plugins = ["aiotest_kit.pytest_plugin"]`; once in any
case. Where the fixtures are imported from `aiotest_kit.fixtures` instead, they bring the hooks with them.
Nothing of aiohttp is imported before a fixture is used.
"""

pytest_plugins: tuple[str, ...] = ("aiotest_kit.fixtures", "aiotest_kit._plugin.hooks")
