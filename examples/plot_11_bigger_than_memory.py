"""
A table that need not fit in memory
===================================

Which opinions went with a vote for Dole, in 1996? The 944 voters of the survey fit in memory easily; here they stand
for a table that does not. A thousand copies of them, in Parquet files, are read batch by batch: every pass is a sum
over the rows, and it does not matter where the parentheses go.
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from logreg import LogisticRegression, scan_parquet
from logreg.datasets import load_anes96

COPIES, FILES = 1_000, 4

# %%
# Some files of rows, as a database would leave them. A column gives each copy its share of a voter.
X, y = load_anes96()
folder = tempfile.TemporaryDirectory()
table = X.astype(np.float32).assign(dole=y, copies=1.0 / COPIES)
for k in range(FILES):
    part = pd.concat([table] * (COPIES // FILES), ignore_index=True)
    part.to_parquet(Path(folder.name) / f"voters-{k}.parquet", row_group_size=50_000)
size = sum(path.stat().st_size for path in Path(folder.name).iterdir())
print(f"{COPIES * len(X):,} rows in {FILES} files, {size / 1e6:.0f} MB")

# %%
# A scan is a description: where the rows are, and which column is what. ``fit`` takes it for X. With a weight of a
# thousandth, a thousand copies are one voter, and so the errors are those of 944 voters.
scan = scan_parquet(f"{folder.name}/voters-*.parquet", target="dole", weight="copies")
clf = LogisticRegression(penalty=None, inference=True).fit(scan)
print(f"{clf.n_passes_} passes over the files")
print(clf.summary())

# %%
# In memory the same model comes out, to the tolerance of the fits.
small = LogisticRegression(penalty=None).fit(X, y)
print(f"largest difference of a coefficient: {np.abs(clf.coef_ - small.coef_).max():.1g}")

# %%
# Predictions of a scan come batch by batch as well, or go into a file. On the left the coefficients of both fits, which
# lie on a line; on the right what share of the voters has which probability, counted as the batches come by.
counts, edges = np.zeros(40), np.linspace(0.0, 1.0, 41)
for probabilities in clf.predict_proba(scan):
    counts += np.histogram(probabilities[:, 1], edges)[0]
print(f"accuracy {clf.score(scan):.3f}, of {counts.sum():,.0f} rows")

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
left.plot(small.coef_[0], clf.coef_[0], "o")
left.axline((0.0, 0.0), slope=1.0, color="black", linewidth=0.8)
left.set(xlabel="coefficient, rows in memory", ylabel="coefficient, rows on disk")
right.stairs(counts / counts.sum(), edges, fill=True)
right.set(xlabel="probability of a vote for Dole", ylabel="share of the rows")
folder.cleanup()

if __name__ == "__main__":
    plt.show()
