"""The house has rooms and floors, and some rooms have walls: docs/design.md draws them, this file keeps them.

A room is a file or a folder directly in a folder. Rooms import only from rooms on floors below, so no circle of rooms
exists at any level. Imports inside functions count. Two kinds do not: those under `TYPE_CHECKING`, and those of a face,
an `__init__.py` that only hands names on.
"""

import ast
import collections
import functools
import graphlib
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
FLOORS = {
    "data_pipelines": (
        {
            "atomic_files",
            "config_json",
            "differences",
            "errors",
            "html_page",
            "parent_process",
            "ranges",
            "read_json",
            "stderr_lines",
            "vocabulary",
            "words",
        },
        {"schema", "spec", "startup"},
        {"mixtures", "scores", "storage", "tokenizers"},
        {"suites"},
        {"config", "recording", "sequences"},
        {"fingerprint", "importing"},
        {"seqio_tasks"},
        {"stream"},
        {"caching", "registration", "reports", "text_model"},
    ),
    "gato_jax": (
        {"chips", "config", "interrupts", "platform"},
        {"sharding"},
        {"model"},
        {"training"},
        {"planning", "weights"},
        {"agent"},
        {"evaluation", "serving"},
        {"api", "export", "quickstart", "studies"},
        {"cli"},
    ),
}
"""From the ground up, as docs/design.md draws them."""
FILES = 20
"""A folder holds no more files of its own."""
LINES = 60
"""A function of the training loop's room has fewer lines, its docstring aside."""

COPIED = PACKAGES["gato_jax"] / "export" / "huggingface"
"""Files that are copied beside exported weights: they import each other, where they will stand."""


def sources(package: str) -> list[pathlib.Path]:
    return sorted(PACKAGES[package].rglob("*.py"))


def module_of(path: pathlib.Path) -> str:
    """`.../gato_jax/model/gato.py` -> "gato_jax.model.gato"; a package's code is its `__init__`."""
    (root,) = (folder.parent for folder in PACKAGES.values() if path.is_relative_to(folder))
    return ".".join(path.relative_to(root).with_suffix("").parts)


MODULES = {module_of(path): path for package in PACKAGES for path in sources(package)}


def is_face(tree: ast.Module) -> bool:
    """Whether a file only hands names on."""

    def hands_on(node: ast.stmt) -> bool:
        if isinstance(node, ast.Assign):
            return [ast.unparse(target) for target in node.targets] == ["__all__"]
        is_text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        return is_text or isinstance(node, (ast.Import, ast.ImportFrom))

    return all(hands_on(node) for node in tree.body)


@functools.cache
def imported_modules(path: pathlib.Path) -> set[str]:
    """Every module that a file imports when it runs, at any depth of its code, by full name."""
    names: set[str] = set()
    pending: list[ast.AST] = [ast.parse(path.read_text(), str(path))]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test).split(".")[-1] == "TYPE_CHECKING":
            pending.extend(node.orelse)
            continue
        pending.extend(ast.iter_child_nodes(node))
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level and path.parent == COPIED:
                continue
            assert node.level == 0, f"{path}: write absolute imports, so that floors can be read"
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


@functools.cache
def arrows() -> list[tuple[str, str]]:
    """(module, module that it imports), of ours."""
    pairs = []
    for module, path in MODULES.items():
        if path.name == "__init__.py" and is_face(ast.parse(path.read_text())):
            continue
        for name in imported_modules(path):
            target = name if name in MODULES else f"{name}.__init__"
            if target in MODULES and target != module:
                pairs.append((module, target))
    return pairs


def rooms(module: str, other: str) -> tuple[str, str, str] | None:
    """(folder, room of `module`, room of `other`) where their paths part; None for a folder and what is in it."""
    one, two = module.split("."), other.split(".")
    depth = next((i for i, (a, b) in enumerate(zip(one, two)) if a != b), min(len(one), len(two)))
    if "__init__" in (one[depth], two[depth]):
        return None
    return ".".join(one[:depth]), one[depth], two[depth]


def test_the_house_has_no_circles():
    graphs: dict[str, dict[str, set[str]]] = collections.defaultdict(lambda: collections.defaultdict(set))
    for module, other in arrows():
        if parting := rooms(module, other):
            folder, entry, below = parting
            graphs[folder][entry].add(below)
    assert {"data_pipelines", "gato_jax", "gato_jax.training", "data_pipelines.tokenizers"} <= graphs.keys()
    for folder, graph in graphs.items():
        try:
            graphlib.TopologicalSorter(graph).prepare()
        except graphlib.CycleError as error:
            pytest.fail(f"{folder}: circle of rooms {' <- '.join(error.args[1])}")


