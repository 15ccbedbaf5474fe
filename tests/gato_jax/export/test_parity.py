"""Every compiled or foreign format against our model, in fresh processes; and PyTorch acting in real environments."""

import io
import os
import shutil
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest

from data_pipelines.spec import lookup
from data_pipelines.suites import catalog
from gato_jax.agent.policy import Policy
from gato_jax.config import AgentConfig, FeedForward, Norm, Positions
from gato_jax.export.export import export_weights
from gato_jax.export.formats.registry import FORMATS
from gato_jax.weights.load import load_weights

VARIANTS = {
    Positions.TRANSFORMER_XL: {"scan_layers": True, "feed_forward": FeedForward.GEGLU_SPLIT},
    Positions.ROTARY: {"norm": Norm.RMS},
    Positions.LEARNED: {"feed_forward": FeedForward.GEGLU_SPLIT, "norm": Norm.RMS},
    Positions.NONE: {},
}


@pytest.fixture(scope="session")
def run_of(small, recorded_data, tmp_path_factory):
    """Position scheme -> a run with two recorded tasks, a window of three timesteps."""
    base = tmp_path_factory.mktemp("parity")
    groups = {name: group for name, group in small.GROUPS.items() if name != "dm_control"}

    def make(positions, data=recorded_data):
        run = base / positions.value
        if not run.exists():
            experiment = small.small_experiment(data, positions=positions, groups=groups, **VARIANTS[positions])
            small.save(experiment, run)
        return run

    return make


def check(verification, *, ways=("float32",)):
    print(dict(verification.differences))  # shown by -rP
    assert set(verification.differences) == set(ways)
    assert verification.tasks == ("babyai.go_to_obj", "metaworld.drawer_close")
    for way in ways:
        assert verification.differences[way] < (1e-4 if way != "bfloat16" else verification.bounds[way])
        assert verification.greedy[way][1] > 10
        if way != "bfloat16":
            assert verification.greedy[way][0] == verification.greedy[way][1]


@pytest.fixture(scope="session")
def exported(run_of, tmp_path_factory):
    """(format, position scheme) -> the directory of an export, and what its check has verification."""
    base, done = tmp_path_factory.mktemp("exported"), {}

    def make(form, positions, python):
        if (form, positions) not in done:
            out = base / f"{form}-{positions.value}"
            done[form, positions] = out, export_weights(run_of(positions), out, format=form, python=python).verification
        return done[form, positions]

    return make


# Each format with two schemes and each scheme with two formats; `gato export` checks every other pair as it writes it.
PAIRS = [
    ("safetensors", Positions.TRANSFORMER_XL),
    ("safetensors", Positions.ROTARY),
    ("stablehlo", Positions.ROTARY),
    ("stablehlo", Positions.LEARNED),
    ("savedmodel", Positions.LEARNED),
    ("savedmodel", Positions.NONE),
    ("onnx", Positions.NONE),
    ("onnx", Positions.TRANSFORMER_XL),
]
# The scheme of the export that the documentation's example loads: one that is checked here anyhow. Converting takes
# long, so both tests run in one process where tests are dealt by groups (`--dist loadgroup`).
EXAMPLES = {**dict(reversed(PAIRS)), "huggingface": Positions.LEARNED}


def pair(form, positions, *marks):
    if EXAMPLES[form] == positions:
        marks += (pytest.mark.xdist_group(form),)
    return pytest.param(form, positions, marks=marks, id=f"{form}-{positions.value}")


@pytest.mark.parametrize(("form", "positions"), [pair("huggingface", positions) for positions in Positions])
def test_pytorch(exported, torch_python, form, positions):
    _, verification = exported(form, positions, torch_python)
    check(verification)
    assert verification.acting[0] == verification.acting[1] > 60
    assert {"torch", "transformers"} < set(verification.versions)


def test_pytorch_in_bfloat16(run_of, torch_python, tmp_path):
    run = run_of(Positions.TRANSFORMER_XL)
    result = export_weights(run, tmp_path / "out", format="huggingface", dtype="bfloat16", python=torch_python)
    check(result.verification, ways=("float32", "bfloat16"))


