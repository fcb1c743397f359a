"""Batches as numbers in a temporary file, so that what was decoded once is not decoded in every pass.

The system keeps the file in memory that is free, and gives that up where it is needed for anything else.
"""

from __future__ import annotations

import math
import mmap
import os
import shutil
import tempfile
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from logreg.sums import Array

MEMORY_SHARE = 0.25  # of the memory of the machine that a spool may have: more would not stay in it,
DISK_SHARE = 0.25  # and of what is free on the disk of temporary files
PAGE = mmap.ALLOCATIONGRANULARITY
IN_CACHE = 1 << 18  # bytes that are put in order at a time


class Batch(NamedTuple):
    """Some rows as they are read, as numbers: X, outcomes, weights and offsets, and where they come from.

    ``piece`` is the number of the piece of the source that holds them.
    """

    X: Any
    y: np.ndarray
    weight: Array | None
    offset: Array | None
    place: str
    piece: int

    def at(self, index: np.ndarray) -> Batch:
        """Return the rows of these numbers."""
        weight, offset = (None if values is None else values[index] for values in (self.weight, self.offset))
        return self._replace(X=self.X[index], y=self.y[index], weight=weight, offset=offset)


class Stored(NamedTuple):
    """Where an array begins in a file, and what kind it is."""

    start: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]


class Spool:
    """Batches of arrays that are written once, and then read again and again: views of the file, no copies."""

    def __init__(self) -> None:
        self.file = tempfile.TemporaryFile(prefix="logreg-")  # noqa: SIM115 - it has no name, and ends with the spool
        self.batches: list[list[Any]] = []

    def could_add(self, batch: Batch) -> bool:
        """Write a batch, and return whether there was room on the disk for it."""
        try:
            self.batches.append([self._write(part) if isinstance(part, np.ndarray) else part for part in batch])
        except OSError:
            return False
        return True

    def _write(self, values: np.ndarray) -> Stored:
        """Write an array by row, which kernels read fastest."""
        start = -(-self.file.tell() // PAGE) * PAGE
        self.file.seek(start)
        step = max(1, IN_CACHE * len(values) // max(values.nbytes, 1))
        for row in range(0, len(values), step):
            self.file.write(np.ascontiguousarray(values[row : row + step]).data)
        return Stored(start, values.shape, values.dtype)

    def finish(self) -> None:
        """Make the file ready to be read."""
        self.file.flush()

    def close(self) -> None:
        """Let go of the file, which ends with that; batches in use keep theirs."""
        self.file.close()

    def __iter__(self) -> Iterator[Batch]:
        """Return an iterator over the batches, each of which is mapped into memory for as long as it is used."""
        for batch in self.batches:
            parts: list[Any] = [self._read(part) if isinstance(part, Stored) else part for part in batch]
            yield Batch(*parts)

    def _read(self, stored: Stored) -> np.ndarray:
        n_bytes = math.prod(stored.shape) * stored.dtype.itemsize
        mapped = mmap.mmap(self.file.fileno(), n_bytes, access=mmap.ACCESS_READ, offset=stored.start)
        return np.frombuffer(mapped, stored.dtype).reshape(stored.shape)


def is_worth_spooling(n_bytes: int) -> bool:
    """Tell whether so many bytes fit into a share of this machine's memory and of its disk for temporary files."""
    if not hasattr(os, "sysconf"):
        return False
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return n_bytes <= min(MEMORY_SHARE * memory, DISK_SHARE * shutil.disk_usage(tempfile.gettempdir()).free)
