"""The formats of exports by name. A new one is a file here, its name below, and its opener in fresh_process.py."""

from gato_jax.export.common.export_format import ExportFormat
from gato_jax.export.formats import huggingface, onnx, safetensors, savedmodel, stablehlo

FORMATS: dict[str, ExportFormat] = {
    module.FORMAT.name: module.FORMAT for module in (safetensors, huggingface, stablehlo, savedmodel, onnx)
}
