"""Plans of tiny steps: compiled for real slices where the TPU compiler is installed, for CPU devices everywhere.

The collectives of compiled steps are golden files. Renew them after a change that is meant, and read the difference:

    GATO_REWRITE_GOLDENS=1 python -m pytest -m "slow or not slow" tests/gato_jax/planning/test_plan.py && git diff
"""

import dataclasses
import importlib.util
import json
import os
import pathlib
import subprocess
import sys

import pytest

from data_pipelines import atomic_files
from gato_jax.chips import CHIPS
from gato_jax.cli.common import UsageError
from gato_jax.cli.plan import plan as command
from gato_jax.config import Gather, Gradients, Kernel, MeshConfig, Remat, StepConfig, load_experiment
from gato_jax.planning import compiling, search
from gato_jax.planning.needs import read_benchmark
from gato_jax.planning.page import write_page
from gato_jax.planning.plan import Outcome, Plan, PlanConfig, plan
from gato_jax.planning.slices import all_shapes, find_slice

GOLDENS = pathlib.Path(__file__).with_name("goldens")
needs_compiler = pytest.mark.skipif(
    importlib.util.find_spec("libtpu") is None, reason="the TPU compiler is not installed: pip install libtpu"
)


def compare(name, planned):
    """The collectives of a plan with its golden file."""
    rows = [dataclasses.asdict(row) for row in planned.collectives]
    path = GOLDENS / f"{name}.json"
    if os.environ.get("GATO_REWRITE_GOLDENS"):
        atomic_files.write_json(path, rows)
    assert path.exists(), f"no {path}; the command in this file's docstring writes it"
    assert rows == json.loads(path.read_text()), f"collectives of {name} changed; if that is meant, renew the golden"


@pytest.fixture(scope="module")
def on_v5e(steps):
    return plan(steps.named(steps.experiment(fsdp=4)), "v5e:2x4")


@needs_compiler
def test_a_tpu_plan_holds_facts_and_an_estimate(on_v5e, tmp_path):
    assert on_v5e.outcome is Outcome.FITS
    assert on_v5e.mesh == {"replica": 1, "data": 2, "fsdp": 4, "tensor": 1}
    assert on_v5e.kernel == "splash"
    assert on_v5e.tokens_per_device == 16 * 128 / 8
    assert on_v5e.executed == pytest.approx(on_v5e.expected, rel=0.005)
    assert 0 < on_v5e.memory["peak"] < on_v5e.memory["limit"]
    assert 0 < on_v5e.lower_bound < on_v5e.estimate
    assert 0 < on_v5e.mfu < 1
    assert any("splash" in line for line in on_v5e.unseen)
    assert on_v5e.needs.days == pytest.approx(1000 * on_v5e.estimate / 86400)
    page = write_page({"v5e:2x4": on_v5e}, tmp_path / "plan.html").read_text()
    assert "not measured" in page
    assert "http" not in page.replace("http://www.w3.org", "")


@needs_compiler
def test_the_page_in_a_browser(on_v5e, pages, tmp_path):
    pages(write_page({"v5e:2x4": on_v5e}, tmp_path / "plan.html"))


@needs_compiler
def test_printed_plans_are_read_back_and_laid_side_by_side(on_v5e, tmp_path):
    printed = json.dumps(on_v5e.to_dict())
    assert json.loads(printed)["exit_code"] == 0
    assert json.loads(json.dumps(Plan.from_dict(json.loads(printed)).to_dict())) == json.loads(printed)
    for size in (1, 2, 3):  # the same plan as if of three sizes
        grown = {**on_v5e.to_dict(), "parameters": size * 10**6}
        (tmp_path / f"{size}.json").write_text(json.dumps(grown))
    paths = [str(tmp_path / f"{size}.json") for size in (1, 2, 3)]
    command(["--report", *paths, "--html", str(tmp_path / "all.html"), "--json"])
    assert "Growth" in (tmp_path / "all.html").read_text()
    (tmp_path / "other.json").write_text('{"seed": 1}')
    with pytest.raises(ValueError, match="plan"):
        command(["--report", str(tmp_path / "other.json")])


@needs_compiler
def test_golden_collectives(on_v5e):
    compare("tiny_v5e_2x4", on_v5e)


@needs_compiler
@pytest.mark.slow
def test_golden_collectives_on_v3(steps):
    step = StepConfig(remat=Remat.NAMES, gather=Gather.STEP, bf16_probabilities=True, bf16_logits=True)
    compare("tiny_v3_2x2_gathered_once", plan(steps.experiment(fsdp=4, step=step), "v3:2x2"))


