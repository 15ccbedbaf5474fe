"""A walk over a scheduled HLO program: what one execution of it runs, how often, and an estimate of how long.

The compiler's own cost analysis counts a loop's body once, gives the network no time and mixes in sentinels of -1 s. So
the program is walked in its order, each loop body times its trips, with the cycles that the compiler's tile-level cost
model wrote beside each operation, and the links' rates for the collectives. See docs/plan.md for what that is worth.
"""

import dataclasses
import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

from gato_jax.planning.hlo.collectives import ASYNC_DONE, ASYNC_START, Collective, fused_collective, read_collective
from gato_jax.planning.hlo.hlo import Computation, Instruction, Module
from gato_jax.planning.hlo.matrix_flops import matrix_flops
from gato_jax.planning.hlo.network import Network

FREE = {"parameter", "constant", "tuple", "get-tuple-element", "bitcast", "iota", "after-all", "opt-barrier", "domain"}
FREE |= {"partition-id", "replica-id", "send", "recv", "send-done", "recv-done"}
# Copies between the memories of a device run beside the work; where they stall is not visible.
FREE |= {"copy-start", "copy-done", "slice-start", "slice-done"}

FREE_CALLS = {"AllocateBuffer", "AssumeGatherIndicesInBound", "ConcatBitcast", "GatherScatterIndicesBitpacked"}
FREE_CALLS |= {"Sharding", ASYNC_START, ASYNC_DONE}


SMALL = 2**16
"""Bytes of a result below which an operation without cycles is not worth a word."""


@dataclasses.dataclass
class Totals:
    """One execution of a computation.

    Args:
      flops: of the matrix units, outside kernels.
      compute: seconds of operations with cycles.
      exposed: seconds in which nothing but a collective runs.
      collectives: how often each runs.
      kernels: calls of each hand-written kernel, by name.
      remote: of the collectives, those between slices, which get no time.
      without_cost: executions of operations on more than `SMALL` bytes that the compiler gave no cycles, by opcode.
      costs: seconds of `compute` by the operation of the model that they come from.
      endless: loops whose number of trips the text does not tell.
    """

    flops: float = 0.0
    compute: float = 0.0
    exposed: float = 0.0
    collectives: Counter[Collective] = dataclasses.field(default_factory=Counter)
    remote: Counter[Collective] = dataclasses.field(default_factory=Counter)
    kernels: Counter[str] = dataclasses.field(default_factory=Counter)
    without_cost: Counter[str] = dataclasses.field(default_factory=Counter)
    costs: Counter[str] = dataclasses.field(default_factory=Counter)
    endless: list[str] = dataclasses.field(default_factory=list)

    @property
    def seconds(self) -> float:
        return self.compute + self.exposed

    def add(self, other: "Totals", times: int = 1) -> None:
        self.flops += times * other.flops
        self.compute += times * other.compute
        self.exposed += times * other.exposed
        for name in ("collectives", "remote", "kernels", "without_cost", "costs"):
            for key, count in getattr(other, name).items():
                getattr(self, name)[key] += times * count
        self.endless += other.endless


def walk(module: Module, *, mesh: Mapping[str, int], network: Network) -> Totals:
    """All that one execution of the program does.

    Args:
      mesh: size of each mesh axis, in order. With more than one slice, the outermost that is longer than 1 runs over
        the data-centre network.
      network: the chips, their clock and their links; times are 0 where these are not known.
    """
    return _Walk(module, mesh, network).computation(module.entry)


