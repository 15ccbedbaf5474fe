"""ONNX by `torch.onnx`, from the PyTorch model of the huggingface format."""

import os

from gato_jax.export.common import bundle
from gato_jax.export.common.export_format import ExportFormat, Order
from gato_jax.export.formats import huggingface

SCRIPT = bundle.HERE / "convert_onnx.py"


def write(order: Order) -> None:
    """Writes `model.onnx`: the model's inputs -> logits; rows, places and patches are free.

    Raises:
      ExportError: the converter fails; says what it printed.
    """
    from gato_jax.export.common.conversion import WORK, convert

    interpreter = order.interpreter
    assert interpreter is not None
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    home = (order.directory / WORK / "home").resolve()
    convert(
        lambda directory: huggingface.write_model(order.source, directory),
        order.directory,
        lambda model, out: [interpreter, "-I", "-B", "-X", "utf8", str(SCRIPT), str(model), str(out / "model.onnx")],
        result="model.onnx",
        environment=environment | {"HF_HOME": str(home), "HF_HUB_OFFLINE": "1"},
        tool=f"torch.onnx in {interpreter}",
    )


FORMAT = ExportFormat(
    name="onnx",
    description="`model.onnx`",
    write=write,
    has_tensors=False,
    dtypes=("float32",),
    runtime=("numpy", "torch", "transformers", "safetensors", "onnx", "onnxscript", "onnxruntime"),
    install="pip install torch==2.13.0 transformers onnx onnxscript onnxruntime",
    hidden=("jax", "flax", "tensorflow", "torch"),
    made_by_runtime=True,
    usage="""With onnxruntime (`pip install onnxruntime`):

```python
import onnxruntime
session = onnxruntime.InferenceSession("model.onnx")
(logits,) = session.run(["logits"], fields)
```""",
)
