"""The house has floors: each imports only from floors below it, and some rooms have walls. See docs/design.md."""

import ast
import pathlib
import subprocess
import sys

import pytest

import data_pipelines
import gato_jax

PACKAGES = {
    "data_pipelines": pathlib.Path(data_pipelines.__file__).parent,
    "gato_jax": pathlib.Path(gato_jax.__file__).parent,
}
FORBIDDEN = {
    "data_pipelines": {"jax", "jaxlib", "flax", "optax", "orbax", "gato_jax", "experiments"},
    "gato_jax": {"experiments"},
}


COPIED = PACKAGES["gato_jax"] / "export" / "huggingface"
"""Files that are copied beside exported weights: they import each other, where they will stand."""


def imported_modules(path: pathlib.Path) -> set[str]:
    """Every module that a file imports, at any depth of its code, by full name."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(), str(path))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level and path.parent == COPIED:
                continue
            assert node.level == 0, f"{path}: write absolute imports, so that floors can be read"
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


def sources(package: str) -> list[pathlib.Path]:
    return sorted(PACKAGES[package].rglob("*.py"))


@pytest.mark.parametrize("package", sorted(FORBIDDEN))
def test_no_import_runs_up(package):
    assert sources(package)
    arrows = [
        f"{path.relative_to(PACKAGES[package].parent)} imports {name}"
        for path in sources(package)
        for name in imported_modules(path)
        if name.split(".")[0] in FORBIDDEN[package]
    ]
    assert not arrows, arrows


def test_files_beside_exported_weights_import_nothing_of_ours():
    foreign = {name.split(".")[0] for path in COPIED.glob("*.py") for name in imported_modules(path)}
    assert "torch" in foreign
    assert not foreign & {"gato_jax", "data_pipelines", "experiments", "jax", "flax", "tensorflow", "jaxtyping"}


@pytest.mark.parametrize(
    ("module", "owner"),
    [("orbax", "gato_jax/training/checkpoints/checkpoint.py"), ("jax.experimental.mesh_utils", "gato_jax/sharding.py")],
)
def test_one_owner(module, owner):
    users = {
        str(path.relative_to(PACKAGES["gato_jax"].parent))
        for path in sources("gato_jax")
        if any(name == module or name.startswith(module + ".") for name in imported_modules(path))
    }
    assert users <= {owner}


def test_only_sharding_builds_a_mesh():
    """Others may name the type of a mesh; none calls its constructors, nor a spec that names its axes."""
    builders = {"make_mesh", "Mesh", "AbstractMesh", "PartitionSpec"}

    def calls(path: pathlib.Path) -> set[str]:
        functions = (node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call))
        return {ast.unparse(function).split(".")[-1] for function in functions if not is_ours(function)}

    def is_ours(function: ast.expr) -> bool:
        return ast.unparse(function).startswith("sharding.")

    users = {
        str(path.relative_to(PACKAGES["gato_jax"].parent)) for path in sources("gato_jax") if calls(path) & builders
    }
    assert users == {"gato_jax/sharding.py"}


@pytest.mark.parametrize(
    "module",
    [
        "gato_jax.agent.policy",
        "gato_jax.agent.generate",
        "gato_jax.evaluation.rollouts",
        "gato_jax.training.checkpoints.checkpoint",
        "gato_jax.weights.load",
        "data_pipelines.tokenizers.timestep",
        "data_pipelines.suites.catalog",
        "gato_jax.cli",
    ],
)
def test_acting_needs_no_tensorflow(module):
    """What runs on a robot imports no TensorFlow; and a renderer could not share a process with it."""
    code = f"import sys, {module}; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_command_line_starts_without_jax():
    code = "import sys, gato_jax.cli; sys.exit(bool({'jax', 'tensorflow', 'dm_control'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
