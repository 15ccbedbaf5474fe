"""What the public API has that stands above a single room."""

from pathlib import Path

from gato_jax.config import Experiment
from gato_jax.training import train as training
from gato_jax.training.data_stream import OpenStream, open_stream
from gato_jax.training.mixture_control.controller import MixtureController
from gato_jax.training.result import TrainResult
from gato_jax.weights.initial import open_initial_weights


def train(
    experiment: Experiment,
    out: Path | str,
    *,
    open_stream: OpenStream = open_stream,
    mixture_controller: MixtureController | None = None,
) -> TrainResult:
    """Trains an experiment in the run directory `out`, or continues what is there, as `gato train` does.

    Args:
      experiment: what to train; `train.init_from` may name the weights that it begins with.
      out: run directory; created where it is absent.
      open_stream: (experiment, host, hosts) -> the data; that of `experiment.data` when not given.
      mixture_controller: changes the mixture's weights as the run goes on.

    Raises:
      RunMismatch: `out` holds another experiment.
      CheckpointError: a checkpoint is damaged.
      RunLocked: another process trains in `out`, or has taken it over.
      ValueError: weights of another network, rows that do not divide over devices, the position of another mixture.
      FloatingPointError: the loss is not finite.

    Examples:
      A run that is done returns at once.

      >>> import gato_jax
      >>> result = gato_jax.train(gato_jax.load_experiment("run/config.json"), "run")
      >>> result.finished, result.step
      (True, 2)
    """
    return training.train(
        experiment,
        Path(out),
        open_stream=open_stream,
        open_weights=open_initial_weights,
        mixture_controller=mixture_controller,
    )
