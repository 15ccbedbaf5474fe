"""Compiles an experiment's training step for a slice: in a process of its own, without the hardware, without a network.

    python -m gato_jax.planning.compiling REQUEST.json

The child writes result.json and program.hlo beside the request. It is a process of its own because the TPU compiler
reads its environment once, and because a crash or an endless compilation must not take the caller along.
"""

import dataclasses
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from data_pipelines import atomic_files
from data_pipelines.config_json import encode
from data_pipelines.mixtures.config import MixtureConfig
from gato_jax.config import Experiment
from gato_jax.planning.slices import Slice, find_slice

PAPER_TASKS = 604
"""Tasks that stand in for a named mixture, whose own are known only where its data is."""


class CompilerAbsent(Exception):
    """No TPU compiler is installed here."""


class OutOfMemory(Exception):
    """The compiler found no room in a device's memory.

    Args:
      needed: bytes that it asked for, by its own message.
    """

    def __init__(self, message: str, needed: float | None):
        super().__init__(message)
        self.needed = needed


class CompileError(Exception):
    """The step does not compile, for another reason than memory."""


@dataclasses.dataclass(frozen=True)
class Compiled:
    """What came out of a compilation.

    Args:
      facts: versions, mesh, parameters, memory, times; see `_child`.
      program: the scheduled HLO as text.
    """

    facts: dict[str, Any]
    program: str


def compile_step(experiment: Experiment, where: Slice, *, limit: float = 1800.0) -> Compiled:
    """Compiles the step of `gato train` for this slice.

    Args:
      experiment: its mixture must have row groups with tasks (`with_stand_in_tasks`).
      where: a slice; GPUs are stood in for by as many CPU devices.
      limit: seconds after which the compiler is stopped.

    Raises:
      CompilerAbsent, OutOfMemory, CompileError.
      ValueError: rows that do not divide over the devices and the like: the experiment is at fault.
    """
    with tempfile.TemporaryDirectory(prefix="gato-plan-") as folder:
        request = Path(folder) / "request.json"
        job = {"experiment": encode(experiment), "topology": where.name, "slices": where.slices}
        atomic_files.write_json(request, job)
        command = [sys.executable, "-m", "gato_jax.planning.compiling", str(request)]
        try:
            done = subprocess.run(
                command, env=child_environment(where), capture_output=True, text=True, timeout=limit, check=False
            )
        except subprocess.TimeoutExpired:
            raise CompileError(f"the compiler took longer than the limit of {limit:.0f} s") from None
        answer = Path(folder) / "result.json"
        if not answer.exists():
            tail = "\n".join(done.stderr.strip().splitlines()[-8:])
            raise CompileError(f"the compiler's process ended with code {done.returncode}: {tail}")
        facts = json.loads(answer.read_text())
        if "error" in facts:
            _raise(facts["error"], facts["message"])
        return Compiled(facts, (Path(folder) / "program.hlo").read_text())


def child_environment(where: Slice) -> dict[str, str]:
    """The environment in which the compiler works without its hardware, and says nothing that is not news."""
    drop = ("XLA_FLAGS", "JAX_COMPILATION_CACHE_DIR", "LIBTPU_INIT_ARGS")
    environment = {name: value for name, value in os.environ.items() if name not in drop}
    root = str(Path(__file__).resolve().parents[2])
    environment["PYTHONPATH"] = os.pathsep.join([root, *filter(None, [environment.get("PYTHONPATH")])])
    environment["JAX_PLATFORMS"] = "cpu"
    if where.chip.platform == "tpu":
        # Any type of slice serves for all; without these the library looks for a metadata server. Several planners
        # may compile at once, which its lock file forbids to real programs on real chips.
        environment |= {
            "TPU_SKIP_MDS_QUERY": "1",
            "TPU_ACCELERATOR_TYPE": "v5litepod-16",
            "TPU_WORKER_HOSTNAMES": "localhost",
            "TPU_WORKER_ID": "0",
            "ALLOW_MULTIPLE_LIBTPU_LOAD": "1",
        }
    else:
        # The machine code is not run, so it need not be good; HLO, memory and collectives are the same.
        quick = "--xla_backend_optimization_level=0"
        environment["XLA_FLAGS"] = f"--xla_force_host_platform_device_count={where.devices} {quick}"
    return environment


