"""A pytest plugin that makes the name of a library mean its stand-in; `COMPAT_LIBRARY` is the name.

So a suite that imports the library runs against `aiotest_kit.compat`, unedited.
"""

import importlib
import os
import pkgutil
import sys

import pytest

library = os.environ["COMPAT_LIBRARY"]
package = importlib.import_module(f"aiotest_kit.compat.{library}")
sys.modules[library] = package
for info in pkgutil.iter_modules(package.__path__):
    sys.modules[f"{library}.{info.name}"] = importlib.import_module(f"{package.__name__}.{info.name}")


def pytest_configure(config: pytest.Config) -> None:
    """Provide the fixtures that the library's own plugin has."""
    # Not by `pytest_plugins`, which warns of what is imported already.
    config.pluginmanager.register(package)
