"""What a whole run needs: days, device-hours, and what each host has to deliver."""

import dataclasses
import math
from pathlib import Path

from data_pipelines.read_json import read_json
from data_pipelines.schema import FIELDS
from gato_jax.config import Experiment
from gato_jax.planning.slices import Slice
from gato_jax.training.step.spec import group_fields


@dataclasses.dataclass(frozen=True)
class Benchmark:
    """What one host's data stream delivers, measured by `benchmarks/stream.py`.

    Args:
      source: where the figures come from.
      tokens_per_second: with the threads of that benchmark.
      tokens_per_cpu_second: per second of CPU time.
    """

    source: str
    tokens_per_second: float
    tokens_per_cpu_second: float


def read_benchmark(path: Path, kind: str) -> Benchmark:
    """What `python -m benchmarks.stream` printed, of one kind of data.

    Raises:
      FileNotFoundError, ValueError: no such file, a damaged one, or no such kind.
    """
    remedy = f"`python -m benchmarks.stream > {path}` writes it"
    report = read_json(path, "--benchmark, what `python -m benchmarks.stream` prints", remedy=remedy)
    if kind not in report:
        raise ValueError(f"--benchmark {path}: no kind {kind!r}, found {sorted(report)}")
    figures = [report[kind].get(name) for name in ("tokens_per_second", "tokens_per_cpu_second")]
    if not all(isinstance(figure, int | float) and figure > 0 for figure in figures):
        raise ValueError(f"--benchmark {path}: {kind}: expected two speeds above 0, found {figures}")
    return Benchmark(f"{path.name}, {kind}", *figures)


@dataclasses.dataclass(frozen=True)
class Needs:
    """A run at the speed of `step_seconds`.

    Args:
      step_seconds: of the estimate, or of the lower bound where there is none.
      steps: length of the run; None = bounded by minutes. Days and device-hours are None then.
      host_bytes_per_second: of finished batches that one host hands to its devices.
      host_tokens_per_second: places of those batches.
      benchmark: what it is compared with.
      host_cores: cores that the stream needs at the benchmark's tokens per CPU second.
    """

    step_seconds: float
    steps: int | None
    days: float | None
    device_hours: float | None
    host_bytes_per_second: float
    host_tokens_per_second: float
    benchmark: Benchmark | None = None
    host_cores: float | None = None


def needs_of_run(
    experiment: Experiment, where: Slice, *, step_seconds: float | None, benchmark: Benchmark | None
) -> Needs | None:
    """None where no time of a step is known."""
    if not step_seconds:
        return None
    mixture = experiment.data.mixture
    rows = mixture.rows(experiment.data.stream.virtual_shards)
    size = places = 0.0
    for name, group in mixture.groups.items():
        per_row = sum(
            FIELDS[field].dtype().itemsize * math.prod(group.field_shape(field)) for field in group_fields(group)
        )
        size += rows[name] * per_row
        places += rows[name] * group.length
    per_host = 1 / (where.hosts * step_seconds)
    steps = experiment.train.steps
    days = None if steps is None else steps * step_seconds / 86_400
    return Needs(
        step_seconds=step_seconds,
        steps=steps,
        days=days,
        device_hours=None if days is None else 24 * days * where.devices,
        host_bytes_per_second=size * per_host,
        host_tokens_per_second=places * per_host,
        benchmark=benchmark,
        host_cores=None if benchmark is None else places * per_host / benchmark.tokens_per_cpu_second,
    )
