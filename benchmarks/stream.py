"""Time of the quickstart's data stream, as JSON.

    python -m benchmarks.stream DATA [--steps 200]

DATA is what `gato record` wrote. CPU time counts all threads of the process; "tokens_per_cpu_second" is the figure to
compare with what the training step needs.
"""

import argparse
import json
import pathlib
import time


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("--steps", type=int, default=200)
    arguments = parser.parse_args()

    wall, cpu = time.monotonic(), time.process_time()

    def lap() -> tuple[float, float]:
        """Wall and CPU seconds since the last lap."""
        nonlocal wall, cpu
        before, (wall, cpu) = (wall, cpu), (time.monotonic(), time.process_time())
        return wall - before[0], cpu - before[1]

    from data_pipelines.stream import Stream
    from experiments import quickstart

    imports = lap()
    stream = Stream(quickstart.experiment(directory=arguments.data).data)
    batch = next(stream)
    first = lap()
    tokens = sum(rows["tokens"].size for rows in batch.values())
    for _ in range(arguments.steps):
        next(stream)
    steady = lap()
    stream.close()
    report = {
        "import_seconds": imports[0],
        "first_batch_seconds": first[0],
        "first_batch_cpu_seconds": first[1],
        "tokens_per_step": tokens,
        "milliseconds_per_step": 1000 * steady[0] / arguments.steps,
        "cpu_milliseconds_per_step": 1000 * steady[1] / arguments.steps,
        "tokens_per_cpu_second": tokens * arguments.steps / steady[1],
    }
    print(json.dumps({name: round(value, 2) for name, value in report.items()}, indent=2))


if __name__ == "__main__":
    main()