def with_stand_in_tasks(experiment: Experiment, rows: Mapping[str, int] | None = None) -> Experiment:
    """The experiment with a mixture that needs no data: the row groups of a named mixture, dealt to tasks of no name.

    Args:
      rows: rows per step of each group; None = equal parts, which only matters where there are several groups.

    Raises:
      ValueError: `rows` names other groups, or does not add up to the mixture's rows per step.
    """
    mixture, groups = experiment.data.mixture, experiment.data.mixture.groups
    if not mixture.named and rows is None:
        return experiment
    share = dict.fromkeys(groups, 1) if rows is None else dict(rows)
    if set(share) != set(groups) or (rows is not None and sum(share.values()) != mixture.rows_per_step):
        raise ValueError(
            f"--rows: expected rows for {sorted(groups)} that add up to data.mixture.rows_per_step "
            f"{mixture.rows_per_step}, found {share}"
        )
    each = max(1, PAPER_TASKS // len(groups)) if mixture.named else 1
    tasks = {
        name: tuple(f"{name}.{i:03d}" for i in range(each)) if mixture.named else group.tasks
        for name, group in groups.items()
    }
    weights = {task: share[name] / len(names) for name, names in tasks.items() for task in names}
    stand_in = MixtureConfig(
        weights,
        {name: dataclasses.replace(group, tasks=tasks[name]) for name, group in groups.items()},
        mixture.rows_per_step,
    )
    return dataclasses.replace(experiment, data=dataclasses.replace(experiment.data, mixture=stand_in))


def _raise(kind: str, message: str) -> None:
    if kind == "absent":
        raise CompilerAbsent(message)
    if kind == "memory":
        raise OutOfMemory(message, _needed(message))
    if kind == "usage":
        raise ValueError(message)
    raise CompileError(message)


def _needed(message: str) -> float | None:
    """Bytes that an out-of-memory error asks for."""
    match = re.search(r"\(([0-9.]+)([KMGT]?)\) exceeds available|Used ([0-9.]+)([KMGT]?) of", message)
    if match is None:
        return None
    number, unit = (match[1], match[2]) if match[1] else (match[3], match[4])
    return float(number) * 2.0 ** {"": 0, "K": 10, "M": 20, "G": 30, "T": 40}[unit]


def _child(request: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Runs in the child. Returns the facts, and writes the program."""
    import jax
    from jax.experimental import topologies

    from gato_jax import sharding
    from gato_jax.model.gato import count_parameters
    from gato_jax.training.step.compiler_options import COMPILER_OPTIONS
    from gato_jax.training.step.spec import resolved, step_spec
    from gato_jax.training.step.state import abstract_batches, abstract_course, abstract_state
    from gato_jax.training.step.step import make_step

    experiment = Experiment.from_dict(request["experiment"])
    where = find_slice(request["topology"], slices=request["slices"])
    facts: dict[str, Any] = {"versions": _versions()}
    if where.chip.platform == "tpu":
        if facts["versions"]["libtpu"] is None:
            return {"error": "absent", "message": "libtpu is not installed: pip install 'gato-jax[tpu]'"}
        several = {"num_slices": where.slices} if where.slices > 1 else {}
        topology = topologies.get_topology_desc(
            platform="tpu", topology_name=where.name, **where.chip.topology_options, **several
        )
        devices = list(topology.devices)
    else:
        devices = jax.devices()
    try:
        mesh = sharding.make_mesh(experiment.mesh, devices=devices)
        spec, _ = resolved(step_spec(experiment), mesh)
    except ValueError as error:
        return {"error": "usage", "message": str(error)}
    facts |= {
        "mesh": dict(mesh.shape),
        "places": [list(getattr(device, "coords", ())) for device in mesh.devices.flat],
        "parameters": count_parameters(spec.model, spec.vocabulary),
        "attention": spec.step.attention.value,
        "compiler_options": COMPILER_OPTIONS.get(sharding.device_kind(mesh)[1], {}),
    }
    # Abstract: no array may ever be placed on devices that are not there.
    with jax.sharding.use_abstract_mesh(mesh.abstract_mesh):
        begun = time.monotonic()
        state, batches = abstract_state(spec, mesh), abstract_batches(spec, mesh)
        facts["state_bytes"] = _bytes_per_device(state)
        facts["batch_bytes"] = _bytes_per_device(batches)
        lowered = make_step(spec, mesh).lower(state, batches, abstract_course(mesh))
        facts["lower_seconds"] = time.monotonic() - begun
        begun = time.monotonic()
        try:
            compiled = lowered.compile()
        except jax.errors.JaxRuntimeError as error:
            kind = "memory" if "RESOURCE_EXHAUSTED" in str(error) else "compile"
            return {"error": kind, "message": str(error)}
        facts["compile_seconds"] = time.monotonic() - begun
    memory = compiled.memory_analysis()
    facts["memory"] = {
        name: getattr(memory, f"{attribute}_in_bytes")
        for name, attribute in (
            ("arguments", "argument_size"), ("outputs", "output_size"), ("aliased", "alias_size"),
            ("temporaries", "temp_size"), ("code", "generated_code_size"), ("peak", "peak_memory"),
        )
    }  # fmt: skip
    (folder / "program.hlo").write_text(str(compiled.as_text()))
    return facts


def _bytes_per_device(tree: Any) -> int:
    import jax

    leaves = jax.tree.leaves(tree)
    return sum(int(leaf.dtype.itemsize) * _size(leaf.sharding.shard_shape(leaf.shape)) for leaf in leaves)


def _size(shape: tuple[int, ...]) -> int:
    total = 1
    for side in shape:
        total *= side
    return total


def _versions() -> dict[str, str | None]:
    from importlib import metadata

    versions: dict[str, str | None] = {}
    for name in ("jax", "jaxlib", "libtpu"):
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = None
    return versions


if __name__ == "__main__":
    path = Path(sys.argv[1])
    atomic_files.write_json(path.parent / "result.json", _child(json.loads(path.read_text()), path.parent))
