"""An Excel workbook as a spreadsheet program would read it, for tests of exports.

Belongs here: the XML inside the file. Reading it ourselves tells a formula from a text, which is what the
tests are about.
"""

from __future__ import annotations

import io
import zipfile
from xml.etree import ElementTree

SHEET = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


class Workbook:
    """What a spreadsheet program would find in the file."""

    def __init__(self, content: bytes) -> None:
        self._files = zipfile.ZipFile(io.BytesIO(content))
        self._texts = ["".join(item.itertext()) for item in self._xml("xl/sharedStrings.xml")]
        styles = self._xml("xl/styles.xml")
        numbers = {
            number.get("numFmtId"): number.get("formatCode") for number in styles.iter(f"{SHEET}numFmt")
        }
        cells = styles.find(f"{SHEET}cellXfs")
        self._formats = [numbers.get(cell.get("numFmtId"), cell.get("numFmtId")) for cell in cells]

    def _xml(self, name: str) -> ElementTree.Element:
        return ElementTree.fromstring(self._files.read(name))

    def names(self) -> list[str]:
        return [sheet.get("name") for sheet in self._xml("xl/workbook.xml").iter(f"{SHEET}sheet")]

    def rows(self, sheet: int) -> list[list[object]]:
        """Cells as texts, numbers and truth values; None where there is none."""
        found = []
        for row in self._xml(f"xl/worksheets/sheet{sheet}.xml").iter(f"{SHEET}row"):
            cells = {}
            for cell in row:
                column = "".join(filter(str.isalpha, cell.get("r")))
                assert cell.find(f"{SHEET}f") is None, "a formula"
                value = cell.find(f"{SHEET}v")
                if value is not None:
                    cells[column] = self._value(cell.get("t"), value.text)
            found.append([cells.get(chr(ord("A") + index)) for index in range(9)])
        return found

    def _value(self, kind: str | None, text: str) -> object:
        match kind:
            case "s":
                return self._texts[int(text)].replace("_x000D_", "\r")  # as the format writes it
            case "b":
                return text == "1"
            case _:
                return float(text)

    def column_formats(self) -> list[str]:
        columns = self._xml("xl/worksheets/sheet1.xml").iter(f"{SHEET}col")
        formats = []
        for column in columns:
            span = int(column.get("max")) - int(column.get("min")) + 1
            formats += [self._formats[int(column.get("style", 0))]] * span
        return formats

    def cell_format(self, reference: str) -> str:
        cells = self._xml("xl/worksheets/sheet1.xml").iter(f"{SHEET}c")
        (cell,) = [cell for cell in cells if cell.get("r") == reference]
        return self._formats[int(cell.get("s", 0))]

    def frozen_rows(self) -> str | None:
        pane = self._xml("xl/worksheets/sheet1.xml").find(f".//{SHEET}pane")
        return None if pane is None or pane.get("state") != "frozen" else pane.get("ySplit")
