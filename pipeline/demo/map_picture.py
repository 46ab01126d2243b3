"""The three regions as characters: each in a tint of its own, people as dots, those with an open red alert in red.

Where the terminal knows Unicode a cell holds 2 x 4 dots (Braille), so that people can be seen to move; elsewhere an `o` stands for
one or more of them. Without colours the regions are filled with a character each.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

import numpy as np
import shapely
from numpy.typing import NDArray
from rich.text import Text
from shapely.geometry.base import BaseGeometry

Floats = NDArray[np.float64]
Cells = NDArray[np.int64]
TINTS = ("on #14304f", "on #16402c", "on #473513")
FILLS = (".", ":", "'")
BRAILLE = 0x2800
DOTS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]])
"""Bit of the dot at row, column of a Braille cell."""
CELL_HEIGHT = 2.1
"""Height of a terminal's cell by its width, in most fonts."""
MARGIN = 0.02
NOWHERE = -1


@dataclass(frozen=True, slots=True)
class Look:
    """What the terminal can show, and the signs that follow from it."""

    colours: bool
    unicode: bool

    @property
    def breach(self) -> str:
        """Somebody with an open red alert."""
        return "●" if self.unicode else "#"

    @property
    def forbidden(self) -> str:
        """A place forbidden to a group or everybody."""
        return "▫" if self.unicode else "x"

    @property
    def person(self) -> str:
        """Ordinary people, in the legend."""
        return "⠌" if self.unicode else "o"


class _Canvas:
    """One picture being drawn: a character, a foreground style and a region (-1: none) for each cell."""

    def __init__(self, region: Cells, look: Look) -> None:
        self.region, self._look = region, look
        self.char = np.full(region.shape, " ", dtype="<U1")
        self.style = np.full(region.shape, "", dtype=object)
        if not look.colours:
            for i, fill in enumerate(FILLS):
                self.char[region == i] = fill

    def put(self, row: int, column: int, text: str, style: str) -> None:
        """A text, where it fits."""
        height, width = len(self.region), self.region.shape[1]
        for i, char in enumerate(text):
            if 0 <= row < height and 0 <= column + i < width:
                self.char[row, column + i], self.style[row, column + i] = char, style

    def lines(self) -> list[Text]:
        """A text a row."""
        return [self._line(row) for row in range(len(self.char))]

    def _line(self, row: int) -> Text:
        line = Text(no_wrap=True)
        cells = zip(self.char[row].tolist(), self.style[row].tolist(), self.region[row].tolist(), strict=True)
        for (style, region), run in groupby(cells, key=lambda cell: (cell[1], cell[2])):
            tint = TINTS[region] if region != NOWHERE and self._look.colours else ""
            line.append("".join(cell[0] for cell in run), f"{style} {tint}".strip())
        return line


class MapPicture:
    """Draws people on the regions (three of them, shapes in degrees). `forbidden`: degrees of forbidden places, (n, 2)."""

    def __init__(self, regions: dict[str, BaseGeometry], forbidden: Floats, look: Look) -> None:
        self._regions, self._forbidden, self._look = regions, forbidden, look
        west, south, east, north = shapely.total_bounds(list(regions.values()))
        margin = np.array([east - west, north - south]) * MARGIN
        self._low, self._high = np.array([west, south]) - margin, np.array([east, north]) + margin
        self._ground = np.zeros((0, 0), np.int64)

    def columns_for(self, height: int) -> int:
        """How many columns make the map as wide as it should be on `height` lines."""
        wide, high = self._high - self._low
        return round(height * CELL_HEIGHT * float(wide * np.cos(np.radians(self._low[1])) / high))

    def lines(self, width: int, height: int, place: Floats, in_breach: NDArray[np.bool_]) -> list[Text]:
        """The picture as `height` lines; `place` (n, 2) in degrees, NaN where a subject was not seen yet."""
        if self._ground.shape != (height, width):
            self._ground = self._region_of_cells(width, height)
        canvas = _Canvas(self._ground, self._look)
        seen = ~np.isnan(place[:, 0])
        self._draw_people(canvas, place[seen & ~in_breach])
        for column, row in self._cells(self._forbidden, width, height):
            canvas.put(row, column, self._look.forbidden, "yellow")
        for name, shape in self._regions.items():
            [(column, row)] = self._cells(shapely.get_coordinates(shape.representative_point()), width, height)
            canvas.put(row, column - len(name) // 2, name, "bold bright_cyan")
        for column, row in self._cells(place[seen & in_breach], width, height):
            canvas.put(row, column, self._look.breach, "bold bright_red")
        return canvas.lines()

    def _draw_people(self, canvas: _Canvas, place: Floats) -> None:
        height, width = canvas.region.shape
        if not self._look.unicode:
            for column, row in self._cells(place, width, height):
                canvas.put(row, column, "o", "bright_white")
            return
        dots = np.array(self._cells(place, width * 2, height * 4), np.int64).reshape(-1, 2)
        bits = np.zeros(canvas.char.shape, np.int64)
        np.bitwise_or.at(bits, (dots[:, 1] // 4, dots[:, 0] // 2), DOTS[dots[:, 1] % 4, dots[:, 0] % 2])
        rows, columns = np.nonzero(bits)
        for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
            canvas.put(row, column, chr(BRAILLE + int(bits[row, column])), "bright_white")

    def _cells(self, place: Floats, width: int, height: int) -> list[tuple[int, int]]:
        """Column and row of each place."""
        share = (place - self._low) / (self._high - self._low)
        columns = np.clip(share[:, 0] * width, 0, width - 1).astype(np.int64)
        rows = np.clip((1 - share[:, 1]) * height, 0, height - 1).astype(np.int64)
        return list(zip(columns.tolist(), rows.tolist(), strict=True))

    def _region_of_cells(self, width: int, height: int) -> Cells:
        """In which region the middle of each cell lies, (height, width); -1 for none."""
        x, y = np.meshgrid((np.arange(width) + 0.5) / width, 1 - (np.arange(height) + 0.5) / height)
        wide, high = self._high - self._low
        lon, lat = self._low[0] + x * wide, self._low[1] + y * high
        region = np.full((height, width), NOWHERE, np.int64)
        for i, shape in enumerate(self._regions.values()):
            shapely.prepare(shape)
            region[shapely.contains_xy(shape, lon, lat)] = i
        return region
