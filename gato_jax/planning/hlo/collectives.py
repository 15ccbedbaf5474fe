"""Collectives of a compiled program: what kind, over which devices, and how many bytes."""

import dataclasses
import re
from collections.abc import Mapping

import numpy as np

from gato_jax.planning.hlo.hlo import Computation, Instruction, Module

KINDS = ("all-gather", "all-reduce", "reduce-scatter", "all-to-all", "collective-permute", "ragged-all-to-all")
ASYNC_START = "AsyncCollectiveStart"
ASYNC_DONE = "AsyncCollectiveDone"
"""Custom calls by which a v5e's fusions begin and end a gather that the fusions between them carry on with."""


@dataclasses.dataclass(frozen=True)
class Collective:
    """One collective of one execution.

    Args:
      kind: one of `KINDS`.
      bytes: of the whole array on one member: gathered, before it is scattered, or reduced.
      group: devices that take part together.
      axis: mesh axes along which the group lies, joined by "+".
      is_async: whether other work runs meanwhile.
      members: device 0 and those that it works with, numbers in mesh order; empty where each sends to one other.
      rings: laid through the members' chips at once, each with its part of the bytes, as the compiler noted it.
    """

    kind: str
    bytes: float
    group: int
    axis: str
    is_async: bool = False
    members: tuple[int, ...] = ()
    rings: int = 1


def read_collective(
    instruction: Instruction, computation: Computation, mesh: Mapping[str, int], *, is_async: bool = False
) -> Collective | None:
    """The collective that an instruction is or begins; None for any other instruction, and for the end of one."""
    kind = instruction.opcode.removesuffix("-start")
    if kind not in KINDS:
        return None
    inputs = sum(a.bytes for name in instruction.operands if name in computation for a in computation[name].arrays)
    outputs = sum(array.bytes for array in instruction.arrays)
    if instruction.opcode.endswith("-start") and kind != "all-reduce":
        outputs -= inputs  # The start's result carries its operands too.
    members = group_of_first(instruction, mesh)
    axis, size = mesh_axis(members, mesh)
    if size == 0:
        size = _permute_ring(instruction, mesh)
    is_async = is_async or instruction.opcode.endswith("-start")
    return Collective(kind, max(inputs, outputs), size, axis, is_async, tuple(members), _rings(instruction))


def _rings(instruction: Instruction) -> int:
    """As many as the compiler's strategy has colours, each beginning with another side of the torus; half of them where
    every colour goes in one direction only. One where it names no strategy.
    """
    match = re.search(r"(UniDirection\w*|Strategy\w+)\{colors:(\d+)", instruction.attributes)
    if match is None:
        return 1
    return max(1, int(match[2]) // (2 if match[1].startswith("UniDirection") else 1))


def fused_collective(fusion: Instruction, module: Module, mesh: Mapping[str, int]) -> Collective | None:
    """The collective that a fusion is or begins: a reduce-scatter (an all-reduce of which each device keeps its part),
    or the first piece of a gather that goes on behind later fusions. Their middle and end pieces give None.
    """
    called = fusion.called("calls")
    if called is None:
        return None
    computation = module.computations[called]
    starts = any(_target(one) == ASYNC_START for one in computation.instructions)
    for one in computation.instructions:
        collective = read_collective(one, computation, mesh, is_async=starts)
        if collective is None:
            continue
        collective = dataclasses.replace(collective, rings=max(collective.rings, _rings(fusion)))
        if collective.kind == "all-reduce" and _scatters(computation, one):
            return dataclasses.replace(collective, kind="reduce-scatter")
        is_piece = "async_collective_fusion_config" in one.attributes and "chain_id" in one.attributes
        return None if is_piece and not starts else collective
    return None


def _scatters(computation: Computation, reduction: Instruction) -> bool:
    """Whether only this device's slice of the reduction leaves the fusion."""
    whole = sum(array.bytes for array in reduction.arrays)
    return sum(array.bytes for array in computation.root.arrays) < whole


def _target(instruction: Instruction) -> str:
    match = re.search(r'custom_call_target="([^"]*)"', instruction.attributes)
    return match[1] if match else ""


def group_of_first(instruction: Instruction, mesh: Mapping[str, int]) -> list[int]:
    """Device numbers (mesh order) that device 0 works with; all of them where the text names none."""
    text = instruction.attributes
    every = list(range(int(np.prod(list(mesh.values())))))
    if match := re.search(r"replica_groups=mesh\[(.*?)\]\s*\{(.*?)\}", text):
        # mesh['axis_0'=2,'axis_1'=4] {'axis_1'}; a part of an axis is 'axis_1':(1)2, which begins behind 1.
        sides = {name: int(size) for name, size in re.findall(r"'([\w.\-]+)'=(\d+)", match[1])}
        strides = _strides(sides)
        members = np.zeros(1, np.int64)
        for name, before, size in re.findall(r"'([\w.\-]+)'(?::\((\d+)\)(\d+))?", match[2]):
            count = int(size) if size else sides[name]
            behind = sides[name] // (int(before or 1) * count)
            members = (members[:, None] + np.arange(count)[None] * behind * strides[name]).reshape(-1)
        return sorted(int(one) for one in members)
    if match := re.search(r"replica_groups=\[([0-9,]+)\]<=\[([0-9,]+)\](?:T\(([0-9,]+)\))?", text):
        groups, sides_, order = ([int(one) for one in part.split(",")] if part else [] for part in match.groups())
        numbers = np.arange(np.prod(sides_)).reshape(sides_)
        numbers = numbers.transpose(order) if order else numbers
        rows = numbers.reshape(groups[0], -1)
        return sorted(int(one) for one in rows[np.where(rows == 0)[0][0]])
    if match := re.search(r"replica_groups=\{(\{[0-9,{} ]*\})\}", text):
        for group in re.findall(r"\{([0-9, ]*)\}", match[1]):
            members_ = [int(one) for one in group.split(",") if one.strip()]
            if 0 in members_:
                return sorted(members_)
    if "source_target_pairs" in text:
        return []
    return every


def mesh_axis(members: list[int], mesh: Mapping[str, int]) -> tuple[str, int]:
    """The mesh axes along which these devices differ, and how many they are."""
    sides = list(mesh.values())
    if not members:
        return "?", 0
    places = np.stack(np.unravel_index(members, sides))
    names = [name for name, place in zip(mesh, places, strict=True) if len(set(place.tolist())) > 1]
    return "+".join(names) or "none", len(members)


def _permute_ring(instruction: Instruction, mesh: Mapping[str, int]) -> int:
    return 2 if "source_target_pairs" in instruction.attributes else int(np.prod(list(mesh.values())))


def _strides(sides: Mapping[str, int]) -> dict[str, int]:
    strides: dict[str, int] = {}
    total = 1
    for name in reversed(list(sides)):
        strides[name] = total
        total *= sides[name]
    return strides
