"""What pytest loads through the entry point: it only points at the plugin.

pytest refuses one module under two names, so the entry point must not be the plugin itself, which users may
name in `pytest_plugins` or with `-p`.
"""

import pytest

# An editable installation is not found by pytest's own search for modules of plugins.
pytest.register_assert_rewrite("aiotest_kit.fixtures", "aiotest_kit.pytest_plugin")

pytest_plugins = ("aiotest_kit.pytest_plugin",)
