"""A picture whose four quarters differ, so that each of the eight ways to turn and mirror it is seen."""

import itertools

import numpy as np

COLOURS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255), "white": (255, 255, 255)}
UPRIGHT = (("red", "green"), ("blue", "white"))
WIDTH, HEIGHT = 64, 48

EXIF = {
    1: ("top", "left"),
    2: ("top", "right"),
    3: ("bottom", "right"),
    4: ("bottom", "left"),
    5: ("left", "top"),
    6: ("right", "top"),
    7: ("right", "bottom"),
    8: ("left", "bottom"),
}
"""The side of the upright picture at which the first stored row, and the first stored column, belongs (EXIF 2.3)."""

MATRICES = [
    (a, b, c, d)
    for a, b, c, d in itertools.product((-1, 0, 1), repeat=4)
    if abs(a * d - b * c) == abs(a) + abs(b) == abs(c) + abs(d) == 1
]
"""All turns by quarters and their mirror images: (x, y) of a pixel is shown at (a x + c y, b x + d y)."""


def picture():
    """uint8 [HEIGHT, WIDTH, 3] as it is stored: `UPRIGHT`."""
    return np.kron(
        [[COLOURS[name] for name in row] for row in UPRIGHT], np.ones((HEIGHT // 2, WIDTH // 2, 1))
    ).astype(np.uint8)


def layout(frame):
    """Names of the colours of the quarters of a frame [height, width, 3] of any size."""
    height, width = frame.shape[:2]
    rows = (slice(height // 8, 3 * height // 8), slice(5 * height // 8, 7 * height // 8))
    columns = (slice(width // 8, 3 * width // 8), slice(5 * width // 8, 7 * width // 8))
    means = [[frame[row, column].mean(axis=(0, 1)) for column in columns] for row in rows]
    return tuple(
        tuple(min(COLOURS, key=lambda name: np.abs(mean - COLOURS[name]).sum()) for mean in row) for row in means
    )


def turned(matrix):
    """Where the stored quarters are shown under a matrix of `MATRICES`."""
    a, b, c, d = matrix
    shown = [[None, None], [None, None]]
    for row, column in np.ndindex(2, 2):
        x, y = 2 * column - 1, 2 * row - 1
        shown[(b * x + d * y + 1) // 2][(a * x + c * y + 1) // 2] = UPRIGHT[row][column]
    return tuple(map(tuple, shown))


def by_exif(orientation):
    """Where the stored quarters are shown under an EXIF orientation."""
    opposite = {"top": "bottom", "bottom": "top", "left": "right", "right": "left"}
    first_row, first_column = EXIF[orientation]
    shown = [[None, None], [None, None]]
    for row, column in np.ndindex(2, 2):
        sides = {opposite[first_row] if row else first_row, opposite[first_column] if column else first_column}
        shown["bottom" in sides]["right" in sides] = UPRIGHT[row][column]
    return tuple(map(tuple, shown))
