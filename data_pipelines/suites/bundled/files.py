"""Where packages of an operating system put what tasks are made from."""

from collections.abc import Sequence
from pathlib import Path

EMOJI_FONT = (
    "/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf",  # Debian, Ubuntu
    "/usr/share/fonts/noto/NotoColorEmoji.ttf",  # Arch
    "/usr/share/fonts/google-noto-emoji-fonts/NotoColorEmoji.ttf",  # Fedora
    "/usr/share/fonts/google-noto-color-emoji-fonts/NotoColorEmoji.ttf",
)
STAMPS = ("/usr/share/tuxpaint/stamps",)
WORDNET = ("/usr/share/wordnet", "/usr/share/wordnet/dict")
PYTHON_MANUAL = tuple(f"/usr/share/doc/python3{minor}/html/_sources" for minor in ("", ".13", ".12", ".11"))


def find(places: Sequence[str]) -> Path:
    """The first place that exists. Raises `FileNotFoundError` naming them all."""
    for place in places:
        if Path(place).exists():
            return Path(place)
    raise FileNotFoundError(f"expected one of {', '.join(places)}, found none")
