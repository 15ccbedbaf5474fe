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

from gato_jax import files
from gato_jax.cli.plan import plan as command
from gato_jax.config import load_experiment
from gato_jax.model.config import Gather, Kernel, Remat
from gato_jax.planning import compiling
from gato_jax.planning.page import write_page
from gato_jax.planning.plan import Outcome, PlanConfig, plan, read_benchmark
from gato_jax.planning.slices import CHIPS, all_shapes, find_slice
from gato_jax.sharding import MeshConfig
from gato_jax.training.step import StepConfig

GOLDENS = pathlib.Path(__file__).with_name("goldens")
needs_compiler = pytest.mark.skipif(
    importlib.util.find_spec("libtpu") is None, reason="the TPU compiler is not installed: pip install libtpu"
)


def compare(name, found):
    """The collectives of a plan with its golden file."""
    rows = [dataclasses.asdict(row) for row in found.collectives]
    path = GOLDENS / f"{name}.json"
    if os.environ.get("GATO_REWRITE_GOLDENS"):
        files.write_json(path, rows)
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
    assert json.loads(json.dumps(on_v5e.to_dict()))["exit_code"] == 0


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
    ("topology", "step", "share"),
    [("v3:16x16", {"gather": Gather.STEP, "bf16_probabilities": True}, 1.07), ("v5e:16x16", {}, 1.12)],
)
def test_the_papers_largest_size(topology, step, share):
    """1.08B, rotary, at 512 x 1024, 256 patches a row: the facts that CI may gate on, no times."""
    experiment = load_experiment("gato_1b_rotary")
    step = dataclasses.replace(experiment.step, **step)
    experiment = dataclasses.replace(experiment, mesh=MeshConfig(fsdp=16), step=step)
    found = plan(experiment, topology, PlanConfig(patches=256, limit=7200))
    assert found.outcome is Outcome.FITS
    assert found.executed_over_needed < share
    compare(f"gato_1b_rotary_{topology.replace(':', '_')}", found)


def test_a_cpu_plan_says_what_can_be_known(steps):
    """And `gato plan --json` prints it."""
    experiment = steps.named(steps.experiment())
    found = plan(experiment, "cpu:4")
    assert found.outcome is Outcome.FITS
    assert found.executed == pytest.approx(found.expected, rel=0.005)
    assert found.memory["limit"] is None
    assert found.collectives
    assert found.estimate is found.mfu is found.lower_bound is None
    assert "no peak rate" in found.mfu_refused


def test_bad_command_lines_end_before_anything_is_compiled(tmp_path):
    run = lambda *arguments: subprocess.run(  # noqa: E731
        [sys.executable, "-m", "gato_jax.cli", "plan", *arguments], capture_output=True, text=True, check=False
    )
    done = run("gato_79m", "--topology", "v5e:16x32")
    assert (done.returncode, "v5e:16x16" in done.stderr) == (1, True)
    assert run("gato_79m").returncode == 2
    assert run("--topology", "v5e:2x4").returncode == 2
    (tmp_path / "b.json").write_text("{}")
    with pytest.raises(ValueError, match="no kind 'mixed'"):
        read_benchmark(tmp_path / "b.json", "mixed")


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
def test_more_than_a_device_holds_does_not_fit(steps):
    # A table of 40 GB in float32, with its two moments, on devices of 15.75 GiB.
    found = plan(steps.experiment(fsdp=1, local_positions=80_000_000, layers=1), "v5e:2x2")
    assert found.outcome is Outcome.DOES_NOT_FIT
    assert "exceeds" in found.message


@needs_compiler
@pytest.mark.slow
def test_the_compiler_knows_every_shape_of_the_table():
    code = "import sys\nfrom jax.experimental import topologies\n"
    code += "from gato_jax.planning.slices import *\nfor name in sys.argv[1:]:\n  s = find_slice(name)\n"
    code += "  t = topologies.get_topology_desc(platform='tpu', topology_name=name, **s.chip.topology_options)\n"
    code += "  assert (len(t.devices), t.devices[0].device_kind) == (s.devices, s.chip.device_kind), name"
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
