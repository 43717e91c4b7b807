"""The commands: `python -m aiotest_kit COMMAND`. Each is a module, imported when it is chosen."""

from __future__ import annotations

import argparse
import sys
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

COMMANDS = {
    "migrate": "rewrite the imports of aioresponses, aiointercept and aresponses",
    "serve": "answer real requests with the routes of a file",
}
"""The commands, each with what it does; `_NAME.py` has its `main(arguments) -> exit status`."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command that the arguments name, those of the command line by default; its exit status."""
    listing = "\n".join(f"  {name:<10}{what}" for name, what in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog="python -m aiotest_kit",
        usage="%(prog)s COMMAND ...",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=f"commands:\n{listing}\n\nCOMMAND --help tells more",
    )
    parser.add_argument("command", choices=COMMANDS, help=argparse.SUPPRESS)
    parser.add_argument("rest", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    module = import_module(f"._cli.{options.command}", __package__)
    status: int = module.main(options.rest)
    return status


if __name__ == "__main__":  # pragma: no cover  # only in a process of its own
    sys.exit(main())
