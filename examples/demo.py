"""
Who lives on? A pipeline from a table to probabilities
======================================================

1,566 smokers were examined in 1971; 291 of them had died by 1992. Measures and categories go through one pandas
pipeline, cross-validation picks the penalty, and rows that were set aside at the start judge the result. Draws
``figures/demo.png``.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from logreg import LogisticRegression, log_loss, logit
from logreg.datasets import load_nhefs
from logreg.plots import FitDisplay

X, y = load_nhefs()
codes = ["sex", "race", "qsmk", "education", "exercise", "active", "alcoholfreq"]  # numbers, but not amounts
X = X.astype(dict.fromkeys(codes, "category"))
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.3, stratify=y, random_state=0)
print(f"{len(X)} smokers, {y.mean():.1%} died; {len(X_train)} rows to learn from, {len(X_test)} to judge by\n")

# set_output(transform="pandas") lets column names travel through the pipeline to the coefficient table.
pipeline = make_pipeline(
    make_column_transformer(
        (OneHotEncoder(drop="first", sparse_output=False), make_column_selector(dtype_include="category")),
        (StandardScaler(), make_column_selector(dtype_include="number")),
        verbose_feature_names_out=False,
    ),
    LogisticRegression(),
).set_output(transform="pandas")
search = GridSearchCV(pipeline, {"logisticregression__C": np.logspace(-3, 2, 11)}, scoring="neg_log_loss", cv=5)
pipeline = search.fit(X_train, y_train).best_estimator_
clf = pipeline[-1]
print(f"cross-validation picks C = {clf.C:.3g}, log-loss {-search.best_score_:.4f}")
print(f"solver: {clf.solver_}, {clf.n_passes_} passes, {clf.decrement_:.0e} standard errors from the optimum\n")

# Coefficients are changes of the log-odds: for a standard deviation of a measure, or against a code's first value.
table = clf.coef_frame().set_index("term")["estimate"]
effects = table.drop("intercept").sort_values(ascending=False)
print(f"{'term':<16}{'estimate':>9}{'odds ratio':>12}")
print(f"{'intercept':<16}{table['intercept']:>9.3f}")
for term, estimate in effects.items():
    bar = ("+" if estimate > 0 else "-") * round(30 * abs(estimate))
    print(f"{term:<16}{estimate:>9.3f}{np.exp(estimate):>12.3f}  {bar}")

model = log_loss(y_test, pipeline.decision_function(X_test))
baseline = log_loss(y_test, np.full(len(y_test), logit(y_train.mean())))
print(f"\nheld-out log-loss {model:.4f}; of the mean rate alone {baseline:.4f}, so {1 - model / baseline:.0%} less")

# The old have smoked for longest: the curve for the mean years of smoking runs below the shares of the old.
figure, (left, right) = plt.subplots(1, 2, figsize=(12, 5), layout="constrained")
left.barh(effects.index, effects, color=np.where(effects > 0, "red", "tab:blue"))
left.invert_yaxis()
left.axvline(0.0, color="black", linewidth=0.8)
left.set(xlabel="coefficient: change of the log-odds of death by 1992", title=f"C = {clf.C:.3g}")
FitDisplay.from_estimator(pipeline, X_test, y_test, feature="age", ax=right)
right.set(xlabel="age in 1971", title="rows held out, and the curve with other columns held")

path = Path("figures", "demo.png")
path.parent.mkdir(exist_ok=True)
figure.savefig(path, dpi=150)
print(f"figure: {path}")
