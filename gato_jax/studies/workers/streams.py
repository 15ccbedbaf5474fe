"""Data of the runs of a study, which differ in weights and seed: what TensorFlow traced and read serves all of them.

Tracing the pipelines of some twenty tasks takes longer than many a proxy trains.
"""

from pathlib import Path
from typing import Any

from data_pipelines.config import DataConfig
from data_pipelines.config_json import encode
from gato_jax.config import Experiment
from gato_jax.training.data_stream import DataStream


class SharedStreams:
    """Opens the stream of one run after the other, as `training.data_stream.open_stream` does."""

    def __init__(self):
        self._key, self._pipelines = None, None

    def __call__(self, experiment: Experiment, host: int, hosts: int) -> DataStream:
        from data_pipelines.stream.stream import Stream

        key = _but_weights_and_seed(experiment.data), _files(experiment.data)
        pipelines = self._pipelines if key == self._key else None
        stream = Stream(experiment.data, host=host, hosts=hosts, pipelines=pipelines)
        self._key, self._pipelines = key, stream.pipelines
        return stream


def _but_weights_and_seed(data: DataConfig) -> dict[str, Any]:
    fields: dict[str, Any] = encode(data)
    mixture, stream = fields["mixture"], fields["stream"]
    del mixture["schedule"], stream["seed"]
    # The order in which groups name their tasks counts; that of the weights does not.
    mixture["weights"] = sorted(mixture["weights"])
    return fields


def _files(data: DataConfig) -> list[tuple[str, int, int]]:
    """Name, size and time of all that may be read: data that were repaired or recorded anew are read anew."""
    roots = [Path(root) for root in (data.directory, data.cache, data.tokens.text_model) if root]
    paths = sorted(path for root in roots for path in (root, *root.rglob("*")) if path.exists())
    return [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in paths]
