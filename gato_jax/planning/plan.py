"""`gato plan`: what an experiment's training step would be on a slice that nobody has paid for yet."""

import dataclasses
import enum
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from data_pipelines import atomic_files
from data_pipelines.config_json import decode, encode
from gato_jax.config import Experiment, Kernel
from gato_jax.planning import compiling
from gato_jax.planning.hlo.hlo import Module, parse
from gato_jax.planning.hlo.network import Network
from gato_jax.planning.hlo.schedule import Totals, origin, walk
from gato_jax.planning.needs import Benchmark, Needs, needs_of_run
from gato_jax.planning.slices import Slice, find_slice
from gato_jax.planning.units import gib
from gato_jax.training.step.flops import HandCount, hand_count
from gato_jax.training.step.spec import step_spec

TOLERANCE = 0.02
"""Largest disagreement between the program's matrix FLOPs and those counted by hand."""

KERNEL_SHARE = 0.4
"""Share of the peak at which hand-written kernels are assumed to run: the compiler gives them no cycles."""


class Outcome(enum.Enum):
    """How a plan ends; the value is the exit code of `gato plan` (1 and 2 are every command's own)."""

    FITS = 0
    DOES_NOT_FIT = 3
    DOES_NOT_COMPILE = 4
    COMPILER_ABSENT = 5
    DISAGREES = 6
    """It fits, but the program does not execute what was counted by hand: no figure of time is to be trusted."""


@dataclasses.dataclass(frozen=True)
class CollectiveRow:
    """All collectives of one kind over one part of the mesh, in one step on one device."""

    kind: str
    axis: str
    group: int
    is_async: bool
    count: int
    bytes: float


@dataclasses.dataclass(frozen=True)
class Plan:
    """One experiment on one slice. Bytes and FLOPs are of one device and one step, times are seconds.

    Everything but `estimate` is a fact of the compiled program or of the configuration. What a failed compilation
    could not tell is None or empty.

    Args:
      outcome: see `Outcome`.
      message: one sentence.
      kernel: code that computes attention.
      memory: arguments, temporaries, outputs, code, peak; `limit` = what the compiler allows, None where not known.
      buffers: the largest arrays of the program, (bytes, type and shape, where it comes from).
      executed: matrix FLOPs of the program; `expected` the same by hand; `needed` what the model needs.
      kernels: matrix FLOPs inside hand-written kernels, by hand, part of neither `executed` nor `expected`.
      lower_bound: all executed matrix FLOPs at the peak rate. Nothing can be faster.
      estimate: seconds of a step by the schedule: estimate, not measured; neither a lower nor an upper bound.
      costs: the largest parts of `compute`, and the operations that they come from.
      mfu: needed FLOPs over peak times `estimate`; None where `mfu_refused` says why.
      unseen: what the estimate cannot see.
    """

    experiment: str
    topology: str
    slices: int
    chips: int
    devices: int
    hosts: int
    outcome: Outcome
    message: str
    settings: Mapping[str, Any]
    mesh: Mapping[str, int] = dataclasses.field(default_factory=dict)
    versions: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    compiler_options: Mapping[str, str] = dataclasses.field(default_factory=dict)
    kernel: str = ""
    parameters: int | None = None
    tokens_per_step: int = 0
    memory: Mapping[str, float | None] = dataclasses.field(default_factory=dict)
    buffers: tuple[tuple[float, str, str], ...] = ()
    executed: float | None = None
    expected: float | None = None
    needed: float | None = None
    kernels: float | None = None
    parts: Mapping[str, float] = dataclasses.field(default_factory=dict)
    collectives: tuple[CollectiveRow, ...] = ()
    lower_bound: float | None = None
    estimate: float | None = None
    compute: float | None = None
    exposed: float | None = None
    costs: tuple[tuple[float, str], ...] = ()
    mfu: float | None = None
    mfu_refused: str = ""
    unseen: tuple[str, ...] = ()
    needs: Needs | None = None
    seconds: Mapping[str, float] = dataclasses.field(default_factory=dict)

    @property
    def tokens_per_device(self) -> float:
        return self.tokens_per_step / self.devices

    @property
    def executed_over_needed(self) -> float | None:
        """All executed matrix FLOPs, kernels too, over what the model needs."""
        if self.executed is None or self.needed is None or self.kernels is None:
            return None
        return (self.executed + self.kernels) / self.needed

    def collective_bytes(self, kind: str) -> float:
        return sum(row.bytes for row in self.collectives if row.kind == kind)

    def to_dict(self) -> dict[str, Any]:
        """For `json`."""
        data = dataclasses.asdict(self) | {"outcome": self.outcome.name.lower(), "exit_code": self.outcome.value}
        data |= {"tokens_per_device": self.tokens_per_device, "executed_over_needed": self.executed_over_needed}
        return data | {"time_is": "estimate, not measured"}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Plan":
        """The inverse of `to_dict`.

        Raises:
          ValueError: not a plan; the message names the key.
        """
        field_names = {field.name for field in dataclasses.fields(cls)}
        outcome = {"outcome": data.get("exit_code")}
        return decode(cls, {name: value for name, value in data.items() if name in field_names} | outcome, path="plan")


