"""A fresh process that acts with exported weights: observations in, action tokens and actions out, as npz on a pipe.

`python -I acting_child.py DIRECTORY TASK`. It can import neither gato-jax nor JAX nor TensorFlow.
"""

import io
import struct
import sys

for name in ("gato_jax", "data_pipelines", "experiments", "jax", "flax", "tensorflow"):
    sys.modules[name] = None

import numpy as np  # noqa: E402
from transformers import AutoModel  # noqa: E402


def receive(stream):
    size = stream.read(8)
    if len(size) < 8:
        return None
    with np.load(io.BytesIO(stream.read(struct.unpack("<Q", size)[0])), allow_pickle=False) as arrays:
        return dict(arrays)


def send(stream, **arrays):
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    stream.write(struct.pack("<Q", len(buffer.getvalue())) + buffer.getvalue())
    stream.flush()


def nested(flat):
    tree = {}
    for key, value in flat.items():
        *parents, name = key.split("/")
        node = tree
        for part in parents:
            node = node.setdefault(part, {})
        node[name] = value[()]
    return tree


def main():
    output, sys.stdout = sys.stdout.buffer, sys.stderr
    model = AutoModel.from_pretrained(sys.argv[1], trust_remote_code=True).eval()
    agent = model.agent(sys.argv[2], decode="argmax")
    agent.reset([0])
    send(output, ready=np.array(1))
    while (observation := receive(sys.stdin.buffer)) is not None:
        tokens = agent.act_tokens([nested(observation)])
        send(output, tokens=tokens[0], action=agent._tokenizer.decode_action(tokens)[0])


if __name__ == "__main__":
    main()
