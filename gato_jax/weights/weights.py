"""Trained weights with all that is needed to act with them, from a run, a checkpoint, or an export."""

import dataclasses
import functools
from pathlib import Path
from typing import Any

from data_pipelines.tokenizers.text import TextTokenizer, resolve_text_model
from gato_jax.config import Experiment
from gato_jax.model.gato import Gato, bind
from gato_jax.training.checkpoints import checkpoint

EXPORT_CONFIG = "config.json"
EXPORT_TENSORS = "model.safetensors"
TOKENIZER = "tokenizer.model"


@dataclasses.dataclass(frozen=True, eq=False)
class Weights:
    """Parameters, the experiment they come from, and its text model.

    Args:
      experiment: the resolved experiment.
      parameters: nested dict of float32 arrays, as `model.gato.bind` takes them.
      step: training step; 0 where nobody knows.
      text_model: path of the SentencePiece model; "" where there is none. Read when it is first needed.
    """

    experiment: Experiment
    parameters: Any
    step: int = 0
    text_model: str = ""

    @functools.cached_property
    def text(self) -> TextTokenizer:
        """The text model. Raises `FileNotFoundError` where the weights came without."""
        if not self.text_model:
            raise FileNotFoundError(
                f"experiment {self.experiment.name!r} needs a text model; expected {TOKENIZER} in its data directory "
                f"{self.experiment.data.directory}"
            )
        return TextTokenizer(self.text_model)

    def model(self) -> Gato:
        """The network with these weights; cheap."""
        return bind(self.experiment.model, self.experiment.data.tokens.vocabulary, self.parameters)


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
        from gato_jax.weights.safetensors import load_export

        return load_export(path)
    found = checkpoint.find_checkpoint(path)
    experiment, parameters = checkpoint.load_params(found)
    directory = experiment.data.directory if data is None else data
    try:
        text_model = str(resolve_text_model(experiment.data.tokens.text_model, directory))
    except FileNotFoundError:
        text_model = ""  # tasks without text need none; `Weights.text` says what is missing where one does
    return Weights(experiment, parameters, int(found.name), text_model)
