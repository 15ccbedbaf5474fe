"""The process in which worlds are tried: `python -m data_pipelines.suites.trials.child PARENT`.

Requests are JSON lines: the arguments of `try_task`. An answer is a JSON line: the fields of a `Trial`.
"""

import dataclasses
import json
import os
import sys
from pathlib import Path

from data_pipelines import parent_process
from data_pipelines.suites.trials.trial import Trial, try_task


def main(parent: int) -> None:
    """Tries what is asked for until its input ends."""
    parent_process.end_with(parent)
    parent_process.killed_with_parent(parent)
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # Simulators print.
    for line in sys.stdin:
        request = json.loads(line)
        if request["picture"] is not None:
            request["picture"] = Path(request["picture"])
        trial = try_task(**request)
        if "tensorflow" in sys.modules:
            trial = Trial(False, "its simulator imports TensorFlow, beside which nothing can be drawn")
        answers.write(json.dumps(dataclasses.asdict(trial)) + "\n")
        answers.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]))