class _Walk:
    def __init__(self, module: Module, mesh: Mapping[str, int], network: Network):
        self.module, self.mesh, self.network, self.chip = module, mesh, network, network.where.chip
        several = network.where.slices > 1
        self.remote_axis = next((axis for axis, size in mesh.items() if size > 1), "") if several else ""
        self._known: dict[str, Totals] = {}
        self._fused: dict[str, float] = {}

    def computation(self, computation: Computation) -> Totals:
        """A computation by itself: links are free when it begins."""
        if computation.name not in self._known:
            self._known[computation.name] = self._run(computation)
        return self._known[computation.name]

    def _run(self, computation: Computation) -> Totals:
        totals = Totals()
        free_at = 0.0  # when the links have done all that was asked of them
        ends: dict[str, float] = {}

        def wait(until: float) -> None:
            totals.exposed += max(0.0, until - totals.seconds)

        for one in computation.instructions:
            collective = self._collective(one, computation)
            if collective is not None:
                totals.collectives[collective] += 1
                is_remote = bool(self.remote_axis) and self.remote_axis in collective.axis.split("+")
                if is_remote:
                    totals.remote[collective] += 1
                seconds = 0.0 if is_remote else self.network.seconds(collective)
                free_at = max(free_at, totals.seconds) + seconds
                if collective.is_async:
                    ends[one.name] = free_at
                    ends["v5e chain"] = free_at
                else:
                    wait(free_at)
            elif one.opcode.endswith("-done") and one.operands and one.operands[0] in ends:
                wait(ends[one.operands[0]])
            elif self._ends_chain(one):
                wait(ends.get("v5e chain", 0.0))
            self._operation(one, computation, totals)
        wait(free_at)
        return totals

    def _collective(self, one: Instruction, computation: Computation) -> Collective | None:
        if one.opcode in ("fusion", "async-start"):
            collective = fused_collective(one, self.module, self.mesh)
            return collective and dataclasses.replace(
                collective, is_async=collective.is_async or one.opcode == "async-start"
            )
        if one.opcode == "send":  # What the compiler makes of a collective between slices.
            size = sum(array.bytes for array in computation[one.operands[0]].arrays)
            return Collective("send", size, self.mesh.get(self.remote_axis, 1), self.remote_axis or "?", True)
        return read_collective(one, computation, self.mesh)

    def _ends_chain(self, one: Instruction) -> bool:
        called = one.called("calls") if one.opcode == "fusion" else None
        return called is not None and any(
            ASYNC_DONE in inner.attributes for inner in self.module.computations[called].instructions
        )

    def _operation(self, one: Instruction, computation: Computation, totals: Totals) -> None:
        if one.opcode == "while":
            body = one.called("body")
            assert body is not None
            trips = trip_count(one, computation, self.module)
            if trips is None:
                totals.endless.append(one.name)
            totals.add(self.computation(self.module.computations[body]), 1 if trips is None else trips)
            return
        if one.opcode in ("call", "conditional"):
            branches = [self.computation(self.module.computations[name]) for name in _branches(one)]
            if branches:  # The longest way, by matrix work and then by time.
                totals.add(max(branches, key=lambda some: (some.flops, some.seconds)))
            return
        totals.flops += matrix_flops(one, computation)
        if one.opcode == "fusion" and (called := one.called("calls")):
            totals.flops += self._fused_flops(called)
        cycles = re.search(r'"estimated_cycles":"(\d+)"', one.attributes)
        if cycles and self.chip.clock:
            seconds = int(cycles[1]) / self.chip.clock
            totals.compute += seconds
            totals.costs[origin(one)] += seconds  # type: ignore[assignment]
            return
        target = re.search(r'custom_call_target="([^"]*)"', one.attributes)
        if one.opcode == "custom-call" and target and target[1] in FREE_CALLS:
            return
        if target and target[1] == "tpu_custom_call":
            totals.kernels[_kernel_name(one)] += 1
        elif one.opcode not in FREE and not _is_network(one) and sum(a.bytes for a in one.arrays) > SMALL:
            totals.without_cost[one.opcode if target is None else target[1]] += 1

    def _fused_flops(self, name: str) -> float:
        if name not in self._fused:
            inside = self.module.computations[name]
            total = 0.0
            for one in inside.instructions:
                total += matrix_flops(one, inside)
                if one.opcode == "fusion" and (called := one.called("calls")):
                    total += self._fused_flops(called)
            self._fused[name] = total
        return self._fused[name]


def origin(one: Instruction) -> str:
    """The operation of the model that an instruction comes from, as JAX names it; its own name where there is none."""
    match = re.search(r'op_name="((?:[^"\\\\]|\\\\.)*)"', one.attributes)
    name = match[1] if match else re.sub(r"[.\d]+$", "", one.name)
    return name.replace("\\'", "'").removeprefix("jit(step)/")


