"""The Python files beside exported weights: the PyTorch model, and the NumPy tokenizers that training uses.

The tokenizers are not written a second time: their source files are copied, with imports of each other made relative
and without the annotations' package, so that what acts with the weights is what they were trained with.
"""

import importlib.util
import re
import shutil
from pathlib import Path

TOKENIZERS = {
    "data_pipelines.config_json": "config_json",
    "data_pipelines.errors": "errors",
    "data_pipelines.ranges": "ranges",
    "data_pipelines.tokenizers.layout": "layout",
    "data_pipelines.schema": "schema",
    "data_pipelines.spec": "spec",
    "data_pipelines.tokenizers.timestep": "timestep",
    "data_pipelines.vocabulary": "vocabulary",
    "data_pipelines.tokenizers.checks": "checks",
    "data_pipelines.tokenizers.continuous": "continuous",
    "data_pipelines.tokenizers.discrete": "discrete",
    "data_pipelines.tokenizers.images": "images",
    "data_pipelines.tokenizers.text": "text",
}
"""Module -> name of its copy in the package `gato_agent`."""

PACKAGE = "gato_agent"
HERE = Path(__file__).parents[1] / "huggingface"
MODEL_FILES = ("configuration_gato.py", "modeling_gato.py", "check_digests.py")
CHECK = HERE / "check_digests.py"
"""Compares a directory with its digests; beside every export."""


def write_model(directory: Path) -> None:
    """Writes the PyTorch model, and the package that acts with it."""
    for name in MODEL_FILES:
        shutil.copyfile(HERE / name, directory / name)
    package = directory / PACKAGE
    package.mkdir(exist_ok=True)
    for module, name in TOKENIZERS.items():
        (package / f"{name}.py").write_text(standalone(module))
    shutil.copyfile(HERE / "agent.py", package / "agent.py")
    (package / "__init__.py").write_text(
        '"""Tokenizers and an agent; written by `gato export`."""\n\nfrom .agent import Agent\n\n__all__ = ["Agent"]\n'
    )


def standalone(module: str) -> str:
    """Source of a tokenizer module that imports nothing of ours but its neighbours.

    Raises:
      ValueError: it imports a module of ours that is not copied.
    """
    spec = importlib.util.find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    text = Path(spec.origin).read_text()
    text = re.sub(r"^from jaxtyping import .*\n", "", text, flags=re.MULTILINE)

    def relative(match: re.Match[str]) -> str:
        source, names = match[1], match[2]
        if source in TOKENIZERS:
            return f"from .{TOKENIZERS[source]} import {names}"
        if all(TOKENIZERS.get(f"{source}.{name}") == name for name in names.split(", ")):
            return f"from . import {names}"
        return match[0]

    text = re.sub(r"^from (data_pipelines[.\w]*) import (.*)$", relative, text, flags=re.MULTILINE)
    if re.search(r"^\s*(from|import) (data_pipelines|gato_jax|jaxtyping)", text, flags=re.MULTILINE):
        raise ValueError(f"{module} imports what is not copied beside exported weights")
    # Behind the docstring, which a future import may follow.
    end = text.index('"""', text.index('"""') + 3) + 3
    return f"{text[:end]}\n\nfrom __future__ import annotations{text[end:]}"
