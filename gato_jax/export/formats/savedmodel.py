"""TensorFlow SavedModel by `jax2tf`: a serving signature with a symbolic batch, and the weights as variables."""

import os
import sys
from pathlib import Path
from typing import Any

from gato_jax.export.common.export_format import ExportFormat, Order


def write(order: Order) -> None:
    """Writes `saved_model.pb` and `variables/`. Signature "serving_default": the model's inputs -> logits.

    A process of its own does it: TensorFlow does not give back the memory of variables, which the check needs. It reads
    the tensors from a safetensors export, as a checkpoint gives whole leaves only, of all layers.

    Raises:
      ExportError: TensorFlow fails; says what it printed.
    """
    from gato_jax.export.common import model_files
    from gato_jax.export.common.conversion import convert

    def make_model(directory: Path) -> None:
        model_files.write_weights(order.source, directory, dtype="float32")
        model_files.write_config(order.source, directory, dtype="float32", more={})

    convert(
        make_model,
        order.directory,
        lambda model, out: [sys.executable, "-m", "gato_jax.export.formats.savedmodel", str(model), str(out)],
        result="saved_model.pb",
        # oneDNN's allocator would keep what is only needed while variables are read.
        environment={**os.environ, "JAX_PLATFORMS": "cpu", "CUDA_VISIBLE_DEVICES": "", "TF_ENABLE_ONEDNN_OPTS": "0"},
        tool="TensorFlow",
    )


def _convert(model: Path, directory: Path) -> None:
    import tensorflow as tf
    from jax.experimental import jax2tf

    from gato_jax.export.common.functions import Functions
    from gato_jax.weights.source import open_export
    from gato_jax.weights.tensor_names import tensors_of

    source = open_export(model)
    experiment = source.experiment
    length = max(group.window_length for group in experiment.data.mixture.groups.values())
    functions = Functions(experiment, length=length)
    names = functions.inputs(1, 1, 1)
    symbols = {"tokens": "b, n", "patches": "b, p, _", "patch_slot": "b, p", "patch_interval": "b, p, _"}
    polymorphic = {name: symbols.get(name, "b, n") for name in names}
    module = tf.Module()
    module.weights = {
        tensor.name.replace(".", "/"): tf.Variable(source.read(tensor.name), trainable=False, dtype=tf.float32)
        for tensor in tensors_of(experiment.model, experiment.data.tokens.vocabulary)
    }
    convert = jax2tf.convert(
        functions.logits,
        polymorphic_shapes=[None, polymorphic],
        polymorphic_constraints=[f"n <= {length}"],
        with_gradient=False,
        native_serialization_platforms=("cpu", "tpu", "cuda"),
    )
    signature = {
        name: tf.TensorSpec([None, None, *leaf.shape[2:]], leaf.dtype, name=name) for name, leaf in names.items()
    }

    @tf.function(autograph=False, input_signature=[signature])
    def serve(inputs: dict[str, Any]) -> dict[str, Any]:
        variables = {name.replace("/", "."): variable for name, variable in module.weights.items()}
        return {"logits": convert(variables, inputs)}

    module.serve = serve
    options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
    tf.saved_model.save(module, str(directory), signatures={"serving_default": serve}, options=options)


FORMAT = ExportFormat(
    name="savedmodel",
    description="`saved_model.pb`, `variables/`",
    write=write,
    has_tensors=False,
    dtypes=("float32",),
    runtime=("numpy", "tensorflow"),
    install="pip install tensorflow",
    hidden=("jax", "flax", "torch"),
    usage="""With TensorFlow or TensorFlow Serving (`pip install tensorflow`):

```python
import tensorflow as tf
serve = tf.saved_model.load(DIR).signatures["serving_default"]
logits = serve(**fields)["logits"]                 # fields: `saved_model_cli show --dir DIR --all`
```""",
)


if __name__ == "__main__":
    _convert(Path(sys.argv[1]), Path(sys.argv[2]))
