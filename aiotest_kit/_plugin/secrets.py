"""Secrets in what pytest shows of a test: settings, numbers that begin with each test, and masked reports.

Knows pytest's reports, and what a test's watch has seen. What a secret is, is said in `_messages`. There is
nothing for pytest to rewrite here: PYTEST_DONT_REWRITE.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from .strictness import Watch

__all__ = ["add_options", "begin_run", "begin_test", "hide_secrets"]

NAMES = "aiotest_kit_secrets"
SHOW = "aiotest_kit_show_secrets"
MASKING = "aiotest_kit._messages.masking"


def add_options(parser: pytest.Parser) -> None:
    """The ini options."""
    parser.addini(
        NAMES,
        "names of headers, parameters, fields and JSON keys whose values are secret, beside the usual ones; "
        "one a line",
        type="linelist",
        default=[],
    )
    parser.addini(SHOW, "show secrets in texts: false (default) or true", type="bool", default=False)


def begin_run(config: pytest.Config) -> None:
    """Mask by the settings of a run, until it ends."""
    names, shown = config.getini(NAMES), config.getini(SHOW)
    if names or shown or MASKING in sys.modules:
        from .._messages.masking import Secrets, use

        config.add_cleanup(use(Secrets(names, shown=shown)))


def begin_test() -> None:
    """Number anew."""
    if MASKING in sys.modules:
        sys.modules[MASKING].current().renew()


def hide_secrets(report: pytest.TestReport, watch: Watch) -> None:
    """Mask what a report shows: its failure, in whatever form, and what was captured."""
    if report.longrepr is None and not report.sections:
        return
    from .._messages.masking import current

    if current().shown:
        return
    learn_from(watch)
    mask = current().mask
    report.longrepr = masked(report.longrepr, mask)
    report.sections = masked(report.sections, mask)


def learn_from(watch: Watch) -> None:
    """Know what is secret in the calls of a test, its websockets, and what its routes expect and answer."""
    from .._reports.secrets import learn_answer, learn_call, learn_message, learn_pattern

    for router in (*watch.all_routers, *watch.ended):
        for call in router.calls:
            learn_call(call)
        for route in router.owed:
            learn_pattern(route.pattern)
            for step in route.sequence.snapshot().steps:
                learn_answer(step.answer)
            for connection in getattr(route, "connections", ()):
                for message in connection.messages:
                    learn_message(message.data)


def masked(value: Any, mask: Callable[[str], str]) -> Any:
    """What pytest shows, in which each text is masked: objects and lists are changed in place."""
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, list):
        if value and all(isinstance(each, str) for each in value):
            # Together, as a secret may have several lines.
            value[:] = mask("\n".join(value)).split("\n")
        else:
            value[:] = [masked(each, mask) for each in value]
    elif isinstance(value, tuple):
        return tuple(masked(each, mask) for each in value)
    elif type(value).__module__.partition(".")[0] in ("_pytest", "pytest"):
        for name, each in vars(value).items():
            setattr(value, name, masked(each, mask))
    return value