@needs_compiler
@pytest.mark.slow
@pytest.mark.parametrize(
    ("topology", "fsdp", "step", "scan", "peak", "gathered"),
    [
        (
            "v3:16x16", 256, {"gather": Gather.STEP, "bf16_probabilities": True, "remat": Remat.NONE}, False, 4.1, 2.4e9
        ),
        ("v5e:16x16", 16, {}, True, 4.1, 4.8e9),
        ("v4:4x8x8", 16, {"gradients": Gradients.REDUCE, "remat": Remat.NONE}, False, 6.0, 2.4e9),
    ],
)  # fmt: skip
def test_the_papers_largest_size(topology, fsdp, step, scan, peak, gathered):
    """1.08B, rotary, at 512 x 1024, 256 patches a row: the facts that CI may gate on, no times."""
    experiment = load_experiment("gato_1b_rotary")
    experiment = dataclasses.replace(
        experiment,
        mesh=MeshConfig(fsdp=fsdp),
        model=dataclasses.replace(experiment.model, scan_layers=scan),
        step=dataclasses.replace(experiment.step, **step),
    )
    planned = plan(experiment, topology, PlanConfig(patches=256, limit=7200))
    assert planned.outcome is Outcome.FITS
    assert planned.memory["peak"] < peak * 2**30
    assert planned.executed_over_needed < 1.07
    assert planned.collective_bytes("all-gather") < gathered


def test_a_cpu_plan_says_what_can_be_known(steps):
    """And `gato plan --json` prints it."""
    experiment = steps.named(steps.experiment())
    planned = plan(experiment, "cpu:4")
    assert planned.outcome is Outcome.FITS
    assert planned.executed == pytest.approx(planned.expected, rel=0.005)
    assert planned.memory["limit"] is None
    assert planned.memory["peak"] >= planned.memory["temporaries"] + planned.memory["state"]
    assert f"{planned.memory['peak'] / 2**20:.1f} MiB per device" in planned.message
    assert planned.collectives
    assert planned.estimate is planned.mfu is planned.lower_bound is None
    assert "no peak rate" in planned.mfu_refused


def test_bad_command_lines_end_before_anything_is_compiled(tmp_path):
    with pytest.raises(ValueError, match=r"v5e:16x32.*nearest that exist: v5e:16x16"):
        command(["gato_79m", "--topology", "v5e:16x32"])
    with pytest.raises(UsageError, match="--topology"):
        command(["gato_79m"])
    with pytest.raises(UsageError, match="needs an experiment"):
        command(["--topology", "v5e:2x4"])
    with pytest.raises(UsageError, match="name=count"):
        command(["gato_79m", "--topology", "v5e:2x4", "--rows", "all"])
    with pytest.raises(UsageError, match="found both"):
        command(["gato_79m", "--topology", "v5e:2x4", "--search", "--compare", "v5e:4x4"])
    with pytest.raises(UsageError, match="several"):
        command(["gato_79m", "--topology", "v5e:2x4", "--search", "--program", str(tmp_path / "program.hlo")])
    with pytest.raises(ValueError, match=r"v5e:3x5.*nearest"):
        command(["gato_79m", "--topology", "v5e:2x4", "--compare", "v5e:3x5"])
    (tmp_path / "b.json").write_text("{}")
    with pytest.raises(ValueError, match="no kind 'mixed'"):
        read_benchmark(tmp_path / "b.json", "mixed")


def test_topologies_side_by_side(steps, tmp_path, capsys):
    """One that the rows do not divide over is left out, aloud."""
    path, page = tmp_path / "tiny.json", tmp_path / "page.html"
    path.write_text(steps.experiment().to_json())
    command([str(path), "--topology", "cpu:4", "--compare", "cpu:6", "--json", "--html", str(page)])
    shown = capsys.readouterr()
    plans = json.loads(shown.out)["plans"]
    assert {name: one["outcome"] for name, one in plans.items()} == {"cpu:4": "fits"}
    assert "cpu:6: left out: row group 'only': 16 rows per step are not divisible by the 6 devices" in shown.err
    assert "[2/2]" in shown.err
    assert "cpu:4" in page.read_text()


def test_nothing_to_lay_side_by_side_is_an_error(steps):
    with pytest.raises(ValueError, match=r"tiny runs on none of cpu:6, cpu:10"):
        search.compare(steps.experiment(), ("cpu:6", "cpu:10"), PlanConfig(), say=print)


