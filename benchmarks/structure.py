"""Figures of the house's structure: `python -m benchmarks.structure [COMMIT ...] [--json]`.

For the working tree, and for each commit that is named, read from its source text alone:

    files        files in the fullest folder, and how many folders hold more than 20
    rooms        files and folders directly in each package, and the arrows of imports between them
    circles      groups of rooms that import each other, at any level
    longest      file and function, in lines
"""

import argparse
import ast
import collections
import io
import json
import pathlib
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator

ROOT = pathlib.Path(__file__).resolve().parents[1]
PACKAGES = ("data_pipelines", "gato_jax", "experiments")
CROWDED = 20

Arrows = dict[str, dict[str, set[str]]]
"""Folder -> room directly in it -> rooms there that it imports."""


def imports(tree: ast.AST) -> Iterator[tuple[str, str | None]]:
    """(module, name taken from it or None) of every import at any depth, but for those under TYPE_CHECKING."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            yield from ((node.module, alias.name) for alias in node.names)
        yield from imports(node)


def is_face(tree: ast.Module) -> bool:
    """Whether a file only hands names on."""
    texts = (ast.Expr, ast.Import, ast.ImportFrom)
    return all(isinstance(node, texts) or "__all__" in ast.unparse(node).partition("=")[0] for node in tree.body)


def arrows(sources: dict[str, ast.Module]) -> Arrows:
    """Arrows between the rooms of every folder."""
    graph: Arrows = collections.defaultdict(lambda: collections.defaultdict(set))
    for module, tree in sources.items():
        if module.endswith(".__init__") and is_face(tree):
            continue
        for name, taken in imports(tree):
            names = [f"{name}.{taken}", f"{name}.{taken}.__init__", name, f"{name}.__init__"]
            target = next((one for one in names if one in sources), None)
            if target is None or target == module:
                continue
            here, there = module.split("."), target.split(".")
            depth = next(i for i, (a, b) in enumerate(zip([*here, ""], [*there, ""])) if a != b)
            if depth < min(len(here), len(there)) and "__init__" not in (here[depth], there[depth]):
                graph[".".join(here[:depth])][here[depth]].add(there[depth])
    return graph


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Groups of rooms, each of which can be reached from every other one."""

    def reached(node: str) -> set[str]:
        visited: set[str] = set()
        pending = [node]
        while pending:
            new = graph.get(pending.pop(), set()) - visited
            visited |= new
            pending.extend(new)
        return visited

    reach = {node: reached(node) for node in graph}
    groups = {frozenset(o for o in reach if o in reach[node] and node in reach[o]) for node in reach}
    return [sorted(group) for group in groups if len(group) > 1]


def named(longest: tuple[int, str]) -> dict[str, int]:
    return {longest[1]: longest[0]}


def figures(root: pathlib.Path) -> dict:
    """The figures of the tree in `root`."""
    paths = sorted(path for package in PACKAGES for path in (root / package).rglob("*.py"))
    sources = {".".join(p.relative_to(root).with_suffix("").parts): ast.parse(p.read_text()) for p in paths}
    graphs = arrows(sources)
    folders = collections.Counter(str(path.parent.relative_to(root)) for path in paths)
    functions = [
        (node.end_lineno - node.lineno + 1, f"{module}.{node.name}")
        for module, tree in sources.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and node.end_lineno
    ]
    files = [(len(path.read_text().splitlines()), str(path.relative_to(root))) for path in paths]
    inside = {package: graphs[package] for package in PACKAGES[:2]}
    return {
        "files": len(paths),
        "lines": sum(count for count, _ in files),
        "fullest_folder": dict(folders.most_common(1)),
        "folders_over_20_files": sum(count > CROWDED for count in folders.values()),
        "rooms": {
            package: len({*graph, *(r for of in graph.values() for r in of)}) for package, graph in inside.items()
        },
        "arrows": {package: sum(map(len, graph.values())) for package, graph in inside.items()},
        "circles": [f"{folder}: {' '.join(group)}" for folder, graph in graphs.items() for group in circles(graph)],
        "longest_file": named(max(files)),
        "longest_function": named(max(functions)),
        "longest_function_of_training": named(max(one for one in functions if one[1].startswith("gato_jax.training"))),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("commits", nargs="*")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    by_commit = {}
    for commit in arguments.commits:
        archive = subprocess.run(
            ["git", "archive", commit, *PACKAGES], cwd=ROOT, capture_output=True, check=True
        ).stdout
        with tempfile.TemporaryDirectory() as folder, tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            tar.extractall(folder, filter="data")
            by_commit[commit] = figures(pathlib.Path(folder))
    by_commit["working tree"] = figures(ROOT)
    if arguments.json:
        print(json.dumps(by_commit, indent=2))
        return
    for key in by_commit["working tree"]:
        print(key)
        for name, values in by_commit.items():
            print(f"  {name:>14}  {values[key]}")


if __name__ == "__main__":
    main()