@dataclasses.dataclass(frozen=True)
class PlanConfig:
    """How to plan.

    Args:
      slices: slices of the topology, joined by the data-centre network.
      patches: patches of each row, instead of each group's own, in groups that have any; None = their own.
      rows: rows per step of each group; None = the mixture's own, or equal parts where its weights come with its data.
      limit: seconds that one compilation may take.
      program: file for the compiled program's text.
      benchmark: what one host's stream delivers, from `benchmarks/stream.py`.
    """

    slices: int = 1
    patches: int | None = None
    rows: Mapping[str, int] | None = None
    limit: float = 1800.0
    program: Path | None = None
    benchmark: Benchmark | None = None


def plan(experiment: Experiment, topology: str, config: PlanConfig | None = None) -> Plan:
    """Compiles the experiment's step for a topology and reads what it is.

    Args:
      experiment: a named mixture is not resolved: no data is needed, its row groups are planned.
      topology: see `planning.slices`.
      config: how.

    Raises:
      ValueError: no such slice, or an experiment that cannot run on it.
    """
    config = config or PlanConfig()
    where = find_slice(topology, slices=config.slices)
    experiment = compiling.with_stand_in_tasks(_with_patches(experiment, config.patches), config.rows)
    common = _common(experiment, where)
    try:
        compiled = compiling.compile_step(experiment, where, limit=config.limit)
    except compiling.CompilerAbsent as error:
        return Plan(**common, outcome=Outcome.COMPILER_ABSENT, message=str(error))
    except compiling.CompileError as error:
        return Plan(**common, outcome=Outcome.DOES_NOT_COMPILE, message=str(error))
    except compiling.OutOfMemory as error:
        memory = {"temporaries": error.needed, "limit": where.chip.memory or None}
        return Plan(**common, outcome=Outcome.DOES_NOT_FIT, message=_first_line(str(error)), memory=memory)
    if config.program is not None:
        atomic_files.write_bytes(config.program, compiled.program.encode())
    return _read(experiment, where, compiled, common, config.benchmark)


def _common(experiment: Experiment, where: Slice) -> dict[str, Any]:
    mixture = experiment.data.mixture
    rows = mixture.rows(experiment.data.stream.virtual_shards)
    return {
        "experiment": experiment.name,
        "topology": where.name,
        "slices": where.slices,
        "chips": where.chips,
        "devices": where.devices,
        "hosts": where.hosts,
        "settings": _settings(experiment, rows),
        "tokens_per_step": sum(count * mixture.groups[name].length for name, count in rows.items()),
    }


def _settings(experiment: Experiment, rows: Mapping[str, int]) -> dict[str, Any]:
    model = experiment.model
    groups = experiment.data.mixture.groups
    return {
        "positions": model.positions.value,
        "dtype": experiment.train.dtype,
        "scan_layers": model.scan_layers,
        **{name: value for name, value in encode(experiment.step).items() if value not in (False, 1.0)},
        "rows": {
            name: f"{count} x {groups[name].windows} x {groups[name].window_length}, {groups[name].patches} patches"
            for name, count in rows.items()
        },
    }


