"""The benchmark suite: `labkernel bench [NAME]... [--json FILE]`. Prints figures against peers of the same run.

Each part is a module with `run() -> list[Row]`. Figures are medians with their spread; what counts is the ratio
to the peer measured beside it, since machines are noisy.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import traceback
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from row import table

PARTS = ("call", "driver", "edit", "host", "kernel", "load", "membrane")


def main() -> int:
    """Run the parts named, or all."""
    parser = argparse.ArgumentParser(prog="labkernel bench", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; all if left out")
    parser.add_argument("--json", metavar="FILE", help="write the rows as JSON, too")
    given = parser.parse_args()
    unknown = [part for part in given.parts if part not in PARTS]
    if unknown:
        parser.error(f"unknown part {unknown[0]!r}; known: {', '.join(PARTS)}")
    importlib.import_module("labkernel")  # the whole package, before a part stands in for it
    rows, failed = [], []
    for part in given.parts or PARTS:
        print(f"... {part}", file=sys.stderr, flush=True)
        try:
            rows += importlib.import_module(part).run()
        except Exception:  # noqa: BLE001 - the figures of the other parts took minutes and are kept
            traceback.print_exc()
            failed.append(part)
    print(table(rows))
    if given.json:
        Path(given.json).write_text(json.dumps([row.to_json() for row in rows], indent=1), encoding="utf-8")
    missed = [row.what for row in rows if row.is_met is False]
    if missed:
        print(f"\nGoals missed: {', '.join(missed)}")
    if failed:
        print(f"\nParts that failed: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
