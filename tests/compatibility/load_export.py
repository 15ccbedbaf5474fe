"""Loads exports with the runtime of their format and prints what they say: `python -I load_export.py FORMAT DIR ...`.

Written after docs/export.md. As a stranger's program it can import nothing of this project, and the logits of the
fields that stand in `fields.npz`, where it is started, go to `FORMAT-<number of the directory>.npy`.
"""

import os
import sys

import numpy as np

sys.modules.update(dict.fromkeys(("gato_jax", "data_pipelines", "experiments")))


def safetensors(directory, fields):
    sys.path.insert(0, directory)
    sys.modules.pop("numpy_gato", None)
    import numpy_gato

    sys.path.pop(0)
    return numpy_gato.forward(*numpy_gato.load(directory), fields)


def stablehlo(directory, fields):
    import jax
    from safetensors.numpy import load_file

    with open(os.path.join(directory, "forward.stablehlo"), "rb") as file:
        forward = jax.export.deserialize(bytearray(file.read()))
    return forward.call(load_file(os.path.join(directory, "model.safetensors")), fields)


def savedmodel(directory, fields):
    import tensorflow as tf

    loaded = tf.saved_model.load(directory)  # Keeps the weights alive.
    serve = loaded.signatures["serving_default"]
    return serve(**{name: tf.constant(array) for name, array in fields.items()})["logits"].numpy()


def huggingface(directory, fields):
    import torch
    from transformers import AutoModel

    model = AutoModel.from_pretrained(directory, trust_remote_code=True).eval()
    with torch.inference_mode():
        return model(**{name: torch.from_numpy(array) for name, array in wide(fields).items()}).logits.numpy()


def onnx(directory, fields):
    import onnxruntime

    session = onnxruntime.InferenceSession(os.path.join(directory, "model.onnx"))
    return session.run(["logits"], wide(fields))[0]


def wide(fields):
    """As PyTorch has integers."""
    return {name: array if name == "patches" else array.astype(np.int64) for name, array in fields.items()}


def main():
    form, *directories = sys.argv[1:]
    with np.load("fields.npz", allow_pickle=False) as archive:
        fields = dict(archive)
    for number, directory in enumerate(directories):
        np.save(f"{form}-{number}.npy", np.asarray(globals()[form](os.path.abspath(directory), fields)))


if __name__ == "__main__":
    main()
