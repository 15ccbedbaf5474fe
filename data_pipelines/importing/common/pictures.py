"""Pictures brought to a size."""

from PIL import Image


def resized(image: Image.Image, height: int, width: int) -> Image.Image:
    """The whole picture scaled to that size, whatever its aspect; bicubic, antialiased where it shrinks."""
    return image.resize((width, height), Image.Resampling.BICUBIC)
