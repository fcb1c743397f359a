"""Decorators that compile kernels, and keep the code on disk where a folder lets them.

numba looks for the folder when a kernel is decorated: ``NUMBA_CACHE_DIR``, then ``__pycache__`` beside the source, then
the user's cache folder. Whatever goes wrong there costs the time to compile, never a fit.

Code on disk is out of date when a file of kernels changes, its own or another, whose kernels it may hold.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import numba
from numba.core.caching import FunctionCache, IndexDataCacheFile


class CodeFiles(IndexDataCacheFile):
    """A file for each specialisation, named after all that its code depends on.

    numba numbers its files and keeps an index of them. Where processes compile at the same time, or a write fails after
    an upgrade, that index can name the code of another specialisation or of an older version.
    """

    def load(self, key: Any) -> Any:
        """Return the compiled code for a key."""
        return self._load_data(self._name(key))

    def save(self, key: Any, data: Any) -> None:
        """Keep compiled code for a key."""
        self._save_data(self._name(key), data)

    def _name(self, key: Any) -> str:
        depends_on = repr((self._version, self._source_stamp, key))
        return str(self._data_name(int(sha256(depends_on.encode()).hexdigest()[:16], 16)))


class Cache(FunctionCache):
    """numba's cache of one function, but silent: what it cannot load is compiled, what it cannot save is not kept."""

    def __init__(self, function: Callable[..., Any], options: list[str]) -> None:
        super().__init__(function)
        stamp = (self._impl.locator.get_source_stamp(), stamps_of_kernels(), options)
        self._cache_file = CodeFiles(self._cache_path, self._impl.filename_base, stamp)

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return compiled code, or None where there is none that can be read."""
        with suppress(Exception):
            return super().load_overload(sig, target_context)
        return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep compiled code, if the folder still lets us."""
        with suppress(Exception):
            super().save_overload(sig, data)


@cache
def stamps_of_kernels() -> tuple[tuple[str, int, int], ...]:
    """Return when each file of kernels was changed, and its size: the code of one may hold that of others."""
    files = [(file.name, file.stat()) for file in sorted(Path(__file__).parent.glob("*kernels.py"))]
    return tuple((name, stat.st_mtime_ns, stat.st_size) for name, stat in files)


def compiler(*fastmath: str) -> Callable[[Callable[..., Any]], Any]:
    """Return a decorator that compiles with these liberties in floating-point arithmetic."""

    def decorate(function: Callable[..., Any]) -> Any:
        kernel = numba.njit(nogil=True, error_model="numpy", fastmath=set(fastmath))(function)
        with suppress(Exception):  # where no folder can be written to, each process compiles for itself
            kernel._cache = Cache(function, sorted(fastmath))
        return kernel

    return decorate


# NaN and infinity keep their meaning ("nnan" and "ninf" are left out): they are how bad input is found.
compiled = compiler("nsz", "arcp", "contract", "reassoc")
# In the sigmoid terms the order of operations carries digits, so it stays as written.
compiled_as_written = compiler("nsz", "contract")
