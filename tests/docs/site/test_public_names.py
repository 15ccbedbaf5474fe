import pathlib

import pytest

ROOT = pathlib.Path(__file__).parents[3]
pytestmark = pytest.mark.skipif(
    not (ROOT / "docs").exists(), reason="tests docs/, which an installed wheel does not have"
)


def package(root: pathlib.Path, names: list[str]) -> pathlib.Path:
    (root / "box").mkdir()
    listing = "Kinds:\n  Red   a colour\n  Blue  another\n\nIt ends here."
    (root / "box" / "__init__.py").write_text(f'"""Colours.\n\n{listing}\n"""\n\n__all__ = {names}\n')
    return root


def test_each_name_stands_under_its_heading(tmp_path):
    from docs.site.public_names import api_page

    expected = "# box\n\nColours.\n\n## Kinds\n\n::: box.Red\n\n::: box.Blue\n\n\nIt ends here."
    assert api_page(package(tmp_path, ["Blue", "Red"]), "box") == expected


def test_a_name_that_the_docstring_lacks_is_named(tmp_path):
    from docs.site.public_names import api_page

    with pytest.raises(ValueError, match=r"box: .*'Green'"):
        api_page(package(tmp_path, ["Blue", "Green", "Red"]), "box")


@pytest.mark.parametrize("name", ["gato_jax", "data_pipelines"])
def test_ours_are_whole(name):
    from docs.site.public_names import api_page

    assert f"::: {name}." in api_page(ROOT, name)
