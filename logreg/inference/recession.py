"""Directions in which the likelihood never falls, by linear programs on few of the rows at a time.

A direction recedes if no row's margin falls along it, and separates the rows whose margin grows.
"""

from __future__ import annotations

import itertools
import sys
from typing import Any

import numpy as np
from scipy import sparse
from scipy.optimize import linprog

from logreg.inference.margins import FALLS, GROWS, SignedRows, n_rows_of
from logreg.rows import PartedRows
from logreg.sums import Array, Sums

FEW_ROWS = 2_000  # rows left up to which each has a term of its own in the program
MOST_VALUES = 2_000_000  # numbers of the rows in a program, where the others are not in memory; HiGHS takes 130 B each
TOLERANCE = 1e-10  # of the program, the least that HiGHS takes
ITS_OWN = 2.0  # falls of the rows in a program up to which that of another is the program's rounding
# Largest coordinate of a direction that is to move single rows by 1: what the first does not let it move is rounding;
# the others are for programs in which HiGHS loses its way.
BOXES = (1e4, 1e2, 1.0)
NOTHING = 1e-8  # mean growth, for coordinates up to 1, that is rounding


class UndecidedError(ValueError):
    """Programs would have to hold more rows than memory is meant for."""

    def __init__(self, n_rows: int) -> None:
        super().__init__(
            f"Linear programs with {n_rows:,} of the rows, more than are held of a scan or a Dask collection, have not "
            "told whether columns separate the outcomes; use a penalty, or pass fewer columns or arrays in memory."
        )


def greatest_recession(signed: SignedRows, sums: Sums) -> tuple[Array, Array]:
    """Return a receding direction that separates all rows that any does, (d + 1,), and those it adds up, (d + 1, K).

    maximise  sum_i m_i(B)  over the rows not yet separated,   m_i(B) >= 0 for all rows,   -1 <= B <= 1

    again and again, until that is 0; the sum of the directions found separates what each of them does. A vertex leaves
    some rows on its edge that the interior separates. Once few rows are left, each gets a term ``min(m_i, 1)`` instead,
    in a larger box, so that one program finds all of them.

    Parameters
    ----------
    signed : SignedRows
    sums : Sums
        Of the rows that count, all of weight 1, where every p is one half.

    Notes
    -----
    The programs hold few rows, wherever the others are. Those that a direction lets down are added until none is
    (constraint generation), a pass each time: programs on some of the rows have the larger optimum, so an optimum of 0
    is one for all rows. The programs of Konis (Linear programming algorithms for detecting separated data in binary
    logistic regression, Oxford, 2007).
    """
    found, total = np.zeros((signed.n_coordinates, 0)), np.zeros(signed.n_coordinates)
    held, weight, single = signed.first(), 1.0, False
    while n_left := n_rows_of(sums):
        few = n_left <= FEW_ROWS
        single = single or (few and weight < 1.0)
        B, sums, held = recession(signed, found, sums, held, single)
        if n_rows_of(sums) < n_left:
            found = np.column_stack([found, B])
            total += weight * B / np.abs(B).max()
            weight /= 2.0  # the first direction, which moves the most, prevails
        elif few and not single:
            single = True  # to tell a narrow gap from none
        else:
            break
    return total, found


def recession(
    signed: SignedRows, found: Array, sums: Sums, held: sparse.csr_array, single: bool
) -> tuple[Array, Sums, sparse.csr_array]:
    """Return a receding direction that separates rows which those found leave, the sums of the rest and the rows held.

    If no direction separates one of these, the sums stay what they are.
    """
    mean, n_single = signed.mean(sums), 0
    if single:
        left = signed.left(found)
        others = np.flatnonzero((held @ found > GROWS).any(axis=1))
        held, n_single = sparse.vstack([left, held[others]], format="csr"), left.shape[0]
    most = MOST_VALUES if isinstance(signed.rows, PartedRows) else sys.maxsize  # else all are in memory as it is
    while True:
        B, growth = solve_program(held, mean, n_single)
        if growth <= NOTHING:
            return B, sums, held
        floor = min(-FALLS, ITS_OWN * float((held @ B).min()))  # rows held do not fall
        there = signed.look(np.column_stack([found, B]), floor)
        if not len(there.falls.margins):
            return B, there.sums, held
        held = sparse.vstack([held, there.falls.coefficients], format="csr")
        if held.nnz > most:
            raise UndecidedError(held.shape[0])


def solve_program(A: sparse.csr_array, mean: Array, k: int) -> tuple[Array, float]:
    """Return the B of largest ``mean . B`` with ``A B >= 0``, or ``sum_i min(a_i . B, 1)`` over the first k; and it."""
    n, d = A.shape
    if not k:
        B = optimum(-mean, -A.tocsc(), n, [np.tile([-1.0, 1.0], (d, 1))])
        return B, float(mean @ B)
    own = sparse.eye_array(n, k, format="csc")
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
