import pathlib

import pytest

pytestmark = pytest.mark.skipif(
    not (pathlib.Path(__file__).parents[3] / "docs").exists(),
    reason="tests docs/, which an installed wheel does not have",
)


def page(path: pathlib.Path, body: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"<html><body>{body}</body></html>")


def test_links_pictures_and_anchors_are_followed(tmp_path):
    from docs.site.links import broken_links

    links = '<a href="how/a.html#here">a</a> <a href="how/">how</a> <a href="#top">top</a> <p id="top">'
    page(tmp_path / "index.html", links)
    page(tmp_path / "how" / "a.html", '<h1 id="here">x</h1> <a href="../index.html">up</a> <img src="p.png">')
    page(tmp_path / "how" / "index.html", '<a href="https://example.org/">elsewhere</a>')
    (tmp_path / "how" / "p.png").touch()
    assert broken_links(tmp_path) == []


@pytest.mark.parametrize(
    "body", ['<a href="b.html">', '<a href="#nowhere">', '<a href="index.html#nowhere">', '<img src="p.png">',
             '<script src="https://cdn.example.org/x.js"></script>', '<link rel="stylesheet" href="https://example.org/x.css">']
)  # fmt: skip
def test_what_leads_nowhere_or_needs_the_network_is_named(tmp_path, body):
    from docs.site.links import broken_links

    page(tmp_path / "index.html", body)
    (line,) = broken_links(tmp_path)
    assert line.startswith("index.html: ")
    assert body.split('"')[-2] in line
