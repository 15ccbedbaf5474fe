"""Commands that are killed at random moments, and must come out as if nothing had happened.

    gato record --out DATA --tasks text.python_docs metaworld.drawer_close --scale 0.05
    python -m experiments.chaos DATA --out chaos --kills 50 --steps 2000
    python -m experiments.chaos DATA --out chaos --parts record cache export import evaluate sweep --kills 10

What was survived goes to chaos.json and chaos.md.
"""

import argparse
import signal
from pathlib import Path
from typing import Any

from data_pipelines.atomic_files import write_json, write_text
from experiments.chaos import commands, training

PARTS = ("train", "record", "cache", "export", "import", "evaluate", "sweep")


def markdown(table: dict[str, Any]) -> str:
    """The table of the kills that training survived."""
    lines = ["| signal | moment | the session | times |", "|---|---|---|---|"]
    lines += [f"| {row['signal']} | {row['moment']} | {row['ended']} | {row['times']} |" for row in table["survived"]]
    return "\n".join(lines) + "\n"


def commands_markdown(rows: list[dict[str, Any]]) -> str:
    """The table of the kills that other commands survived."""
    names = ("SIGKILL", "SIGTERM", "SIGINT")
    lines = [f"| command | kills | {' | '.join(names)} | ended before its kill | seconds undisturbed |"]
    lines.append("|---|---:|---:|---:|---:|---:|---:|")
    for row in rows:
        by = " | ".join(str(row.get(name, 0)) for name in names)
        lines.append(f"| {row['command']} | {row['kills']} | {by} | {row['done_before']} | {row['seconds']} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Parses the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, default=Path("chaos"))
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=["train"])
    parser.add_argument("--kills", type=int, default=50, help="of each part")
    parser.add_argument("--steps", type=int, default=2000, help="of the run that is killed")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    # In the background of a shell Ctrl-C is ignored, and commands would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    out, text = arguments.out, ""
    if "train" in arguments.parts:
        table = training.chaos(arguments.data, out, kills=arguments.kills, steps=arguments.steps, seed=arguments.seed)
        write_json(out / "chaos.json", table)
        print(f"all {table['equal_records']} records equal those of the undisturbed run")
        text += markdown(table)
    others = [name for name in arguments.parts if name != "train"]
    if others:
        run, export = out / "made" / "run", out / "made" / "export"
        training.finish(arguments.data, run, 40)
        parts = {part.name: part for part in commands.parts(arguments.data, run, export)}
        if not export.exists():
            commands.finish(parts["export"], export)
        rows = [commands.survive(parts[name], out, kills=arguments.kills, seed=arguments.seed) for name in others]
        write_json(out / "commands.json", rows)
        text += commands_markdown(rows)
    write_text(out / "chaos.md", text)
    print(f"\n{text}")


if __name__ == "__main__":
    main()