@pytest.mark.parametrize("package", sorted(FLOORS))
def test_arrows_run_down(package):
    floor = {entry: number for number, of in enumerate(FLOORS[package]) for entry in of}
    there = {
        path.stem for path in PACKAGES[package].iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    assert there - {"__init__"} == set(floor), "a new room stands in FLOORS and in docs/design.md"
    up = [
        f"{module} (floor {floor[entry]}) imports {other} (floor {floor[below]})"
        for module, other in arrows()
        if (parting := rooms(module, other)) and parting[0] == package
        for _, entry, below in [parting]
        if floor[entry] <= floor[below]
    ]
    assert not up, up


@pytest.mark.parametrize("package", sorted(FORBIDDEN))
def test_no_import_of_what_is_above(package):
    assert sources(package)
    upward = [
        f"{path.relative_to(PACKAGES[package].parent)} imports {name}"
        for path in sources(package)
        for name in imported_modules(path)
        if name.split(".")[0] in FORBIDDEN[package]
    ]
    assert not upward, upward


def test_no_folder_is_crowded():
    root = PACKAGES["gato_jax"].parent
    for package in (*PACKAGES, "experiments"):
        for folder in [root / package, *(path for path in (root / package).rglob("*") if path.is_dir())]:
            # Results are data: a JSON file for each task.
            files = [path for path in folder.iterdir() if path.is_file() and path.suffix not in (".pyc", ".json")]
            assert len(files) <= FILES, f"{folder.relative_to(root)} holds {len(files)} files"


def test_formats_never_import_what_uses_them():
    """`export/formats` and `export/common` know nothing of the files above them."""
    for module, other in arrows():
        if module.startswith(("gato_jax.export.formats.", "gato_jax.export.common.")):
            allowed = ("gato_jax.export.formats.", "gato_jax.export.common.")
            assert not other.startswith("gato_jax.export.") or other.startswith(allowed), (module, other)


def test_functions_of_training_are_short():
    for path in (PACKAGES["gato_jax"] / "training").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                docstring = node.body[0] if ast.get_docstring(node) else None
                told = docstring.end_lineno - docstring.lineno + 1 if docstring else 0
                lines = node.end_lineno - node.lineno + 1 - told
                assert lines < LINES, f"{path.name}: {node.name} has {lines} lines"


def test_files_beside_exported_weights_import_nothing_of_ours():
    foreign = {name.split(".")[0] for path in COPIED.glob("*.py") for name in imported_modules(path)}
    assert "torch" in foreign
    assert not foreign & {"gato_jax", "data_pipelines", "experiments", "jax", "flax", "tensorflow", "jaxtyping"}


@pytest.mark.parametrize(
    ("module", "owner"),
    [
        ("orbax", "gato_jax/training/checkpoints/orbax_files.py"),
        ("jax.experimental.mesh_utils", "gato_jax/sharding.py"),
    ],
)
def test_one_owner(module, owner):
    users = {
        str(path.relative_to(PACKAGES["gato_jax"].parent))
        for path in sources("gato_jax")
        if any(name == module or name.startswith(module + ".") for name in imported_modules(path))
    }
    assert users == {owner}


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


def loaded_by(modules: list[str]) -> set[str]:
    """Top-level packages that importing these modules loads, in a fresh process."""
    code = f"import sys, {', '.join(modules)}; print(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def in_room(*names: str) -> list[str]:
    return [module.removesuffix(".__init__") for module in MODULES if module.startswith(tuple(f"{n}." for n in names))]


def test_settings_load_no_jax():
    assert not {"jax", "tensorflow", "flax"} & loaded_by(in_room("gato_jax.config"))


def test_acting_loads_no_tensorflow():
    """What runs on a robot imports no TensorFlow; and a renderer, as evaluation has, could not share its process."""
    rooms_that_act = in_room("gato_jax.agent", "gato_jax.weights", "gato_jax.model", "gato_jax.training")
    acting = ("rollouts", "evaluate", "report.report", "play", "worker", "prompts", "baselines")
    more = [f"gato_jax.evaluation.{name}" for name in acting]
    more += ["data_pipelines.tokenizers.timestep", "data_pipelines.suites.catalog"]
    assert "tensorflow" not in loaded_by([*rooms_that_act, *more])


def test_the_command_line_starts_light():
    assert not {"jax", "tensorflow", "dm_control"} & loaded_by(["gato_jax.cli"])
