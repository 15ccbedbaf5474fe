"""The process in which worlds are tried: `python -m data_pipelines.suites.trials.child PARENT`.

A request has the arguments of `try_task`, an answer the fields of a `Trial`.
"""

import dataclasses
import sys
from pathlib import Path

from data_pipelines.suites.outside.world_process import Requests
from data_pipelines.suites.trials.trial import Trial, try_task


def main(parent: int) -> None:
    """Tries what is asked for until nothing is."""
    requests = Requests(parent)
    for request in requests:
        if request["picture"] is not None:
            request["picture"] = Path(request["picture"])
        trial = try_task(**request)
        if "tensorflow" in sys.modules:
            trial = Trial(False, "its simulator imports TensorFlow, beside which nothing can be drawn")
        requests.answer(dataclasses.asdict(trial))


if __name__ == "__main__":
    main(int(sys.argv[1]))
