"""Trained weights from a run, a checkpoint, or an export."""

from pathlib import Path

from data_pipelines.tokenizers.text import resolve_text_model
from gato_jax.training.checkpoints import checkpoint
from gato_jax.weights.source import open_export
from gato_jax.weights.weights import EXPORT_TENSORS, Weights


def load_weights(path: Path | str, *, data: Path | str | None = None) -> Weights:
    """Weights of a run (its latest checkpoint), of one checkpoint, or of a safetensors export.

    Args:
      path: their directory.
      data: data directory, where the text model is looked for; the experiment's own when None.

    Raises:
      FileNotFoundError: `path` does not exist.
      CheckpointError, ExportError: nothing to load there, damaged, or of another architecture.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist; expected a run directory of `gato train`, or an export")
    if (path / EXPORT_TENSORS).is_file() or (path / f"{EXPORT_TENSORS}.index.json").is_file():
        return load_export(path)
    found = checkpoint.find_checkpoint(path)
    experiment, parameters = checkpoint.load_params(found)
    directory = experiment.data.directory if data is None else data
    try:
        text_model = str(resolve_text_model(experiment.data.tokens.text_model, directory))
    except FileNotFoundError:
        text_model = ""  # tasks without text need none; `Weights.text` says what is missing where one does
    return Weights(experiment, parameters, int(found.name), text_model)


def load_export(directory: Path | str) -> Weights:
    """Weights of an export, ready to act. bfloat16 becomes float32.

    Raises:
      ExportError: damaged, hostile, or of another architecture; see `open_export`.
    """
    return open_export(Path(directory)).weights()
