"""Links of a built site that lead nowhere."""

import html.parser
import pathlib
import urllib.parse


class _Page(html.parser.HTMLParser):
    """The links of a page and what a link can lead to in it; what it loads from elsewhere."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.loads: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.anchors |= {values[key] for key in ("id", "name") if values.get(key)}
        if tag == "a" and values.get("href"):
            self.links.append(values["href"])
        style_sheet = values.get("href") if tag == "link" and values.get("rel") == "stylesheet" else None
        if loaded := values.get("src") or style_sheet:
            self.loads.append(loaded)


def broken_links(site: pathlib.Path) -> list[str]:
    """One line for each link, picture, script or style sheet of the pages under `site` that is not there.

    Links to other sites are not followed. What a page would load from another site is broken: this one works offline.
    """
    pages = {path.resolve(): _Page(path.read_text(encoding="utf-8")) for path in sorted(site.rglob("*.html"))}
    broken = []
    for path, page in pages.items():
        if path.name == "404.html":  # Its links begin at the root of the server.
            continue
        for target in [*page.links, *page.loads]:
            parts = urllib.parse.urlsplit(target)
            if parts.scheme or parts.netloc:
                if target in page.loads and parts.scheme != "data":
                    broken.append(f"{path.relative_to(site.resolve())}: loads {target}")
                continue
            to = (path.parent / urllib.parse.unquote(parts.path)).resolve() if parts.path else path
            to = to / "index.html" if to.is_dir() else to
            anchor = urllib.parse.unquote(parts.fragment)
            if not to.exists() or (anchor and to in pages and anchor not in pages[to].anchors):
                broken.append(f"{path.relative_to(site.resolve())}: {target}")
    return broken