@pytest.mark.slow
def test_a_search_ranks_what_fits(steps, tmp_path, capsys):
    path, page = tmp_path / "tiny.json", tmp_path / "page.html"
    path.write_text(steps.experiment().to_json())
    command([str(path), "--topology", "cpu:4", "--search", "--html", str(page), "--json"])
    plans = json.loads(capsys.readouterr().out)["plans"]
    names = {
        f"fsdp 4, tensor 1, {remat}, {gather}, 1 microbatches"
        for remat in ("none", "names")
        for gather in ("layer", "step")
    }
    assert set(plans) == names
    peaks = [one["memory"]["peak"] for one in plans.values()]
    assert peaks == sorted(peaks)
    assert all(one["outcome"] == "fits" for one in plans.values())
    assert "Side by side" in page.read_text()


@needs_compiler
@pytest.mark.slow
def test_a_search_takes_more_microbatches_only_where_fewer_do_not_fit(steps):
    """6 GiB of logits on each device, and their gradient, do not fit under any remat; a half of them does."""
    ranking = search.search(steps.experiment(rows=8 * 3 * 2**12), "v5e:2x4", PlanConfig(), say=print)
    fits = {
        count: [one.outcome is Outcome.FITS for name, one in ranking.plans.items() if f" {count} micro" in name]
        for count in (1, 2)
    }
    assert len(ranking.plans) == 2 * (
        2 * 2 + 2
    )  # per count: nothing and names kept, then full remat, with both gathers
    assert (any(fits[1]), any(fits[2])) == (False, True)
    assert next(iter(ranking.plans.values())).outcome is Outcome.FITS
    assert ranking.exit_code == 0


def test_rows_that_do_not_divide_are_an_error(steps):
    with pytest.raises(ValueError, match="not divisible"):
        plan(steps.experiment(rows=8, fsdp=1), "cpu:3")


def test_exit_codes_of_failed_compilations(steps, monkeypatch, tmp_path, capsys):
    assert plan(steps.experiment(), "cpu:4", PlanConfig(limit=0.01)).outcome is Outcome.DOES_NOT_COMPILE
    # A machine without the compiler, and a program that asks for too much memory, as the compiler says it.
    message = (
        "RESOURCE_EXHAUSTED: E1000: CompileTimeHbmOom: Ran out of memory on HBM, the total memory required for HLO "
        "temporaries (17.57G) exceeds available HBM (15.75G). HLO module: jit_step."
    )
    path = tmp_path / "tiny.json"
    path.write_text(steps.experiment().to_json())
    for kind, text, code in (("absent", "libtpu is not installed", 5), ("memory", message, 3), ("compile", "no", 4)):
        monkeypatch.setattr(compiling, "compile_step", lambda *_, k=kind, t=text, **__: compiling._raise(k, t))
        with pytest.raises(SystemExit) as ended:
            command([str(path), "--topology", "v5e:2x4", "--json"])
        assert ended.value.code == code
        shown = json.loads(capsys.readouterr().out)
        assert (shown["exit_code"], text.split(".")[0] in shown["message"]) == (code, True)
    assert compiling._needed(message) == pytest.approx(17.57 * 2**30)


@needs_compiler
@pytest.mark.slow
def test_more_than_a_device_holds_does_not_fit(steps):
    # A table of 40 GB in float32, with its two moments, on devices of 15.75 GiB.
    planned = plan(steps.experiment(fsdp=1, local_positions=80_000_000, layers=1), "v5e:2x2")
    assert planned.outcome is Outcome.DOES_NOT_FIT
    assert "exceeds" in planned.message


@needs_compiler
@pytest.mark.slow
def test_the_compiler_knows_every_shape_of_the_table():
    code = "import sys, numpy\nfrom jax.experimental import topologies\n"
    code += "from gato_jax.planning.slices import *\nfor name in sys.argv[1:]:\n  s = find_slice(name)\n"
    code += "  t = topologies.get_topology_desc(platform='tpu', topology_name=name, **s.chip.topology_options)\n"
    code += "  assert (len(t.devices), t.devices[0].device_kind) == (s.devices, s.chip.device_kind), name\n"
    code += "  assert {tuple(d.coords[:len(s.shape)]) for d in t.devices} == set(numpy.ndindex(*s.shape)), name"
    names = [
        f"{chip.name}:{'x'.join(map(str, shape))}"
        for chip in CHIPS.values()
        if chip.platform == "tpu"
        for shape in all_shapes(chip)
    ]
    environment = compiling.child_environment(find_slice("v5e:2x2"))
    subprocess.run([sys.executable, "-c", code, *names], env=environment, check=True)


def test_a_kernel_is_chosen_for_the_planned_device_not_for_this_one(steps):
    """A CPU runs no cuDNN: the choice is the mesh's."""
    with pytest.raises(ValueError, match="cudnn"):
        plan(steps.experiment(step=StepConfig(attention=Kernel.CUDNN), scan_layers=True), "cpu:2")
