"""Data of the runs of a study, which differ in weights and seed: what TensorFlow traced and read serves all of them.

Tracing the pipelines of some twenty tasks takes longer than many a proxy trains.
"""

import json
from typing import Any

from data_pipelines.config import DataConfig
from gato_jax.config import Experiment
from gato_jax.serialize import encode
from gato_jax.training.prepare import DataStream


class SharedStreams:
    """Opens the stream of one run after the other, as `training.prepare.open_stream` does."""

    def __init__(self):
        self._key, self._pipelines = "", None

    def __call__(self, experiment: Experiment, host: int, hosts: int) -> DataStream:
        from data_pipelines.stream import Stream

        key = _but_weights_and_seed(experiment.data)
        pipelines = self._pipelines if key == self._key else None
        stream = Stream(experiment.data, host=host, hosts=hosts, pipelines=pipelines)
        self._key, self._pipelines = key, stream.pipelines
        return stream


def _but_weights_and_seed(data: DataConfig) -> str:
    fields: dict[str, Any] = encode(data)
    mixture, stream = fields["mixture"], fields["stream"]
    del mixture["schedule"], stream["seed"]
    mixture["weights"] = sorted(mixture["weights"])
    return json.dumps(fields, sort_keys=True)
