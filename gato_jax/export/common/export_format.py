"""What a format of exports says about itself. Loads no JAX, because the command line reads the formats to start."""

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gato_jax.weights.source import Source

DTYPES = ("float32", "bfloat16")


@dataclasses.dataclass(frozen=True)
class Order:
    """What a format is made of.

    Attributes:
      source: the weights.
      directory: to write into; config.json is there, and model.safetensors where the format has it.
      dtype: of the weights.
      interpreter: that has the format's runtime; None where the export is not checked and the format needs none.
    """

    source: "Source"
    directory: Path
    dtype: str
    interpreter: str | None


@dataclasses.dataclass(frozen=True)
class ExportFormat:
    """One format.

    Attributes:
      name: on the command line and in records of exports, and of its opener in fresh_process.py, which checks it.
      description: what is written, in a line.
      write: adds to a directory what the format has beside config.json, tokenizer.model and model.safetensors.
      has_tensors: whether model.safetensors is there, from which `gato import-weights` reads the weights back.
      with_optimizer: whether the optimizer's state can lie beside it.
      dtypes: what its weights may be.
      runtime: packages that the check needs.
      install: the command that brings them.
      hidden: packages that the check makes impossible to import, because the format works without.
      made_by_runtime: whether the runtime makes it too, and so is needed where nothing is checked.
      config: what config.json says for the runtime's sake.
      library: which library a model hub names.
      usage: how to load it, in the words of the model card.
    """

    name: str
    description: str
    write: Callable[[Order], None]
    has_tensors: bool
    runtime: tuple[str, ...]
    install: str
    hidden: tuple[str, ...]
    usage: str
    with_optimizer: bool = False
    dtypes: tuple[str, ...] = DTYPES
    made_by_runtime: bool = False
    config: Mapping[str, object] = dataclasses.field(default_factory=dict)
    library: str = "gato-jax"