def _with_patches(experiment: Experiment, patches: int | None) -> Experiment:
    if patches is None:
        return experiment
    mixture = experiment.data.mixture
    groups = {
        name: dataclasses.replace(group, patches=patches) if group.patches else group
        for name, group in mixture.groups.items()
    }
    mixture = dataclasses.replace(mixture, groups=groups)
    return dataclasses.replace(experiment, data=dataclasses.replace(experiment.data, mixture=mixture))


def _read(
    experiment: Experiment,
    where: Slice,
    compiled: compiling.Compiled,
    common: dict[str, Any],
    benchmark: Benchmark | None,
) -> Plan:
    facts, chip = compiled.facts, where.chip
    module = parse(compiled.program)
    places = tuple(tuple(place) for place in facts["places"])
    totals = walk(module, mesh=facts["mesh"], network=Network(where, places))
    spec = step_spec(experiment)
    spec = dataclasses.replace(spec, step=dataclasses.replace(spec.step, attention=Kernel(facts["attention"])))
    hand = hand_count(spec, facts["mesh"], platform=chip.platform)
    memory = {**facts["memory"], "state": facts["state_bytes"], "limit": chip.memory or None}
    if chip.platform == "cpu":
        # The compiler's own peak leaves out the one block that holds all temporaries.
        memory["peak"] = memory["arguments"] + memory["outputs"] - memory["aliased"] + memory["temporaries"]
    elif chip.platform == "gpu":
        # The program was compiled for CPU devices in the GPUs' place: only what does not depend on the compiler holds.
        memory = {"arguments": facts["memory"]["arguments"], "state": facts["state_bytes"], "limit": chip.memory}
    outcome, message = _outcome(memory, totals, hand)
    times = _times(totals, hand, where, outcome)
    return Plan(
        **common,
        **times,
        outcome=outcome,
        message=message,
        kernel=facts["attention"],
        mesh=facts["mesh"],
        versions=facts["versions"],
        compiler_options=facts["compiler_options"],
        parameters=facts["parameters"],
        memory=memory,
        buffers=largest_arrays(module),
        executed=totals.flops,
        expected=hand.executed,
        needed=hand.needed,
        kernels=hand.kernels,
        parts={name: part.executed + part.kernels for name, part in hand.parts.items()},
        collectives=collective_rows(totals),
        unseen=_unseen(totals, where),
        needs=needs_of_run(
            experiment, where, step_seconds=times["estimate"] or times["lower_bound"], benchmark=benchmark
        ),
        seconds={name: facts[f"{name}_seconds"] for name in ("lower", "compile")},
    )


def _outcome(memory: Mapping[str, float | None], totals: Totals, hand: HandCount) -> tuple[Outcome, str]:
    used, limit = memory.get("peak") or memory["arguments"], memory["limit"]
    assert used is not None
    text = f"{gib(used)} of {gib(limit)} per device" if limit else f"{gib(used)} per device"
    if limit and used > limit:
        return Outcome.DOES_NOT_FIT, f"does not fit: {text}"
    if abs(totals.flops - hand.executed) > TOLERANCE * hand.executed and not totals.endless:
        return Outcome.DISAGREES, (
            f"fits ({text}), but the program executes {totals.flops:.4g} matrix FLOPs per device where "
            f"{hand.executed:.4g} were counted by hand ({totals.flops / hand.executed - 1:+.1%})"
        )
    if "peak" not in memory:
        return Outcome.FITS, f"state and batch fit: {text}; temporaries are not known without that compiler"
    return Outcome.FITS, f"fits: {text}"


