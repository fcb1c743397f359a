"""
How strong a penalty? Cross-validation, and one standard error
==============================================================

Which opinions and circumstances went with a vote for Dole, in 1996? A lasso answers with a few columns, and the penalty
says how few. Cross-validation tries 25 penalties: ten times a tenth of the voters is held out, and the score is
the log-loss of their votes under the fit of all others, negated so that more is better.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from logreg import LogisticRegressionCV
from logreg.datasets import load_anes96
from logreg.plots import CVDisplay, PathDisplay

# %%
# The columns have different units: thousands of people, years, steps of a scale. ``standardize=True`` penalises them as
# if each had a standard deviation of 1, and gives coefficients in their own units.
X, y = load_anes96()
options = {"Cs": np.geomspace(0.003, 10.0, 25), "l1_ratios": [1.0], "cv": 10, "standardize": True}
best = LogisticRegressionCV(**options, select="best").fit(X, y)
print(f"10 folds under {len(best.Cs_)} penalties: {best.scores_.size} fits in {best.n_passes_} passes over the rows")

# %%
# What was found for each penalty is a table, as GridSearchCV makes it.
table = pd.DataFrame(best.cv_results_)[["param_C", "mean_test_score", "std_test_score", "rank_test_score"]]
print(table.head().round(4).to_string(index=False))

# %%
# The mean score has a standard error, for ten folds are few. The largest penalty whose score is within one of the best
# is as good a choice, and a simpler one: party, and where voters put themselves and Clinton; where they put Dole hardly
# counts, and income not at all.
sparse = LogisticRegressionCV(**options, select="1se").fit(X, y)
chosen = pd.DataFrame(
    {f"{cv.select}: C = {cv.C_:.3g}": cv.coef_frame().set_index("term")["estimate"] for cv in (best, sparse)}
)
print(chosen.round(3).to_string())
print(f"log-loss: {-best.scores_.mean(axis=0).max():.3f} at the best C, {np.log(2):.3f} for a coin")

# %%
# On the left the scores, with a band of one standard error, and the two choices; on the right the coefficients, their
# mean and their range over the folds. To the right of the choices there is next to no penalty, which costs little here:
# 944 voters are many for nine columns.
figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.5), layout="constrained")
CVDisplay.from_estimator(best, ax=left)
PathDisplay.from_cv(best, ax=right)
right.axvline(best.C_, color="red", linewidth=1.0)
right.axvline(sparse.C_, color="black", linewidth=1.0, linestyle="--")

if __name__ == "__main__":
    plt.show()
