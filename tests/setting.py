"""What tests share: a place to stand for preconditioners, with rows, an objective on them and a point; equal sums."""

import numpy as np

from logreg.objective import Objective
from logreg.penalty import Ridge
from logreg.rows import MemoryRows
from logreg.scale import Scale

N, D, K = 500, 4, 3
ALL = np.ones(K, dtype=bool)


class Setting:
    """Rows, an objective on them with and without a penalty for K models, and a point with its sums."""

    def __init__(self, seed=0, at=0.5, intercept=True):
        random = np.random.default_rng(seed)
        X = random.standard_normal((N, D)) @ (np.eye(D) + 0.4) + [0.0, 2.0, 0.0, 0.0]
        self.rows = MemoryRows(X, random.integers(0, 2, N).astype(np.int8), random.random(N))
        null = self.rows.sums(np.zeros((D + 1, 1)), "diagonal")
        self.penalty = Ridge(np.array([0.0, 0.1, 1.0]))
        self.objective = Objective(Scale.from_sums(null, np.zeros(1), intercept), self.penalty)
        self.B = at * random.standard_normal((D + 1, K))
        self.B[-1] *= intercept

    def sums(self, kind):
        return self.rows.sums(self.objective.scale.coefficients(self.B), kind)

    def point(self):
        return self.objective.point(self.B, self.sums("none"))

    def curvature(self, k):
        """Return model k's curvature, penalty included."""
        return self.objective.curvature(self.sums("full"), k) + np.diag(self.objective.penalty_curvature[k])


def assert_sums_agree(ours, theirs, tolerance=1e-12):
    for field in ("weight", "loss", "gradient", "curvature"):
        our, their = getattr(ours, field), getattr(theirs, field)
        if their is None:
            assert our is None
        else:
            np.testing.assert_allclose(our, their, rtol=tolerance, atol=tolerance * np.abs(their).max())
