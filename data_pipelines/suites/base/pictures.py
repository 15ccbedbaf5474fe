"""Pictures of simulators in the size that is asked for."""

import numpy as np
from jaxtyping import UInt8
from PIL import Image


def resized(picture: UInt8[np.ndarray, "H W 3"], size: tuple[int, int]) -> UInt8[np.ndarray, "height width 3"]:
    """The picture at another height and width, where each pixel is the mean of those that it covers.

    It is a copy always: a simulator may draw the next picture into the same memory.
    """
    if picture.shape[:2] == size:
        return picture.copy()
    height, width = size
    return np.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling.BOX))