def _is_network(one: Instruction) -> bool:
    kind = one.opcode.removesuffix("-start").removesuffix("-done")
    return kind in ("all-gather", "all-reduce", "reduce-scatter", "all-to-all", "collective-permute", "async")


def _kernel_name(one: Instruction) -> str:
    """The last part of the operation's name that a person wrote."""
    parts = [part for part in origin(one).split("/") if part not in ("pallas_call", "shard_map")]
    return parts[-1] if parts else one.name


def _branches(one: Instruction) -> list[str]:
    if one.opcode == "call":
        called = one.called("to_apply")
        return [called] if called else []
    several = one.attribute("branch_computations")
    names = re.findall(r"%?([\w.\-]+)", several) if several else []
    return names or [name for key in ("true_computation", "false_computation") if (name := one.called(key))]


def trip_count(loop: Instruction, computation: Computation, module: Module) -> int | None:
    """How often a `while` runs: as the compiler noted it, or as `index < constant`, the index's first value and its
    step say. (The loop of a product whose parts travel round a ring takes two steps at once.)

    None where the text does not tell.
    """
    noted = re.search(r'"known_trip_count":\{"n":"(\d+)"\}', loop.attributes)
    if noted:
        return int(noted[1])
    condition = module.computations[loop.called("condition") or ""]
    test = condition.root
    if test.opcode == "fusion" and (called := test.called("calls")):
        # The comparison of the fusion's parameters stands for that of its operands.
        inner = module.computations[called].root
        if inner.opcode != "compare":
            return None
        names = [_through_parameter(name, module.computations[called], test) for name in inner.operands]
        test = dataclasses.replace(inner, operands=tuple(name or "" for name in names))
    if test.opcode != "compare" or len(test.operands) != 2 or any(name not in condition for name in test.operands):
        return None
    left, right = (condition[name] for name in test.operands)
    direction = test.attribute("direction")
    if left.opcode == "constant" and direction == "GT":
        left, right, direction = right, left, "LT"
    if direction not in ("LT", "LE") or left.opcode != "get-tuple-element" or right.opcode != "constant":
        return None
    index = int(left.attribute("index") or -1)
    begin, step = _initial(loop, index, computation), _step(loop, index, module)
    if begin is None or step is None:
        return None
    return -(-(int(right.literal) - begin + (direction == "LE")) // step)


def _through_parameter(name: str, inside: Computation, fusion: Instruction) -> str | None:
    one = inside[name]
    return fusion.operands[int(one.literal)] if one.opcode == "parameter" else None


def _step(loop: Instruction, index: int, module: Module) -> int | None:
    """The constant that a loop's body adds to its variable, itself or in a fusion."""
    body = module.computations[loop.called("body") or ""]
    if body.root.opcode != "tuple" or not 0 <= index < len(body.root.operands):
        return None
    one = _through_copies(body.root.operands[index], body)
    terms = [body[name] for name in one.operands]
    if one.opcode == "fusion" and (called := one.called("calls")):
        one = module.computations[called].root
        terms += module.computations[called].instructions
    steps = [int(term.literal) for term in terms if term.opcode == "constant" and term.literal.isdigit()]
    return steps[0] if one.opcode == "add" and len(steps) == 1 and steps[0] > 0 else None


def _through_copies(name: str, computation: Computation) -> Instruction:
    one = computation[name]
    while one.opcode in ("copy", "bitcast", "copy-done", "copy-start") and one.operands:
        one = computation[one.operands[0]]
    return one


def _initial(loop: Instruction, index: int, computation: Computation) -> int | None:
    """The constant that a loop's variable begins at, seen through copies."""
    value: Any = computation[loop.operands[0]]
    if value.opcode != "tuple" or not 0 <= index < len(value.operands):
        return None
    value = _through_copies(value.operands[index], computation)
    return int(value.literal) if value.opcode == "constant" and value.literal.lstrip("-").isdigit() else None
