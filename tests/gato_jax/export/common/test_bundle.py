"""The copied tokenizers import each other and nothing else of ours."""

import ast

import pytest

from gato_jax.export.common import bundle


@pytest.mark.parametrize("module", bundle.TOKENIZERS)
def test_a_copy_imports_its_neighbours_only(module):
    nodes = [node for node in ast.walk(ast.parse(bundle.standalone(module))) if isinstance(node, ast.ImportFrom)]
    relative = [node for node in nodes if node.level]
    imported = {node.module for node in relative if node.module}
    imported |= {alias.name for node in relative if not node.module for alias in node.names}
    assert imported <= set(bundle.TOKENIZERS.values())
    assert not {"data_pipelines", "gato_jax", "jaxtyping"} & {(node.module or "").split(".")[0] for node in nodes}


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("data_pipelines.tokenizers.discrete", "data_pipelines.spec"),
        ("data_pipelines.tokenizers.timestep", "data_pipelines.tokenizers.checks"),  # by `from package import module`
    ],
)
def test_an_import_that_is_not_copied_is_refused(monkeypatch, module, absent):
    monkeypatch.delitem(bundle.TOKENIZERS, absent)
    with pytest.raises(ValueError, match=f"{module} imports what is not copied"):
        bundle.standalone(module)
