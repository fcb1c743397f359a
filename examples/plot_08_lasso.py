"""A lasso finds the five columns that matter among two thousand, and a relaxed fit undoes its shrinkage.

Four hundred rows of 2,000 correlated columns; five of them make the outcome. The path of the lasso is fitted to 50
penalties, each with a certificate; cross-validation would choose among them, here the eye does: the true columns come
in first, and far down the path others follow the noise.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from logreg import logistic_path
from logreg.plots import PathDisplay

random = np.random.default_rng(11)
X = random.standard_normal((400, 2_000))
for j in range(1, X.shape[1]):  # neighbours are correlated
    X[:, j] = 0.5 * X[:, j - 1] + np.sqrt(0.75) * X[:, j]
names = [f"column {j}" for j in range(X.shape[1])]
truth = {"column 100": 2.0, "column 500": -2.0, "column 900": 1.5, "column 1300": -1.5, "column 1700": 1.5}
scores = sum(value * X[:, names.index(name)] for name, value in truth.items())
y = pd.Series(random.random(len(X)) < 1 / (1 + np.exp(-scores)), name="outcome")
X = pd.DataFrame(X, columns=names)

path = logistic_path(X, y, n_penalties=50, ratio=0.1)
print(f"largest violation of an optimality condition, over the largest penalty: {path.kkt.max():.0e}")

five = int(np.flatnonzero(path.df >= len(truth))[0])
selected = path.estimator(five).coef_frame().query("estimate != 0 and term != 'intercept'")
relaxed = path.relax(five, X, y).coef_frame().set_index("term")["estimate"]
table = selected.assign(relaxed=relaxed[selected["term"]].to_numpy(), truth=selected["term"].map(truth))
print(table.rename(columns={"estimate": "lasso"}).round(2).to_string(index=False))

display = PathDisplay.from_path(path)
plt.show()
