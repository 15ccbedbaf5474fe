"""Several plans: a search over meshes, remat policies and microbatches, and topologies side by side."""

import dataclasses
import itertools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from data_pipelines.read_json import read_json
from gato_jax.config import Experiment, Gather, Remat
from gato_jax.planning.plan import Outcome, Plan, PlanConfig, plan
from gato_jax.planning.slices import find_slice
from gato_jax.planning.text import COMPARED, NOTE, compared_row, rich_table

Say = Callable[[str], None]

FSDP = (8, 16, 64, 256)
"""Below 8 the state is hardly split."""

LEAST_ROWS = 8
"""Of a matrix on one device, a tile of a TPU: with fewer, gathers and scatters become reductions of the whole."""

SAVINGS = tuple((remats, count) for count in (1, 2, 4, 8) for remats in ((Remat.NONE, Remat.NAMES), (Remat.FULL,)))
"""Remat policies and microbatches that save memory and cost time, in the order in which they are tried."""


@dataclasses.dataclass(frozen=True)
class Plans:
    """Plans by name, in the order in which they are shown."""

    title: str
    plans: Mapping[str, Plan]

    @property
    def exit_code(self) -> int:
        """0 where any plan fits; else the first plan's."""
        codes = [one.outcome.value for one in self.plans.values()]
        return 0 if Outcome.FITS.value in codes or not codes else codes[0]

    def to_dict(self) -> dict[str, Any]:
        return {"title": self.title, "plans": {name: one.to_dict() for name, one in self.plans.items()}}

    def table(self) -> Any:
        import rich.console
        import rich.text

        rows = [compared_row(name, one) for name, one in self.plans.items()]
        return rich.console.Group(rich_table(self.title, COMPARED, rows), rich.text.Text(NOTE, "dim"))


def compare(experiment: Experiment, topologies: Sequence[str], config: PlanConfig, *, say: Say) -> Plans:
    """The same experiment on several topologies.

    Raises:
      ValueError: a topology that does not exist, before anything is compiled; or the experiment runs on none.
    """
    for name in topologies:
        find_slice(name, slices=config.slices)
    plans = dict(_run([(name, experiment, name) for name in topologies], config, say))
    if not plans:
        raise ValueError(f"--compare: {experiment.name} runs on none of {', '.join(topologies)}, for the reasons above")
    return Plans(f"{experiment.name} on {', '.join(topologies)}", plans)


def search(
    experiment: Experiment, topology: str, config: PlanConfig, *, tensor: Sequence[int] = (1,), say: Say
) -> Plans:
    """Plans of one topology over mesh x remat x gather x microbatches: those that fit first, by estimated time, or by
    memory where no time is known.

    What saves memory and costs time, full remat and more microbatches, is only tried where nothing fits without.

    Raises:
      ValueError: no such topology, or the experiment runs on none of its meshes.
    """
    where = find_slice(topology, slices=config.slices)
    inside = where.devices // where.slices
    plans: dict[str, Plan] = {}
    most = min(inside, experiment.model.width // LEAST_ROWS)
    sizes = [size for size in FSDP if size <= most] or [min(inside, FSDP[0])]
    meshes = [mesh for mesh in itertools.product(sizes, tensor) if inside % (mesh[0] * mesh[1]) == 0]
    for remats, count in SAVINGS:
        choices = itertools.product(meshes, remats, Gather)
        candidates = [_candidate(experiment, *mesh, remat, gather, count) for mesh, remat, gather in choices]
        tried = dict(_run([(name, one, topology) for name, one in candidates], config, say))
        plans |= tried
        if not tried or any(one.outcome is Outcome.FITS for one in tried.values()):
            break
    if not plans:
        raise ValueError(f"--search: {experiment.name} runs on no mesh of {topology} that was tried")
    ranked = dict(sorted(plans.items(), key=lambda item: _rank(item[1])))
    return Plans(f"{experiment.name} on {topology}, best first", ranked)


def _rank(one: Plan) -> tuple[int, float, float]:
    seconds = one.estimate or one.lower_bound or float("inf")
    return one.outcome.value, seconds, one.memory.get("peak") or one.memory.get("temporaries") or float("inf")


def read_plans(paths: Sequence[Path]) -> Plans:
    """Plans that `gato plan --json` printed, one each or several of a search or comparison.

    Raises:
      ValueError: a file that is absent, or holds something else.
    """
    plans: dict[str, Plan] = {}
    for path in paths:
        data = read_json(path, "what `gato plan --json` prints")
        try:
            for name, one in data["plans"].items() if "plans" in data else ((path.stem, data),):
                plans[name] = Plan.from_dict(one)
        except (ValueError, AttributeError) as error:
            raise ValueError(f"--report: {path}: expected what `gato plan --json` prints, found {error}") from error
    return Plans("Plans side by side", plans)


def _candidate(
    experiment: Experiment, fsdp: int, tensor: int, remat: Remat, gather: Gather, microbatches: int
) -> tuple[str, Experiment]:
    mesh = dataclasses.replace(experiment.mesh, data=-1, fsdp=fsdp, tensor=tensor)
    step = dataclasses.replace(experiment.step, remat=remat, gather=gather, microbatches=microbatches)
    name = f"fsdp {fsdp}, tensor {tensor}, {remat.value}, {gather.value}, {microbatches} microbatches"
    return name, dataclasses.replace(experiment, mesh=mesh, step=step)


def _run(candidates: Sequence[tuple[str, Experiment, str]], config: PlanConfig, say: Say) -> Iterator[tuple[str, Plan]]:
    """Plans one after the other, and says how far it is. An experiment that cannot run there is left out, and named."""
    begun = time.monotonic()
    for done, (name, experiment, topology) in enumerate(candidates):
        try:
            one = plan(experiment, topology, config)
        except ValueError as error:
            say(f"[{done + 1}/{len(candidates)}] {name}: left out: {error}")
            continue
        each = (time.monotonic() - begun) / (done + 1)
        rest = (len(candidates) - done - 1) * each
        say(f"[{done + 1}/{len(candidates)}] {name}: {one.message} ({each:.0f} s each, {rest:.0f} s to go)")
        yield name, one
