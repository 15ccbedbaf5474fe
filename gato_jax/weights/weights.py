"""Trained weights with all that is needed to act with them, from a run, a checkpoint, or an export."""

import dataclasses
import functools
from typing import Any

from data_pipelines.tokenizers.text import TextTokenizer
from gato_jax.config import Experiment
from gato_jax.model.gato import Gato, bind

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
