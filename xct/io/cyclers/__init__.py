"""Files of battery cyclers. In: what a cycler wrote or exported; out: time, voltage, current."""

from xct.io.cyclers.reading import read_cycler
from xct.io.cyclers.records import CyclerColumns, CyclerRecords

__all__ = ["CyclerColumns", "CyclerRecords", "read_cycler"]
