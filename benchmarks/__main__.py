"""The command, ``python -m benchmarks``: which contenders, how long, and where the figures go."""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from .contenders import CONTENDERS, FLOOR
from .environments import Unavailable
from .plugin_cost import plugin_milliseconds
from .report import app_clients, budget_table, budgets, floors, ratios
from .rounds import Plan, Row, measure, weigh

PLUGIN = "plugin"
FULL = Plan(sets=4, rounds=6, cycle_sets=8, batch=0.04, histories=True)
QUICK = Plan(sets=1, rounds=5, cycle_sets=0, batch=0.02, histories=False)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    names = [*(name for name in CONTENDERS if name != FLOOR), PLUGIN]
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="What stubbing costs, as ratios to the floor; see README.md."
    )
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds, under a minute")
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=names, help=", ".join(names))
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    parser.add_argument("--check", action="store_true", help="exit 1 unless every line of the budget is ok")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments)
    plan = QUICK if options.quick else FULL
    wanted = options.only or [*CONTENDERS, PLUGIN]
    started = time.monotonic()
    rows = measured_rows([name for name in CONTENDERS if name == FLOOR or name in wanted], plan)
    plugin = measured_plugin(plan) if PLUGIN in wanted else None
    lines = budgets(rows, plugin)

    print(f"{machine()}; {time.monotonic() - started:.0f} s")
    of_apps = [row for row in rows if CONTENDERS[row.name].of_app]
    others = [row for row in rows if row not in of_apps]
    print(f"\n{ratios(others)}\n\n{floors(others)}")
    if of_apps:
        print(f"\n{app_clients(of_apps)}")
    print(f"\n{budget_table(lines)}")
    if options.json:
        figures = {
            "machine": machine(),
            "rows": [asdict(row) for row in rows],
            "plugin_milliseconds": plugin,
            "budget": [asdict(line) for line in lines],
        }
        options.json.write_text(json.dumps(figures, indent=2) + "\n")
    return 1 if options.check and not all(line.within for line in lines) else 0


def measured_rows(names: Sequence[str], plan: Plan) -> list[Row]:
    rows = []
    for name in names:
        print(f"measuring {name} ...", file=sys.stderr)
        rows.append(measure(CONTENDERS[name], plan))
    print("weighing recorded calls ...", file=sys.stderr)
    with_history = [(row, CONTENDERS[row.name]) for row in rows if plan.has_history(CONTENDERS[row.name])]
    weigh([(row, contender) for row, contender in with_history if row.unavailable is None])
    return rows


def measured_plugin(plan: Plan) -> float | None:
    print("measuring the pytest plugin ...", file=sys.stderr)
    try:
        # Two runs of pytest differ by more than two batches do.
        return plugin_milliseconds(8 * plan.sets * plan.rounds)
    except Unavailable as error:
        print(f"plugin: n/a: {error}", file=sys.stderr)
        return None


def machine() -> str:
    """The day, the processor and the Python, in a line."""
    info = Path("/proc/cpuinfo")
    text = info.read_text() if info.is_file() else ""
    models = [line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("model name")]
    processor = models[0] if models else platform.processor() or platform.machine()
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return f"{datetime.date.today()}, {processor}, {os.cpu_count()} cores, {platform.system()}, {python}"


if __name__ == "__main__":
    sys.exit(main())
