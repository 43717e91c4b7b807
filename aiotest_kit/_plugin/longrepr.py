"""What pytest shows of a failure, its `longrepr`, with more behind it. Knows pytest's reports.

There, and not in `report.sections`, which are captured output: JUnit XML and `--show-capture=no` leave that
out. There is nothing for pytest to rewrite here: PYTEST_DONT_REWRITE.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pytest

__all__ = ["add_sections"]

WIDTH = 80


def add_sections(report: pytest.TestReport, sections: Iterable[tuple[str, str]]) -> None:
    """Show titled texts behind what is shown of a failure, whatever form that has."""
    for title, text in sections:
        longrepr: Any = report.longrepr
        if hasattr(longrepr, "addsection"):
            longrepr.addsection(title, text)
        else:
            # That of `xfail(strict=True)` is text, and that of a fixture that is not there has no sections.
            report.longrepr = f"{longrepr}\n{f' {title} ':-^{WIDTH}}\n{text}"
