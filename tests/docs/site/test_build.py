import pathlib

import pytest

ROOT = pathlib.Path(__file__).parents[3]
pytestmark = pytest.mark.skipif(
    not (ROOT / "docs").exists(), reason="tests docs/, which an installed wheel does not have"
)


def test_links_are_turned_to_where_pages_are_on_the_site():
    from docs.site.build import with_links

    text = "[fields](docs/reference.md#fields) ![report](docs/images/report.png) [JAX](https://x.y) [LICENSE](LICENSE)"
    expected = "[fields](reference.md#fields) ![report](images/report.png) [JAX](https://x.y) LICENSE"
    assert with_links(text, "README.md") == expected
    schema = "[the schema](../data_pipelines/schema.py), [study](../experiments/results/local_domains/README.md)"
    expected = "the schema (`data_pipelines/schema.py`), [study](results/local_domains.md)"
    assert with_links(schema, "docs/tokens.md") == expected


def test_a_link_to_nothing_is_an_error():
    from docs.site.build import with_links

    with pytest.raises(FileNotFoundError, match=r"docs/tokens.md: the link nowhere.md leads to docs/nowhere.md"):
        with_links("[x](nowhere.md)", "docs/tokens.md")


def test_all_pages_can_be_written(tmp_path):
    """Each link of each page leads to a file."""
    from docs.site.build import write_pages

    write_pages(tmp_path / "docs")
    pages = {path.name for path in (ROOT / "docs").glob("*.md")} | {"index.md", "contributing.md", "changelog.md"}
    assert {path.name for path in (tmp_path / "docs").glob("*.md")} == pages
