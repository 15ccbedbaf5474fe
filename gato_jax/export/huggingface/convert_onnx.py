"""`python -I convert_onnx.py HUGGINGFACE_DIRECTORY OUT.onnx`: the PyTorch model as ONNX, by torch.onnx.

A process of its own, in an interpreter that has PyTorch; imports nothing of gato-jax.
"""

import sys

import torch
from transformers import AutoModel

INPUTS = ("tokens", "token_type", "observation_position", "positions", "segment_ids")
PATCHES = ("patches", "patch_slot", "patch_interval")


class Logits(torch.nn.Module):
    """The model with its scores as the only output."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(
        self, tokens, token_type, observation_position, positions, segment_ids, patches, patch_slot, patch_interval
    ):
        """All inputs by name and in this order."""
        return self.model(
            tokens, token_type, observation_position, positions, segment_ids, patches, patch_slot, patch_interval
        ).logits


def main():
    """Traces with two rows, twelve places and three patches, all of them free dimensions."""
    model = AutoModel.from_pretrained(sys.argv[1], trust_remote_code=True, dtype=torch.float32).eval()
    rows, places, patches = 2, 12, 3
    example = {name: torch.ones(rows, places, dtype=torch.int64) for name in INPUTS}
    example["token_type"] *= 2
    example["positions"] = torch.arange(places).repeat(rows, 1)
    example["patches"] = torch.zeros(rows, patches, 768, dtype=torch.uint8)
    example["patch_slot"] = torch.full((rows, patches), places)
    example["patch_interval"] = torch.zeros(rows, patches, 4, dtype=torch.int64)
    b, p = torch.export.Dim("b"), torch.export.Dim("p")
    n = torch.export.Dim("n", max=model.config.max_positions - 1)
    shapes = {name: {0: b, 1: p if name in PATCHES else n} for name in example}
    program = torch.onnx.export(
        Logits(model),
        kwargs=example,
        dynamo=True,
        dynamic_shapes=shapes,
        input_names=list(example),
        output_names=["logits"],
    )
    assert program is not None
    program.save(sys.argv[2])


if __name__ == "__main__":
    main()
