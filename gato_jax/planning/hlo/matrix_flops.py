"""Floating-point operations of the matrix units: `dot` and `convolution`, from their HLO."""

import math
import re

from gato_jax.planning.hlo.hlo import Computation, Instruction


def matrix_flops(instruction: Instruction, computation: Computation) -> float:
    """2 x multiply-adds of a `dot` or `convolution`, 0 for everything else. Padding and dilation holes do not count.

    XLA writes batched products on TPU as dilated convolutions, so the holes matter: in them a hundred times as many
    places would be counted as are multiplied.
    """
    if instruction.opcode == "dot":
        left = computation[instruction.operands[0]].arrays[0].dims
        contracted = re.search(r"lhs_contracting_dims=\{([0-9,]*)\}", instruction.attributes)
        sides = [left[int(one)] for one in contracted[1].split(",") if one] if contracted else []
        return 2.0 * math.prod(instruction.arrays[0].dims) * math.prod(sides)
    if instruction.opcode == "convolution":
        return _convolution(instruction, computation)
    return 0.0


def _convolution(instruction: Instruction, computation: Computation) -> float:
    labels = instruction.attribute("dim_labels")
    if labels is None:
        raise ValueError(f"HLO: convolution {instruction.name} has no dim_labels")
    left_labels, right_labels, out_labels = re.split(r"_|->", labels)
    left = dict(zip(left_labels, computation[instruction.operands[0]].arrays[0].dims, strict=True))
    right = dict(zip(right_labels, computation[instruction.operands[1]].arrays[0].dims, strict=True))
    out = dict(zip(out_labels, instruction.arrays[0].dims, strict=True))
    window = _window(instruction, len(right) - 2)
    pairs = 1
    for index, dimension in enumerate(sorted(label for label in out_labels if label.isdigit())):
        pairs *= _valid_pairs(left[dimension], out[dimension], *(values[index] for values in window))
    groups = int(instruction.attribute("batch_group_count") or 1)
    return 2.0 * left["b"] / groups * out["f"] * right["i"] * pairs


def _window(instruction: Instruction, dimensions: int) -> list[list]:
    """Per spatial dimension: size, stride, padding below, dilation of the input, dilation of the kernel."""
    text = instruction.attribute("window") or ""
    ones = [1] * dimensions

    def sizes(name: str) -> list[int]:
        match = re.search(rf"\b{name}=([0-9x]+)", text)
        return [int(one) for one in match[1].split("x")] if match else ones

    padding = re.search(r"\bpad=([0-9x_\-]+)", text)
    below = [int(one.split("_")[0]) for one in padding[1].split("x")] if padding else [0] * dimensions
    return [sizes("size"), sizes("stride"), below, sizes("lhs_dilate"), sizes("rhs_dilate")]


def _valid_pairs(left: int, out: int, size: int, stride: int, below: int, left_dilate: int, right_dilate: int) -> int:
    """(output place, kernel place) pairs that meet an input element, neither padding nor a hole."""
    span = (left - 1) * left_dilate
    count = 0
    for kernel in range(size):
        offset = kernel * right_dilate - below
        if left_dilate == 1:
            low = max(0, (stride - 1 - offset) // stride)
            high = min(out - 1, (span - offset) // stride)
            count += max(0, high - low + 1)
        else:
            places = range(offset, offset + out * stride, stride)
            count += sum(1 for place in places if 0 <= place <= span and place % left_dilate == 0)
    return count
