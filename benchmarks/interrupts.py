"""Presses Ctrl-C at many moments of `gato export` and `gato import-weights`, and runs the same command again.

    python -m benchmarks.interrupts RUN --times 40 [--signal KILL] [--command import-weights]

Every interrupt has to end with 130 and "run the same command again", call nothing damaged, and leave what the next call
finishes; what that writes has to be, file by file, what an undisturbed call wrote. Prints a table, and fails otherwise.
"""

import argparse
import collections
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

AGAIN = "run the same command again"


def command(name: str, source: Path, out: Path) -> list[str]:
    more = ["--with-optimizer", "--unverified", "--shard-size", "200000"] if name == "export" else ["--data", "nowhere"]
    return [sys.executable, "-m", "gato_jax.cli", name, str(source), "--to", str(out), *more]


def content(out: Path, name: str) -> dict[str, bytes]:
    """What two calls write alike: tensors and digests; of an import, the config, as Orbax's files carry times."""
    names = ("config.json",) if name == "import-weights" else ("config.json", "digests.json")
    paths = [path for path in out.rglob("*") if path.suffix == ".safetensors" or path.name in names]
    return {str(path.relative_to(out)): path.read_bytes() for path in paths}


def disturbed(words: list[str], *, after: float, which: signal.Signals) -> tuple[int, str]:
    process = subprocess.Popen(words, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    time.sleep(after)
    if process.poll() is None:
        process.send_signal(which)
    error = process.communicate(timeout=300)[1]
    return process.returncode, error


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--times", type=int, default=40)
    parser.add_argument("--command", choices=("export", "import-weights"), default="export")
    parser.add_argument("--signal", choices=("INT", "KILL"), default="INT")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    which, dice = signal.Signals[f"SIG{options.signal}"], random.Random(options.seed)
    table: collections.Counter[tuple[str, str]] = collections.Counter()
    problems = []
    with tempfile.TemporaryDirectory() as home:
        whole, out = Path(home) / "whole", Path(home) / "out"
        began = time.monotonic()
        subprocess.run(command(options.command, options.run, whole), check=True, capture_output=True)
        length = time.monotonic() - began
        expected = content(whole, options.command)
        for number in range(options.times):
            after = dice.uniform(0.2, 1.05) * length
            code, error = disturbed(command(options.command, options.run, out), after=after, which=which)
            outcome = "finished" if out.exists() else "partial" if (out.parent / ".out.partial").exists() else "nothing"
            table[f"exit {code}", outcome] += 1
            last = error.strip().splitlines()[-1] if error.strip() else ""
            if which is signal.SIGINT and code not in (0, -signal.SIGINT, 130):
                problems.append(f"{number}, after {after:.2f} s: exit {code}: {error[-400:]}")
            if code == 130 and AGAIN not in error:
                problems.append(f"{number}: 130 without a word: {last}")
            if "damaged" in error:
                problems.append(f"{number}: {last}")
            if number % 3 == 2:  # Often several interrupts in a row before it may finish.
                again = subprocess.run(
                    command(options.command, options.run, out), check=False, capture_output=True, text=True
                )
                if again.returncode or content(out, options.command) != expected:
                    problems.append(f"{number}: again: exit {again.returncode}, {again.stderr[-400:]}")
                left = sorted(path.name for path in out.parent.iterdir())
                if left != ["out", "whole"]:
                    problems.append(f"{number}: left over: {left}")
                shutil.rmtree(out, ignore_errors=True)
    for (code, outcome), times in sorted(table.items()):
        print(f"{options.command}, SIG{options.signal}: {code}, {outcome}: {times}")
    if problems:
        sys.exit("\n".join(problems))


if __name__ == "__main__":
    main()
