"""Where data live: every source of rows speaks the protocol of :class:`Rows`."""

from logreg.rows.base import Rows
from logreg.rows.memory import MemoryRows

__all__ = ["MemoryRows", "Rows"]
