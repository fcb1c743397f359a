"""Directions in which the likelihood never falls, by linear programs on few of the rows at a time.

A direction B recedes if no row's margin ``m_i = s_i (x_i . w + b)``, s_i = 1 for y_i = 1 and else -1, falls along it,
and separates the rows whose margin grows. Directions are held in coordinates: columns of unit variance, centred
where that costs nothing.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from scipy import sparse
from scipy.optimize import linprog

from logreg.inference.determined import sums_at_zero
from logreg.products import Block, is_sparse, pieces, product
from logreg.rows import SelectableRows
from logreg.scale import Scale
from logreg.sums import Array

FIRST_ROWS, FIRST_ROWS_A_COLUMN = 1_000, 10  # the first program has at least so many rows, and so many for each column
MORE_ROWS = 1_000  # of those that a direction lets down, at most so many are added at a time
FEW_ROWS = 2_000  # rows left up to which each has a term of its own in the program
TOLERANCE = 1e-10  # of the program, the least that HiGHS takes
FALLS = 1e-9  # fall of a margin that is more than rounding
GROWS = 1e-6  # growth of a margin that is more than rounding, where that of a row can be 1
# Largest coordinate of a direction that is to move single rows by 1: what the first does not let it move is rounding;
# the others are for programs in which HiGHS loses its way.
BOXES = (1e4, 1e2, 1.0)
NOTHING = 1e-8  # mean growth, for coordinates up to 1, that is rounding


class SignedRows:
    """The margins of rows as linear functions of a direction.

    Parameters
    ----------
    rows : SelectableRows
        Of linearly independent columns.
    scale : Scale
        The coordinates of directions.
    """

    def __init__(self, rows: SelectableRows, scale: Scale) -> None:
        self.rows, self.scale = rows, scale
        self.sign = np.where(rows.y == 1, 1.0, -1.0)

    def margins(self, B: Array) -> Array:
        """Return how the margin of every row changes along B, shape (n,); one pass."""
        W = self.scale.coefficients(B[:, None])
        return self.sign * linear_scores(self.rows, W)

    def mean(self, chosen: np.ndarray) -> Array:
        """Return the mean margin of some rows, as coefficients on B, shape (d + 1,); one pass."""
        sums = sums_at_zero(self.rows, chosen, "none")
        mean: Array = -2.0 * self.scale.gradient(sums.gradient / sums.weight)[:, 0]
        return mean

    def some(self, index: np.ndarray) -> sparse.csc_array:
        """Return the margins of some rows, as coefficients on B, shape (k, d + 1)."""
        X = self.rows.at(index, None).ranges(1)[0].values()
        unit = self.scale.unit
        ones = np.full((len(index), 1), unit[-1])
        if is_sparse(X):
            scaled = sparse.csr_array(X) @ sparse.diags_array(unit[:-1])
        else:
            scaled = sparse.csr_array((X - self.scale.center[:-1]) * unit[:-1])
        signs = sparse.diags_array(self.sign[index])
        return sparse.csc_array(signs @ sparse.hstack([scaled, sparse.csr_array(ones)], format="csr"))


def linear_scores(rows: SelectableRows, W: Array) -> Array:
    """Return ``x_i . w + b`` of every row, without offsets, shape (n,); one pass."""

    def scores(block: Block) -> Array:
        found = np.concatenate([product(piece.values(), W[:-1])[:, 0] for piece in pieces(block, 1, "none")])
        return np.asarray(found + W[-1, 0], dtype=np.float64)

    return np.concatenate(list(rows.map(scores, rows.chunks())))


def greatest_recession(signed: SignedRows, counted: np.ndarray) -> tuple[Array, np.ndarray]:
    """Return a receding direction that separates all rows that any such direction separates, and a mask of the others.

    maximise  sum_i m_i(B)  over the rows not yet separated,   m_i(B) >= 0 for all rows,   -1 <= B <= 1

    again and again, until that is 0; the sum of the directions found separates what each of them does. A vertex leaves
    some rows on its edge that the interior separates. Once few rows are left, each gets a term ``min(m_i, 1)`` instead,
    in a larger box, so that one program finds all of them.

    Parameters
    ----------
    signed : SignedRows
    counted : ndarray of bool, shape (n,)
        The rows that count.

    Notes
    -----
    The programs hold few rows. Those that a direction lets down are added until none is (constraint generation):
    programs on some of the rows have the larger optimum, so an optimum of 0 is one for all rows. The programs of Konis
    (Linear programming algorithms for detecting separated data in binary logistic regression, Oxford, 2007).
    """
    left, total = counted.copy(), np.zeros(len(signed.scale.unit))
    held, weight, single = first_rows(counted, len(total)), 1.0, False
    while left.any():
        few = int(left.sum()) <= FEW_ROWS
        single = single or (few and weight < 1.0)
        B, margins, held = recession(signed, counted, left, held, single)
        grows = left & (margins > GROWS)
        if grows.any():
            total += weight * B / np.abs(B).max()
            weight /= 2.0  # the first direction, which moves the most, prevails
            left &= ~grows
        elif few and not single:
            single = True  # to tell a narrow gap from none
        else:
            break
    return total, left


def first_rows(counted: np.ndarray, n_coordinates: int) -> np.ndarray:
    """Return the numbers of the rows in the first program, spread over all that count."""
    index = np.flatnonzero(counted)
    most = max(FIRST_ROWS, FIRST_ROWS_A_COLUMN * n_coordinates)
    if len(index) <= 2 * most:
        return index
    return index[np.random.default_rng(0).choice(len(index), most, replace=False)]


def recession(
    signed: SignedRows, counted: np.ndarray, left: np.ndarray, held: np.ndarray, single: bool
) -> tuple[Array, Array, np.ndarray]:
    """Return a receding direction, 0 if none separates a row that is left, its margins and the rows it took."""
    mean = signed.mean(left)
    if single:
        held = np.union1d(held, np.flatnonzero(left))
    A = signed.some(held)
    while True:
        B, growth = solve_program(A, mean, np.flatnonzero(left[held]) if single else None)
        if growth <= NOTHING:
            return np.zeros_like(B), np.zeros(len(left)), held
        margins = signed.margins(B)
        falls = np.setdiff1d(np.flatnonzero(counted & (margins < -FALLS)), held)
        if not falls.size:
            return B, margins, held
        if len(falls) > MORE_ROWS:
            falls = falls[np.argpartition(margins[falls], MORE_ROWS)[:MORE_ROWS]]
        held = np.append(held, falls)
        A = sparse.vstack([A, signed.some(falls)], format="csc")


def solve_program(A: sparse.csc_array, mean: Array, single: np.ndarray | None) -> tuple[Array, float]:
    """Return the B of largest ``mean . B`` with ``A B >= 0``, or ``sum_i min(a_i . B, 1)`` over some rows; and it."""
    n, d = A.shape
    if single is None:
        B = optimum(-mean, -A, n, [np.tile([-1.0, 1.0], (d, 1))])
        return B, float(mean @ B)
    k = len(single)
    own = sparse.csc_array((np.ones(k), (single, np.arange(k))), shape=(n, k))
    bounds = [np.vstack([np.tile([-box, box], (d, 1)), np.tile([0.0, 1.0], (k, 1))]) for box in BOXES]
    costs = np.concatenate([np.zeros(d), np.full(k, -1.0)])
    found = optimum(costs, sparse.hstack([-A, own], format="csc"), n, bounds)
    return found[:d], float(found[d:].sum())


def optimum(costs: Array, A: Any, n: int, bounds: list[Array]) -> Array:
    """Return the x of least ``costs . x`` with ``A x <= 0``, within the first bounds for which it is found."""
    options = {"primal_feasibility_tolerance": TOLERANCE, "dual_feasibility_tolerance": TOLERANCE}
    solve: Any = linprog  # whose stubs know no sparse A_ub
    methods = "highs-ds", "highs"  # the simplex method ends on a vertex, exact to rounding
    for within, method in itertools.product(bounds, methods):
        found = solve(costs, A_ub=A, b_ub=np.zeros(n), bounds=within, method=method, options=options)
        if found.status == 0:
            x: Array = found.x
            return x
    raise RuntimeError(f"The linear program that looks for separation was not solved: {found.message}")