def _times(totals: Totals, hand: HandCount, where: Slice, outcome: Outcome) -> dict[str, Any]:
    chip = where.chip
    if not chip.peak:
        return {"lower_bound": None, "estimate": None, "mfu_refused": "no peak rate of this device is known"}
    bound = (totals.flops + hand.kernels) / chip.peak
    if not chip.clock:
        reason = "no compiler for this device here: no schedule to estimate from"
        return {"lower_bound": bound, "estimate": None, "mfu_refused": reason}
    compute = totals.compute + hand.kernels / (KERNEL_SHARE * chip.peak)
    estimate = compute + totals.exposed
    mfu = hand.needed / (chip.peak * estimate) if estimate else 0.0
    refused = ""
    if totals.endless:
        refused = f"loops without a known number of trips: {', '.join(totals.endless)}"
    elif outcome is Outcome.DISAGREES:
        refused = "the program's FLOPs disagree with those counted by hand"
    elif not 0 < mfu <= 1 or estimate < bound:
        refused = f"the estimate of {1000 * estimate:.1f} ms lies below the lower bound of {1000 * bound:.1f} ms"
    return {
        "lower_bound": bound,
        "estimate": estimate if not totals.endless else None,
        "compute": compute,
        "exposed": totals.exposed,
        "costs": tuple((seconds, name) for name, seconds in totals.costs.most_common(12)),
        "mfu": None if refused else mfu,
        "mfu_refused": refused,
    }


def collective_rows(totals: Totals) -> tuple[CollectiveRow, ...]:
    """Collectives of a step, summed by kind, axis and overlap, most bytes first. Count and bytes are facts."""
    sums: dict[tuple[str, str, int, bool], list[float]] = {}
    for one, count in totals.collectives.items():
        entry = sums.setdefault((one.kind, one.axis, one.group, one.is_async), [0, 0.0])
        entry[0] += count
        entry[1] += count * one.bytes
    rows = [CollectiveRow(*key, count=int(count), bytes=size) for key, (count, size) in sums.items()]
    return tuple(sorted(rows, key=lambda row: (-row.bytes, row.kind, row.axis)))


def largest_arrays(module: Module, count: int = 10) -> tuple[tuple[float, str, str], ...]:
    """The largest arrays in a device's main memory: arguments, and what the entry computation and loop bodies make.

    Sizes as the text prints them, without the padding of tiles. Arrays that share memory are both listed.
    """
    sizes: dict[tuple[str, str], float] = {}
    bodies = {
        one.called("body") for computation in module.computations.values() for one in computation.instructions
        if one.opcode == "while"
    }  # fmt: skip
    for computation in module.computations.values():
        if computation is not module.entry and computation.name not in bodies:
            continue
        for one in computation.instructions:
            if one.opcode in ("tuple", "get-tuple-element", "while", "bitcast") or len(one.arrays) != 1:
                continue
            if "S(1)" in one.type_text or (one.opcode == "parameter" and computation is not module.entry):
                continue
            array = one.arrays[0]
            sizes[(f"{array.dtype}{list(array.dims)}", origin(one))] = array.bytes
    ranked = sorted(sizes.items(), key=lambda item: -item[1])[:count]
    return tuple((size, shape, where) for (shape, where), size in ranked)


def _unseen(totals: Totals, where: Slice) -> tuple[str, ...]:
    """What the estimate of time leaves out, in sentences."""
    chip = where.chip
    if chip.platform == "cpu":
        return ("peak, clock and network of this CPU are not known: no time is estimated",)
    if chip.platform == "gpu":
        return (
            "compiled for CPU devices in the GPUs' place: the temporaries, kernels and collectives of "
            "their own compiler differ",
        )
    lines = ["input from the hosts and the hosts' own time", "stalls on copies between a device's memories"]
    if totals.kernels:
        names = ", ".join(f"{name} x {count}" for name, count in sorted(totals.kernels.items()))
        lines.append(f"hand-written kernels have no cycles ({names}): assumed at {KERNEL_SHARE:.0%} of the peak")
    if totals.remote:
        size = sum(count * one.bytes for one, count in totals.remote.items())
        lines.append(f"the data-centre network: {size / 1e6:,.0f} MB a step between slices")
    if totals.without_cost:
        names = ", ".join(f"{name} x {count}" for name, count in totals.without_cost.most_common(8))
        lines.append(f"operations without cycles: {names}")
    if chip.name in ("v5p", "v6e", "tpu7x"):
        lines.append("work that the compiler moves to the SparseCores, collectives among it")
    return tuple(lines)


def _first_line(text: str) -> str:
    return text.strip().splitlines()[0]
