"""A pytest plugin that makes the name of a library mean its stand-in; `COMPAT_LIBRARY` is the name.

So a suite that imports the library runs against `aiotest_kit.compat`, unedited.
"""

import importlib
import os
import pkgutil
import sys

library = os.environ["COMPAT_LIBRARY"]
package = importlib.import_module(f"aiotest_kit.compat.{library}")
sys.modules[library] = package
for info in pkgutil.iter_modules(package.__path__):
    sys.modules[f"{library}.{info.name}"] = importlib.import_module(f"{package.__name__}.{info.name}")

# The stand-in of aioresponses has no fixtures, as the library has none.
pytest_plugins = [package.__name__] if library != "aioresponses" else []
