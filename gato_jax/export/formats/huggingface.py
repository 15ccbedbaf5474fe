"""Hugging Face: the tensors, the PyTorch model that reads them, and the tokenizers and the agent that act with it."""

from pathlib import Path
from typing import TYPE_CHECKING

from gato_jax.export.common import bundle
from gato_jax.export.common.export_format import ExportFormat, Order

if TYPE_CHECKING:
    from gato_jax.weights.source import Source


def write(order: Order) -> None:
    """Writes the PyTorch model, the package `gato_agent`, and tasks.json."""
    from data_pipelines import atomic_files
    from gato_jax.export.common.tasks import recorded_specs, task_file

    bundle.write_model(order.directory)
    experiment = order.source.experiment
    specs = recorded_specs(Path(experiment.data.directory), sorted(experiment.data.mixture.task_names))
    tasks = task_file(experiment, specs, text=bool(order.source.text_model))
    atomic_files.write_json(order.directory / "tasks.json", tasks)


def write_model(source: "Source", directory: Path) -> None:
    """Writes the model alone, in float32, or what is missing of it; formats that PyTorch makes begin with this."""
    from gato_jax.export.common import model_files

    model_files.write_weights(source, directory, dtype="float32")
    model_files.write_config(source, directory, dtype="float32", more=FORMAT.config)
    bundle.write_model(directory)


FORMAT = ExportFormat(
    name="huggingface",
    description="weights, PyTorch model, tokenizers, agent",
    write=write,
    has_tensors=True,
    with_optimizer=True,
    runtime=("numpy", "torch", "transformers", "safetensors", "sentencepiece"),
    install="pip install torch==2.13.0 transformers safetensors sentencepiece",
    hidden=("jax", "flax", "tensorflow"),
    config={"auto_map": {"AutoConfig": "configuration_gato.GatoConfig", "AutoModel": "modeling_gato.GatoModel"}},
    library="transformers",
    usage="""With PyTorch and transformers, without JAX or TensorFlow
(`pip install torch transformers safetensors sentencepiece`):

```python
from transformers import AutoModel

model = AutoModel.from_pretrained(DIR, trust_remote_code=True)
agent = model.agent(TASK)                          # a name in tasks.json
agent.reset(1)
action = agent.act(observation)                    # for each timestep
```

`trust_remote_code` runs the Python files of this directory; read them first.
With gato-jax: `gato play DIR TASK`. Back into training: `gato import-weights DIR --to RUN`.""",
)
