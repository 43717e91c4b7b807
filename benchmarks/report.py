"""Rows to text, and the figures against the budget. Pure: knows nothing of how anything was measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .contenders import AIOHTTP_CLIENT, MOCK, STUB_CLIENT
from .rounds import MANY_CALLS, MANY_ROUTES, Row

FEW, MANY = (f"{count} routes" for count in MANY_ROUTES)
LATE = f"call {MANY_CALLS}"
COLUMNS = {
    "call": ("1 route,", "1st call"),
    FEW: (f"{MANY_ROUTES[0]:,}", "routes"),
    MANY: (f"{MANY_ROUTES[1]:,}", "routes"),
    LATE: (f"{MANY_CALLS:,}th", "call"),
    "cycle": ("open, call,", "close"),
    "kept": ("the same,", "all else kept"),
}


@dataclass(frozen=True)
class Budget:
    """One line of the budget. ``within`` is None for what was not measured."""

    what: str
    measured: str
    limit: str
    within: bool | None

    @property
    def verdict(self) -> str:
        return {True: "ok", False: "OVER", None: "n/a"}[self.within]


def ratios(rows: Sequence[Row]) -> str:
    """One contender a line, one measure a column, each a multiple of the floor of the same aiohttp."""
    lines = [["", *(first for first, _ in COLUMNS.values()), "kept per", ""]]
    lines.append(["", *(second for _, second in COLUMNS.values()), "call", "aiohttp"])
    for row in rows:
        if row.unavailable is not None:
            lines.append([row.name, f"n/a: {row.unavailable}"])
            continue
        figures = [f"{row.figures[name].ratio:.2f}" if name in row.figures else "-" for name in COLUMNS]
        kept = "-" if row.kept_bytes is None else f"{row.kept_bytes:,.0f} B"
        lines.append([row.name, *figures, kept, row.aiohttp])
    return aligned(lines)


def app_clients(rows: Sequence[Row]) -> str:
    """Start, one call and close of the clients of an app: how long, and how much faster than aiohttp's."""
    lines = [["", "app made", "the same", ""], ["", "each time", "app again", "aiohttp"]]
    for row in rows:
        if row.unavailable is not None:
            lines.append([row.name, f"n/a: {row.unavailable}"])
            continue
        figures = [row.figures[name] for name in ("cycle", "kept")]
        cells = [f"{figure.microseconds:,.0f} us, {1 / figure.ratio:.2f} x" for figure in figures]
        lines.append([row.name, *cells, row.aiohttp])
    return aligned(lines)


def floors(rows: Sequence[Row]) -> str:
    """What 1.00 was, in microseconds, for each aiohttp."""
    found = {row.aiohttp: row.floor for row in reversed(rows) if row.floor}
    return "\n".join(
        f"floor on aiohttp {name}: {floor['call']:.1f} us per call, {floor['cycle']:.1f} us open, call, close"
        for name, floor in sorted(found.items(), reverse=True)
    )


def budgets(rows: Sequence[Row], plugin: float | None) -> list[Budget]:
    """The lines of the budget: five of the ``mock()`` row, in the order of the design, and one of apps."""
    row = row_of(rows, MOCK)
    ratio = {name: figure.ratio for name, figure in row.figures.items()}
    kept = None if row.kept_bytes is None else row.kept_bytes / 1024
    return [
        budget("one stubbed JSON call, recorded", (ratio.get("call"), 1.35, "x floor")),
        budget("open, session, one call, close all", (ratio.get("cycle"), 1.5, "x floor")),
        budget(f"{MANY_ROUTES[1]:,} routes instead of 1", (quotient(ratio, MANY), 1.2, "x")),
        budget(
            f"{MANY_CALLS:,}th call instead of the 1st",
            (quotient(ratio, LATE), 1.1, "x"),
            (kept, 1.5, "KiB kept"),
        ),
        budget("pytest plugin beside pytest-aiohttp", (plugin, 10, "ms")),
        *(
            at_least(f"start, one call, close of {app} app", speed(row_of(rows, STUB_CLIENT), name), 3)
            for name, app in (("cycle", "a new"), ("kept", "the same"))
        ),
    ]


def row_of(rows: Sequence[Row], name: str) -> Row:
    return next((row for row in rows if row.name == name), Row(name))


def speed(row: Row, name: str) -> float | None:
    """How many times as fast as its base."""
    return 1 / row.figures[name].ratio if name in row.figures else None


def at_least(what: str, measured: float | None, limit: float) -> Budget:
    """A line that holds when a client of an app is so many times as fast as aiohttp's own."""
    return Budget(
        what,
        "n/a" if measured is None else f"{measured:.2f} x {AIOHTTP_CLIENT}",
        f"{limit:g} x",
        within=None if measured is None else measured >= limit,
    )


def quotient(ratio: dict[str, float], name: str) -> float | None:
    return ratio[name] / ratio["call"] if name in ratio else None


def budget(what: str, *parts: tuple[float | None, float, str]) -> Budget:
    """A line from (measured, limit, unit) parts; it holds when each of them does."""
    verdicts = [None if measured is None else measured <= limit for measured, limit, _ in parts]
    return Budget(
        what,
        ", ".join("n/a" if measured is None else f"{measured:.2f} {unit}" for measured, _, unit in parts),
        ", ".join(f"{limit:g} {unit}" for _, limit, unit in parts),
        within=False if False in verdicts else None if None in verdicts else True,
    )


def budget_table(lines: Sequence[Budget]) -> str:
    heading = ["budget", "measured", "limit", ""]
    return aligned([heading, *([line.what, line.measured, line.limit, line.verdict] for line in lines)])


def aligned(lines: Sequence[Sequence[str]]) -> str:
    """Columns of text, the first to the left, the others to the right; two cells are a name and a remark."""
    columns = zip(*(line for line in lines if len(line) > 2), strict=True)
    widths = [max(map(len, column)) for column in columns]
    widths[0] = max(len(line[0]) for line in lines)
    whole = []
    for line in lines:
        cells = line if len(line) == 2 else map(str.rjust, line, widths)
        whole.append("  ".join([line[0].ljust(widths[0]), *list(cells)[1:]]).rstrip())
    return "\n".join(whole)