def test_pytorch_refuses_damaged_weights(run_of, torch_python, tmp_path):
    export_weights(run_of(Positions.ROTARY), tmp_path / "out", format="huggingface", unverified=True)
    path = tmp_path / "out/model.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"\x7f")
    code = "import sys, transformers as t; t.AutoModel.from_pretrained(sys.argv[1], trust_remote_code=True)"
    environment = {"HF_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "1", "PATH": os.environ["PATH"]}
    words = [torch_python, "-I", "-c", code, str(tmp_path / "out")]
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 1
    assert "model.safetensors: tensor 'transformer.norm.scale' is damaged: expected SHA-256" in done.stderr


def test_pairs_cover_all():
    assert {form for form, _ in PAIRS} == set(FORMATS) - {"huggingface"}
    assert {positions for _, positions in PAIRS} == set(Positions)


@pytest.mark.parametrize(("form", "positions"), [pair(*each, pytest.mark.slow) for each in PAIRS])
def test_other_runtimes(exported, request, form, positions):
    python = request.getfixturevalue("torch_python") if "torch" in FORMATS[form].runtime else None
    _, verification = exported(form, positions, python)
    check(verification, ways=("float32", "cached") if form == "stablehlo" else ("float32",))


SECTIONS = {
    "safetensors": "safetensors",
    "huggingface": "Hugging Face",
    "stablehlo": "StableHLO",
    "savedmodel": "SavedModel",
    "onnx": "ONNX",
}


def example(section):
    """The Python code of a section of docs/export.md."""
    page = Path(__file__).parents[3] / "docs" / "export.md"
    text = page.read_text().split(f"\n## {section}\n")[1].split("\n## ")[0]
    return text.split("```python\n")[1].split("```")[0]


@pytest.mark.parametrize(
    ("form", "positions"), [pair(*each, *[pytest.mark.slow] * (each[0] != "huggingface")) for each in EXAMPLES.items()]
)
def test_the_example_of_the_documentation(exported, torch_python, tmp_path, form, positions):
    """As a stranger runs it: in a directory of its own, without our package."""
    directory, _ = exported(form, positions, torch_python)
    shutil.copytree(directory, tmp_path / "weights")
    (tmp_path / "fields.py").write_text(example("What a model reads"))
    hidden = "import sys; sys.modules.update(dict.fromkeys(('gato_jax', 'data_pipelines', 'experiments')))\n"
    (tmp_path / "example.py").write_text(hidden + example(SECTIONS[form]))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    environment |= {"HF_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "1", "JAX_PLATFORMS": "cpu"}
    process = subprocess.run(
        [torch_python, "example.py"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert process.returncode == 0, process.stderr
    assert process.stdout


class Child:
    """An agent in a fresh process."""

    def __init__(self, python: str, directory: Path, task: str, home: Path):
        script = Path(__file__).with_name("acting_child.py")
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "JAX", "XLA"))}
        environment |= {"HF_HOME": str(home), "HF_HUB_OFFLINE": "1"}
        self._process = subprocess.Popen(
            [python, "-I", str(script), str(directory), task],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            cwd=home,
        )
        self._receive()

    def act(self, observation, spec):
        buffer = io.BytesIO()
        arrays = {item.key: np.asarray(lookup(observation, item.path)) for item in spec.observation}
        np.savez(
            buffer, allow_pickle=False, **{k: v.astype("U") if v.dtype == object else v for k, v in arrays.items()}
        )
        self._process.stdin.write(struct.pack("<Q", len(buffer.getvalue())) + buffer.getvalue())
        self._process.stdin.flush()
        return self._receive()

    def _receive(self):
        size = self._process.stdout.read(8)
        assert len(size) == 8, "the agent's process ended"
        with np.load(
            io.BytesIO(self._process.stdout.read(struct.unpack("<Q", size)[0])), allow_pickle=False
        ) as archive:
            return dict(archive)

    def close(self):
        self._process.stdin.close()
        assert self._process.wait(60) == 0


@pytest.mark.parametrize(
    ("task", "most"),
    [("babyai.go_to_obj", None), pytest.param("dm_control.cartpole_balance", 150, marks=pytest.mark.slow)],
)
def test_pytorch_acts_in_a_real_environment(small, torch_python, tmp_path, recorded_data, task, most):
    """A whole episode, or as many steps as slide the window of three 49 times over: PyTorch, in a process without our
    package, chooses; ours would have chosen the same."""
    environment = catalog.make(task)
    data = tmp_path / "data"
    (data / task).mkdir(parents=True)
    (data / task / "spec.json").write_text(environment.spec.to_json())
    (data / task / "recording.json").write_text("{}")
    (data / "tokenizer.model").write_bytes((recorded_data / "tokenizer.model").read_bytes())
    groups = {name: group for name, group in small.GROUPS.items() if task in group.tasks}
    run = small.save(small.small_experiment(data, groups=groups, positions=Positions.TRANSFORMER_XL), tmp_path / "run")
    export_weights(run, tmp_path / "out", format="huggingface", unverified=True)
    policy = Policy(load_weights(run), environment.spec, agent=AgentConfig(context_timesteps=3))
    child = Child(torch_python, tmp_path / "out", task, tmp_path)
    policy.reset([0])
    try:
        step, steps, different = environment.reset_to(1_000_000), 0, 0
        while not step.last() and steps != most:
            reply = child.act(step.observation, environment.spec)
            ours = policy.act_tokens([step.observation])
            different += int((reply["tokens"] != ours[0]).any())
            np.testing.assert_array_equal(reply["action"], policy.decode_actions(ours)[0])
            step = environment.step(reply["action"])
            steps += 1
    finally:
        child.close()
        environment.close()
    assert steps >= 10
    assert different == 0


FAILING = """
import sys
import numpy as np, torch
from transformers import AutoModel

model = AutoModel.from_pretrained(sys.argv[1], trust_remote_code=True).eval()
agent = model.agent("metaworld.drawer_close", decode="sample")
see = lambda *values: [{"state": np.full(39, value, np.float32)} for value in values]
agent.reset([1, 2])
expected = [agent.act_tokens(see(0.1, 0.2)) for _ in range(4)]
agent.reset([1, 2])
found = [agent.act_tokens(see(0.1, np.nan if step == 1 else 0.2)) for step in range(4)]
assert all((a[0] == b[0]).all() for a, b in zip(found, expected)), "the other goes on as it would have"
assert (found[0] == expected[0]).all() and all((tokens[1] == -1).all() for tokens in found[1:])
assert np.isnan(agent.act(see(0.1, 0.2))[1]).all() and list(agent.failures) == [1]
print(agent.failures[1])

kinds = sys.modules[type(agent).__module__.rpartition(".")[0] + ".spec"]
digits = kinds.ItemSpec("action", kinds.Kind.DISCRETE, (2,), "int32", radix=(3, 5))
spec = kinds.TaskSpec("a.digits", agent.spec.observation, digits, 10)
tokens = type(agent.layout.tokens)(vocabulary=agent.layout.tokens.vocabulary)
other = type(agent)(model, spec, tokens, decode="sample", temperature=100.0)
other.reset(64)
actions = other.act(see(*np.linspace(-1, 1, 64)))
assert actions.max(0).tolist() == [2, 4] and actions.min() == 0, actions

with torch.no_grad():
    model.embedding.tokens.fill_(np.nan)
agent.reset([7])
try:
    agent.act(see(0.1)[0])
except ValueError as error:
    print(error)
"""


def test_an_exported_agent_names_what_it_cannot_act_in(run_of, torch_python, tmp_path):
    """As ours does: a single environment is an error, one of several is marked; digits keep to their ranges."""
    export_weights(run_of(Positions.LEARNED), tmp_path / "out", format="huggingface", unverified=True)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    environment |= {"HF_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "1"}
    command = [torch_python, "-I", "-c", FAILING, str(tmp_path / "out")]
    process = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr
    observed, acted = process.stdout.splitlines()
    assert "episode 'of seed 2', timestep 1, key 'state': expected a finite number, found nan" in observed
    assert "episode 'of seed 7', timestep 0, key 'action': expected finite logits of all legal ids" in acted
