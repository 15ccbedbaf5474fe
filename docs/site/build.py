"""Builds the documentation site: `pip install -c constraints.txt -e ".[docs]"`, then `python docs/site/build.py`.

The pages are those of docs/, which also read well as plain files. Here README.md becomes the front page, each public
name gets its place in the API reference, and links to code become its path. The site needs no network, neither to
build nor to read. A link or an anchor that leads nowhere is an error.
"""

import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT))

from docs.site.links import broken_links  # noqa: E402
from docs.site.public_names import api_page  # noqa: E402

# Pages that lie elsewhere in the repository: where, and where on the site.
MOVED = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "experiments/results/local_domains/README.md": "results/local_domains.md",
}
LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)")


def site_path(path: str) -> str | None:
    """Where the file at `path`, from the root of the repository, is on the site; None where it is not on it."""
    if path in MOVED:
        return MOVED[path]
    return path.removeprefix("docs/") if path.startswith("docs/") and path.endswith((".md", ".png", ".gif")) else None


def with_links(text: str, source: str) -> str:
    """The page `source`, its links from where it is on the site. A link to what is not there is its text alone."""
    here = os.path.dirname(site_path(source) or "")

    def replaced(match: re.Match) -> str:
        picture, words, target = match.groups()
        if target.startswith(("http:", "https:", "#", "mailto:")):
            return match.group(0)
        path, _, anchor = target.partition("#")
        path = os.path.normpath(os.path.join(os.path.dirname(source), path))
        if not (ROOT / path).exists():
            raise FileNotFoundError(f"{source}: the link {target} leads to {path}, which does not exist")
        if (to := site_path(path)) is None:
            return f"{words} (`{path}`)" if path not in words else words
        return f"{picture}[{words}]({os.path.relpath(to, here or '.')}{'#' + anchor if anchor else ''})"

    return LINK.sub(replaced, text)


def write_pages(to: pathlib.Path) -> None:
    """All pages and pictures of the site, in `to`."""
    sources = [*MOVED, *(str(page.relative_to(ROOT)) for page in sorted((ROOT / "docs").glob("*.md")))]
    for source in sources:
        page = to / str(site_path(source))
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(with_links((ROOT / source).read_text(encoding="utf-8"), source), encoding="utf-8")
    shutil.copytree(ROOT / "docs" / "images", to / "images")
    (to / "api").mkdir()
    for package in ("gato_jax", "data_pipelines"):
        (to / "api" / f"{package}.md").write_text(api_page(ROOT, package), encoding="utf-8")


def build(to: pathlib.Path) -> None:
    """The site in the directory `to`, which is replaced."""
    with tempfile.TemporaryDirectory() as directory:
        room = pathlib.Path(directory)
        write_pages(room / "docs")
        config = (HERE / "zensical.toml").read_text(encoding="utf-8")
        (room / "zensical.toml").write_text(config.replace("@ROOT@", str(ROOT)), encoding="utf-8")
        subprocess.run(["zensical", "build", "--clean", "--strict"], cwd=room, check=True)
        if broken := broken_links(room / "site"):
            sys.exit("links that lead nowhere:\n" + "\n".join(broken))
        shutil.rmtree(to, ignore_errors=True)
        shutil.copytree(room / "site", to)
    print(f"{to}/index.html: {len(list(to.rglob('*.html')))} pages")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--to", type=pathlib.Path, default=ROOT / "build" / "site", help="default: build/site")
    build(parser.parse_args().to)
