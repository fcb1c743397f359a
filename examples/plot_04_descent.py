r"""
Gradient descent, by hand and preconditioned
============================================

The gradient of the mean log-loss is :math:`X'(p - y)/n`: three lines of NumPy descend it. Its curvature is
:math:`X' \mathrm{diag}(p(1 - p)) X / n`, made of the sigmoid's own derivative. Since p(1 - p) is never more than 1/4,
the curvature is at most a quarter of the largest eigenvalue of :math:`X'X/n`, and the step 4/eigenvalue is safe.

Safe, but slow. One step length has to suit all directions, the steepest sets it, and the flat ones crawl. The
solvers of ``LogisticRegression`` differ in what they divide the gradient by: a number, the curvature of a sample of
the rows, or that of all rows.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from logreg import LogisticRegression, log_loss, logistic, logit
from logreg.datasets import load_flights

# %%
# 30,000 flights: was it late, given carrier, airport, month, day, weekday, distance and the scheduled time of
# departure? That is there twice, as hhmm and as the hour, nearly the same column: a long, flat valley.
X, y = load_flights()
X = pd.get_dummies(X.drop(columns=["dest", "tailnum"]), drop_first=True).to_numpy(dtype=float)
y = y.to_numpy()
n_passes = 1000


def by_hand(X, y):
    """Return the objective at each step of gradient descent, from the model that knows no columns."""
    X = np.column_stack([X, np.ones(len(X))])
    step = 4 / np.linalg.eigvalsh(X.T @ X / len(X))[-1]
    w = np.append(np.zeros(X.shape[1] - 1), logit(y.mean()))
    objectives = []
    for _ in range(n_passes):
        z = X @ w
        objectives.append(log_loss(y, z))
        w -= step * X.T @ (logistic(z) - y) / len(X)
    return np.array(objectives)


standardised = (X - X.mean(axis=0)) / X.std(axis=0)
descents = {"by hand": by_hand(X, y), "by hand, columns standardised": by_hand(standardised, y)}

# %%
# The package gets the columns as they are: it standardises on the sums of each pass, without a copy of X.
for solver in ("gradient-descent", "auto", "newton"):
    clf = LogisticRegression(penalty=None, solver=solver, tol=1e-5, max_iter=n_passes).fit(X, y)
    descents[f'solver="{solver}" ({clf.solver_})'] = clf.history_["objective"]

# %%
# How far above the minimum each is, after so many passes over the rows. By hand, the raw columns get nowhere and
# the standardised ones enter the valley and stay there. "gradient-descent" takes its step length from the step
# before (Barzilai and Borwein, 1988), which gets through. "newton" doubles the digits with each pass. "auto" starts
# from what a sample of the rows knows, and its passes cost hardly more than those of gradient descent: the wider
# the data, the more that is worth.
minimum = min(objective[-1] for objective in descents.values())
figure, ax = plt.subplots(figsize=(8, 5.5), layout="constrained")
styles = (("0.7", ":"), ("0.4", "--"), ("tab:blue", "-"), ("red", "o-"), ("black", "o-"))
for (name, objective), (color, style) in zip(descents.items(), styles, strict=True):
    passes = np.arange(1, len(objective) + 1)
    gap = np.maximum(objective - minimum, 1e-16)  # what is smaller is rounding
    ax.loglog(passes, gap, style, color=color, markersize=4, label=name)
    print(f"{name:48} {len(passes):5} passes, {gap[-1]:.0e} above the minimum")
ax.set(xlabel="passes over the rows", ylabel="mean log-loss above its minimum")
figure.legend(frameon=False, loc="outside upper center", ncols=2)

if __name__ == "__main__":
    plt.show()
