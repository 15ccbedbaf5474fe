"""Pictures as they are stored: decoded once to see that they are whole, brought to a size, encoded. No TensorFlow."""

import dataclasses
import enum
import io
from pathlib import Path

from PIL import Image, ImageOps

from data_pipelines.importing.common.pictures import PictureError, decode, opaque, resized
from data_pipelines.importing.vision_language.items import Picture
from data_pipelines.schema import PATCH_SIDE
from data_pipelines.tokenizers.images import grid


class Fit(enum.Enum):
    """How a picture is brought to `PictureConfig.size`.

    LONG and SHORT keep the aspect and bound that side; pictures that are smaller stay as they are. CROP cuts the middle
    square, STRETCH does not keep the aspect: both give squares of exactly that size.
    """

    LONG = "long"
    SHORT = "short"
    CROP = "crop"
    STRETCH = "stretch"


class Encoding(enum.Enum):
    """How pictures are stored."""

    JPEG = "jpeg"
    PNG = "png"


# The command line has an option for each field; the texts here are its help.
@dataclasses.dataclass(frozen=True)
class PictureConfig:
    """How pictures are stored. The paper gives no size; with these five pictures and their texts fit 1,024 places.

    Args:
      size: pixels of the side that `fit` names, a multiple of 16.
      fit: long or short side, aspect kept; crop to a square; stretch to a square. Sides become whole patches.
      encoding: of the stored pictures. A JPEG or PNG file that has the wanted size already is stored as it is.
      quality: of JPEG, 1 to 95.
      max_patches: pictures that still have more 16x16 patches are left out, and counted.
      min_side: pictures with a side of fewer pixels are left out, and counted: icons and tracking pixels of web pages.
    """

    size: int = 224
    fit: Fit = Fit.LONG
    encoding: Encoding = Encoding.JPEG
    quality: int = 90
    max_patches: int = 512
    min_side: int = 1

    def __post_init__(self):
        if self.size < PATCH_SIDE or self.size % PATCH_SIDE:
            raise ValueError(f"pictures.size must be a positive multiple of {PATCH_SIDE}, found {self.size}")
        if not 1 <= self.quality <= 95:
            raise ValueError(f"pictures.quality must lie in [1, 95], found {self.quality}")
        for name in ("max_patches", "min_side"):
            if getattr(self, name) < 1:
                raise ValueError(f"pictures.{name} must be positive, found {getattr(self, name)}")
        if self.fit in (Fit.CROP, Fit.STRETCH) and self.max_patches < (self.size // PATCH_SIDE) ** 2:
            raise ValueError(
                f"pictures.max_patches = {self.max_patches} leaves out every square of {self.size} pixels, which has "
                f"{(self.size // PATCH_SIDE) ** 2} patches"
            )


@dataclasses.dataclass(frozen=True)
class StoredPicture:
    """An encoded RGB picture and its size in pixels."""

    data: bytes
    height: int
    width: int

    @property
    def patches(self) -> int:
        """16x16 patches it is cut into."""
        rows, columns = grid(self.height, self.width)
        return rows * columns


def store(picture: Picture, config: PictureConfig) -> StoredPicture:
    """Decodes one picture, puts it on white where it is transparent, resizes and encodes it.

    Raises:
      PictureError: missing file, broken or unknown data, too small, or more than `max_patches`.
    """
    decoded = decode(_read(picture) if isinstance(picture, Path) else picture)
    image = opaque(decoded.image).convert("RGB")
    if min(image.size) < config.min_side:
        raise PictureError(f"picture has a side under {config.min_side} pixels")
    width, height = stored_size(*image.size, config)
    rows, columns = grid(height, width)
    if rows * columns > config.max_patches:
        raise PictureError(f"picture has more than {config.max_patches} patches")
    if (width, height) == image.size and decoded.plain and decoded.image.mode == "RGB":
        return StoredPicture(decoded.data, height, width)
    if config.fit is Fit.CROP:
        image = ImageOps.fit(image, (width, height), Image.Resampling.BICUBIC)
    elif (width, height) != image.size:
        image = resized(image, height, width)
    buffer = io.BytesIO()
    options = {"quality": config.quality} if config.encoding is Encoding.JPEG else {}
    image.save(buffer, config.encoding.value, **options)
    return StoredPicture(buffer.getvalue(), height, width)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise PictureError("picture file is missing") from None
    except (PermissionError, IsADirectoryError) as error:
        raise PictureError(f"picture file cannot be read ({type(error).__name__})") from error


def stored_size(width: int, height: int, config: PictureConfig) -> tuple[int, int]:
    """Width and height in pixels, multiples of 16, that a picture is stored with."""
    if config.fit in (Fit.CROP, Fit.STRETCH):
        return config.size, config.size
    side = max(width, height) if config.fit is Fit.LONG else min(width, height)
    scale = min(1.0, config.size / side)

    def whole(pixels: int) -> int:
        return max(PATCH_SIDE, round(pixels * scale / PATCH_SIDE) * PATCH_SIDE)

    return whole(width), whole(height)
