"""Where data live: every source of rows speaks the protocol of :class:`Rows`."""

from logreg.rows.base import Rows
from logreg.rows.cluster import ClusterRows
from logreg.rows.memory import MemoryRows
from logreg.rows.parts import Extent, PartedRows
from logreg.rows.selectable import SelectableRows
from logreg.rows.spool import Batch
from logreg.rows.streamed import StreamedRows
from logreg.rows.versions import VersionedRows, Versions

__all__ = [
    "Batch",
    "ClusterRows",
    "Extent",
    "MemoryRows",
    "PartedRows",
    "Rows",
    "SelectableRows",
    "StreamedRows",
    "VersionedRows",
    "Versions",
]
