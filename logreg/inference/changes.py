"""Changes of columns from 0 to 1: which columns, and what the change does to the probabilities of rows."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from logreg.categories import Encoding
from logreg.loss import Array
from logreg.products import VALUES_AT_ONCE, Block, is_sparse, pieces
from logreg.rows import MemoryRows
from logreg.sigmoid import sigmoid


class Changes(NamedTuple):
    """Columns whose effect is a change from 0 to 1.

    ``columns[m]`` goes from 0 to 1, and ``bases[m]`` from 1 to 0 unless it is -1, in rows where all columns of column m
    of ``removed``, a CSC matrix (d, m) that holds their coefficients, are 0 otherwise.
    """

    columns: np.ndarray
    bases: np.ndarray
    removed: Any


def changes_of(rows: MemoryRows, origin: Array, W: Array, discrete: bool, encoding: Encoding | None) -> Changes:
    """Return the columns that change from 0 to 1: those of two values, found in a pass, and levels."""
    groups = [] if encoding is None or not discrete else level_columns(encoding)
    bases = [-1 if encoding is None or encoding.drop_first else int(levels[0]) for levels in groups]
    if discrete:
        is_binary = np.all(list(rows.map(lambda block: binary_columns(block, origin), rows.chunks())), axis=0)
        is_binary[joined(groups)] = False
        groups += [np.array([j]) for j in np.flatnonzero(is_binary)]
        bases += [-1] * (len(groups) - len(bases))
    columns, n_levels = joined(groups), [len(group) for group in groups]
    involved = [group for group in groups for _ in group]
    members, ends = joined(involved), np.cumsum([0, *map(len, involved)], dtype=np.int32)
    # In int32, the usual type of the indices of a sparse X: a product would copy those to another type.
    entries = W[members, 0], members.astype(np.int32), ends
    removed = sparse.csc_array(entries, shape=(rows.n_columns, len(columns)))
    return Changes(columns, np.repeat(np.array(bases, dtype=np.intp), n_levels), removed)


def joined(groups: list[np.ndarray]) -> np.ndarray:
    """Return all columns of some groups, one after the other."""
    return np.concatenate([np.empty(0, dtype=np.intp), *groups])


def level_columns(encoding: Encoding) -> list[np.ndarray]:
    """Return the columns of the levels of each category."""
    found, column = [], 0
    for position in range(len(encoding.names)):
        is_category = position in encoding.levels
        width = len(encoding.levels[position].labels) - encoding.drop_first if is_category else 1
        if is_category and width:
            found.append(np.arange(column, column + width))
        column += width
    return found


def binary_columns(block: Block, origin: Array) -> np.ndarray:
    """Tell which columns hold only 0 and 1 in the rows of a block, that are read relative to an origin."""
    found = np.ones(len(origin), dtype=bool)
    for piece in pieces(block, 1, "full"):
        X = piece.values()
        if is_sparse(X) and X.format == "csc":  # which is not cut into rows, so some columns at a time
            step = max(1, int(VALUES_AT_ONCE * X.shape[1] / max(X.nnz, 1)))
            for start in range(0, X.shape[1], step):
                some = slice(start, start + step)
                found[some] = holds_0_and_1(X[:, some], origin[some])
        else:
            found &= holds_0_and_1(X, origin)
    return found


def holds_0_and_1(X: Any, origin: Array) -> np.ndarray:
    """Tell which columns of a matrix, relative to an origin, hold only 0 and 1."""
    if not is_sparse(X):
        only: np.ndarray = ((-origin == X) | (1.0 - origin == X)).all(axis=0)
        return only
    entries, found = X.tocoo(), np.ones(len(origin), dtype=bool)
    of_entries = origin[entries.col]
    found[entries.col[(entries.data != -of_entries) & (entries.data != 1.0 - of_entries)]] = False
    return found


def changed(X: Any, scores: Array, W: Array, changes: Changes, origin: Array) -> tuple[Array, Array, Array]:
    """Return ``p(1) - p(0)`` of each row and change, and ``p (1 - p)`` after and before, each (n, m).

    With scores a and b it is ``sigmoid(max) sigmoid(-min) (1 - exp(-|a - b|))``, which does not cancel in the tails.
    """
    removed = X @ changes.removed
    removed = (removed.toarray() if is_sparse(removed) else removed) + origin @ changes.removed
    base = np.where(changes.bases < 0, 0.0, W[changes.bases, 0])
    low = scores[:, None] - removed + base
    gap = W[changes.columns, 0] - base
    high = low + gap
    new, old = (sigmoid(z) * sigmoid(-z) for z in (high, low))
    most, least = (np.where(gap >= 0.0, *pair) for pair in ((high, low), (low, high)))
    added: Array = sigmoid(most) * sigmoid(-least) * (-np.sign(gap) * np.expm1(-np.abs(gap)))
    return added, new, old
