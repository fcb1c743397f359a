"""Where data live: every source of rows speaks the protocol of :class:`Rows`."""

from logreg.rows.base import Rows
from logreg.rows.memory import MemoryRows
from logreg.rows.selectable import SelectableRows
from logreg.rows.versions import VersionedRows, Versions

__all__ = ["MemoryRows", "Rows", "SelectableRows", "VersionedRows", "Versions"]
