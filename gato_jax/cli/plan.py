"""`gato plan`: what a training step would be on a slice that is not there."""

import dataclasses
import pathlib
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import tyro

from data_pipelines import atomic_files, ranges
from data_pipelines.ranges import Count, Natural, Positive
from gato_jax.cli.common import UsageError, show
from gato_jax.cli.experiment import experiment_argument, read_experiment

if TYPE_CHECKING:
    from gato_jax.planning.plan import Plan


@dataclasses.dataclass(frozen=True)
class PlanOptions:
    """Options of `gato plan` besides the fields of the experiment.

    Args:
      topology: slice to plan for: v3:16x16, v4:4x8x8, v5e:16x16, v5p:8x8x8, v6e:16x16, tpu7x:4x4x8; h100:8; cpu:8.
      compare: more slices, side by side with the first.
      search: try meshes, remat policies and microbatches, and rank what fits.
      search_tensor: sizes of the tensor axis that the search tries.
      slices: slices of this topology, joined by the data-centre network.
      patches: patches of each row, in groups that have any; the experiment's own when not given.
      rows: rows per step of each row group, as name=count, where the data that says it is not here.
      benchmark: JSON of `python -m benchmarks.stream`, for what a host can deliver.
      benchmark_kind: which of its kinds of data.
      limit: seconds that one compilation may take.
      report: plans that --json printed before; lays them side by side, compiles nothing, needs no EXPERIMENT.
      html: write the plan as one self-contained page.
      program: write the compiled program's text.
      json: print the plan as JSON.
    """

    topology: str = ""
    compare: tuple[str, ...] = ()
    search: bool = False
    search_tensor: tuple[Count, ...] = (1,)
    slices: Count = 1
    patches: Natural | None = None
    rows: tuple[str, ...] = ()
    benchmark: pathlib.Path | None = None
    benchmark_kind: str = "mixed"
    limit: Positive = 1800.0
    report: tuple[pathlib.Path, ...] = ()
    html: pathlib.Path | None = None
    program: pathlib.Path | None = None
    json: bool = False


def plan(arguments: Sequence[str]) -> None:
    """Compile the training step for hardware you don't have: fit, FLOPs, collectives, an estimate of time.

    `gato plan EXPERIMENT --topology v3:16x16 [--mesh.fsdp 16 ...]`. Every field of the experiment is an option, as in
    `gato train`. No accelerator, network or data is needed. Exit code 0: fits; 3: does not fit; 4: does not compile;
    5: no compiler here; 6: the program's FLOPs disagree with the hand count. With --compare and --search: 0 where
    any plan fits.
    """
    options, rest = tyro.cli(
        PlanOptions,
        args=list(arguments),
        prog="gato plan EXPERIMENT",
        description=plan.__doc__,
        return_unknown_args=True,
    )
    try:
        ranges.check_fields(options, "")
    except ValueError as error:
        raise UsageError(f"--{error}") from error
    for path in (options.html, options.program):
        if path is not None:
            atomic_files.check_destination(path)
    if options.report:
        _report(options)
        return
    name, rest = experiment_argument(rest)
    if not options.topology:
        raise UsageError("needs --topology, such as v3:16x16")
    if options.search and options.compare:
        raise UsageError("expected --search or --compare, found both")
    if options.program and (options.search or options.compare):
        raise UsageError("--program keeps one program, and --search and --compare compile several")
    from gato_jax import config
    from gato_jax.planning import plan as plan_module
    from gato_jax.planning import search, text
    from gato_jax.planning.needs import read_benchmark

    experiment = read_experiment("plan", name, config.load_experiment(name), rest)
    how = plan_module.PlanConfig(
        slices=options.slices,
        patches=options.patches,
        rows=_rows(options.rows),
        limit=options.limit,
        program=options.program,
        benchmark=read_benchmark(options.benchmark, options.benchmark_kind) if options.benchmark else None,
    )
    if options.search or options.compare:
        say = lambda line: print(line, file=sys.stderr)  # noqa: E731
        if options.search:
            comparison = search.search(experiment, options.topology, how, tensor=options.search_tensor, say=say)
        else:
            comparison = search.compare(experiment, (options.topology, *options.compare), how, say=say)
        show(comparison.to_dict(), comparison.table(), options.json)
        code = comparison.exit_code
        plans = comparison.plans
    else:
        one = plan_module.plan(experiment, options.topology, how)
        show(one.to_dict(), text.terminal(one), options.json)
        code, plans = one.outcome.value, {options.topology: one}
    _write_page(plans, options.html)
    if code:
        sys.exit(code)


def _report(options: PlanOptions) -> None:
    from gato_jax.planning.search import read_plans

    comparison = read_plans(options.report)
    show(comparison.to_dict(), comparison.table(), options.json)
    _write_page(comparison.plans, options.html)


def _write_page(plans: "Mapping[str, Plan]", out: pathlib.Path | None) -> None:
    if out is not None:
        from gato_jax.planning.page import write_page

        print(f"wrote {write_page(plans, out)}", file=sys.stderr)


def _rows(pairs: Sequence[str]) -> dict[str, int] | None:
    rows = {}
    for pair in pairs:
        name, _, count = pair.partition("=")
        if not count.isdecimal():
            raise UsageError(f"--rows: expected name=count, found {pair!r}")
        rows[name] = int(count)
    return rows or None
