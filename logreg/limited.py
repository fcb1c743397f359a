"""The limited memory of past steps: what they tell of the curvature that a preconditioner misses."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from logreg.sums import Array

LONG = 100_000  # columns from which on steps are remembered in float32: they decide how many passes, not where it ends


class LimitedMemory:
    """The last steps s of K models, the changes y of their gradients, and ``P^-1 y``.

    Directions are those of the two-loop recursion of L-BFGS (Nocedal, 1980) started from P. It is run on the products
    of what is remembered (Chen, Wang and Zhou, 2014), so that a direction reads every remembered vector once or twice:
    ``4 m d`` flops for m steps of d columns, and as many again to remember a step.

    Parameters
    ----------
    size : int
        Steps that are remembered.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.forget()

    def forget(self) -> None:
        """Forget all steps."""
        self.order: list[int] = []  # places of the steps, oldest first
        self.damping: Array | float = 1.0

    def __len__(self) -> int:
        return len(self.order)

    def remember(self, step: Array, change: Array, solved: Array) -> None:
        """Add steps, the changes of the gradients along them and P^-1 times these, each (d + 1, K)."""
        if not self.size:
            return
        if not self.order:
            self._make_room(*step.shape)
        place = self.order.pop(0) if len(self.order) == self.size else len(self.order)
        self.order.append(place)
        self.vectors[:, place, 0], self.vectors[:, place, 1], self.changes[:, place] = step.T, solved.T, change.T
        used = len(self.order)
        changes = self.changes[:, :used]
        self.products[:, place, :used] = products(changes, step)
        self.products[:, :used, place] = products(self.vectors[:, :used, 0], change)
        self.solved_products[:, place, :used] = self.solved_products[:, :used, place] = products(changes, solved)
        product, size = self.products[:, place, place], self.solved_products[:, place, place]
        lengths = np.sqrt(np.square(step).sum(axis=0) * np.square(change).sum(axis=0))
        useful = product > 1e-12 * lengths
        self.inverses[:, place] = np.divide(1.0, product, out=np.zeros_like(product), where=useful)
        self.damping = np.where(useful, product / np.where(useful, size, 1.0), self.damping)

    def _make_room(self, n_columns: int, n_models: int) -> None:
        m = self.size
        dtype = np.float32 if n_columns > LONG else np.float64
        self.vectors = np.empty((n_models, m, 2, n_columns), dtype)  # a step, and P^-1 times the change along it
        self.changes = np.empty((n_models, m, n_columns), dtype)
        self.products = np.zeros((n_models, m, m))  # of step i with change j
        self.solved_products = np.zeros((n_models, m, m))  # of change i with P^-1 times change j
        self.inverses = np.zeros((n_models, m))

    def renew(self, solve: Callable[[Array], Array]) -> None:
        """Take another P, of which ``solve`` gives ``P^-1 y``."""
        used = slice(0, len(self.order))
        for place in self.order:
            solved = solve(self.changes[:, place].T)
            self.vectors[:, place, 1] = solved.T
            self.solved_products[:, used, place] = products(self.changes[:, used], solved)

    def direction(self, gradient: Array, solved: Array) -> Array:
        """Return the direction at a gradient, of which ``solved`` is P^-1 times: both of shape (d + 1, K)."""
        if not self.order:
            return -solved
        K, used = gradient.shape[1], len(self.order)
        vectors = self.vectors[:, :used].reshape(K, 2 * used, -1)
        along_steps, along_solved = products(vectors, gradient).reshape(K, used, 2).transpose(2, 0, 1)
        first, second = np.zeros((2, K, used))  # what the two loops take off and add, a step each
        for i in reversed(self.order):
            left = along_steps[:, i] - (first * self.products[:, i, :used]).sum(axis=1)
            first[:, i] = self.inverses[:, i] * left
        for i in self.order:
            left = along_solved[:, i] - (first * self.solved_products[:, i, :used]).sum(axis=1)
            left = self.damping * left + (second * self.products[:, :used, i]).sum(axis=1)
            second[:, i] = first[:, i] - self.inverses[:, i] * left
        weights = np.stack([second, -np.reshape(self.damping, (-1, 1)) * first], axis=-1).reshape(K, 1, 2 * used)
        remembered: Array = (weights.astype(vectors.dtype, copy=False) @ vectors)[:, 0].T
        return -self.damping * solved - remembered


def products(vectors: Array, with_these: Array) -> Array:
    """Return the products of vectors (K, m, d + 1) with one of each model, (d + 1, K): shape (K, m)."""
    these = with_these.T[:, :, None].astype(vectors.dtype, copy=False)
    found: Array = (vectors @ these)[:, :, 0]
    return found
