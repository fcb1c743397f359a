"""
Mixed columns in a pipeline, the penalty by cross-validation
============================================================

Is a penguin male? The table has measures in millimetres and grams, and two columns of words. A pipeline brings both
to numbers that one penalty can treat alike, and cross-validation picks how strong the penalty shall be: C is its
inverse, so a small C draws all coefficients towards 0, and a large one leaves them to the data.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from logreg import LogisticRegression
from logreg.datasets import load_penguins

# %%
# The preparation belongs inside the pipeline: in each fold it then learns means, deviations and categories from the
# training rows alone, and the rows held out stay unseen.
X, y = load_penguins()
prepare = ColumnTransformer(
    [
        ("words", OneHotEncoder(), make_column_selector(dtype_include="category")),
        ("measures", StandardScaler(), make_column_selector(dtype_include="number")),
    ],
    verbose_feature_names_out=False,
)
pipeline = Pipeline([("prepare", prepare), ("classify", LogisticRegression())])

# %%
# The score is the log-loss of rows held out, the very thing that the fit minimises on the others. Accuracy would
# only count sides of 1/2; the log-loss asks whether the probabilities can be believed.
search = GridSearchCV(
    pipeline,
    {"classify__C": np.logspace(-3, 4, 15)},
    scoring="neg_log_loss",
    cv=StratifiedKFold(10, shuffle=True, random_state=0),
).fit(X, y)
Cs = search.cv_results_["param_classify__C"].astype(float)
mean = -search.cv_results_["mean_test_score"]
error = search.cv_results_["std_test_score"] / np.sqrt(search.n_splits_)
best = search.best_index_
print(f"best C = {Cs[best]:.3g}: log-loss {mean[best]:.3f} +- {error[best]:.3f}, without any column {np.log(2):.3f}")

# %%
# The pipeline knows the names of the columns that it made, and the coefficients are in their order. Those of the
# measures are changes of the log-odds for a standard deviation. Males are heavier, with larger bills; given its
# measures, a Gentoo is less likely a male than an Adelie, because Gentoos of both sexes are large.
names = search.best_estimator_["prepare"].get_feature_names_out()
coefficients = search.best_estimator_["classify"].coef_[0]
for name, coefficient in zip(names, coefficients, strict=True):
    print(f"{name:>18} {coefficient:+7.3f}")

# %%
# On the left the penalty is too strong to learn anything; on the right there is hardly any, which costs little here,
# because 333 birds are many for so few columns. The bars are standard errors over the folds: within them, all C from
# 1 on do equally well.
figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
left.errorbar(Cs, mean, error, fmt="o-", color="black", ecolor="0.6", capsize=2, markersize=4)
left.plot(Cs[best], mean[best], "o", color="red", zorder=3, label=f"best C = {Cs[best]:.3g}")
left.set(xscale="log", xlabel="C, the inverse strength of the penalty", ylabel="mean log-loss of rows held out")
left.legend(frameon=False)
order = np.argsort(coefficients)
right.barh(names[order], coefficients[order], color=np.where(coefficients[order] > 0, "tab:blue", "red"))
right.axvline(0.0, color="black", linewidth=0.8)
right.set(xlabel="coefficient: change of the log-odds of a male")

if __name__ == "__main__":
    plt.show()
