"""What the table "How it differs" of the README says, run.

python benchmarks/differences.py        needs statsmodels, which is not a dependency: pip install statsmodels
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import sklearn
import statsmodels
import statsmodels.api as sm
from sklearn.linear_model import LogisticRegression as Peer

from logreg import LogisticRegression, datasets


def outcome(fit: Callable[[], Any]) -> str:
    """Run a fit and return its warnings or its error by name, or "silent"."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            fit()
        except Exception as error:  # whatever a peer raises is its outcome
            return f"{type(error).__name__}: {error}"
    said = {w.category.__name__: str(w.message).splitlines()[0] for w in caught}
    return "; ".join(f"{name}: {text}" for name, text in said.items()) or "silent"


def show(title: str, **outcomes: Any) -> None:
    """Print one row of the table."""
    print(f"\n{title}")
    for name, value in outcomes.items():
        print(f"  {name:12} {value}")


X, y = datasets.load_breast_cancer()
show(
    "default fit of 30 unscaled columns (breast cancer)",
    logreg=outcome(lambda: LogisticRegression().fit(X, y)),
    sklearn=outcome(lambda: Peer().fit(X, y)),
)

show(
    "the same columns without a penalty: the classes are separated perfectly",
    logreg=outcome(lambda: LogisticRegression(penalty=None).fit(X, y)),
    sklearn=outcome(lambda: Peer(C=np.inf).fit(X, y)),
    statsmodels=outcome(lambda: sm.Logit(y, sm.add_constant(X)).fit(disp=0)),
)

E, grade = datasets.load_endometrial()
show(
    "one column separates part of the rows (endometrial), no penalty",
    logreg=outcome(lambda: LogisticRegression(penalty=None).fit(E, grade)),
    sklearn=outcome(lambda: Peer(C=np.inf, solver="newton-cholesky").fit(E, grade)),
    statsmodels=outcome(lambda: sm.Logit(grade, sm.add_constant(E)).fit(disp=0)),
)

T, distress = datasets.load_orings()
far = T.iloc[:1] * 0 - 300.0  # a score of about 85
ours, theirs = (model(C=np.inf).fit(T, distress) for model in (LogisticRegression, Peer))
with np.errstate(divide="ignore"):
    show(
        "log-probabilities of both classes at a score of about 85",
        logreg=ours.predict_log_proba(far)[0],
        sklearn=theirs.predict_log_proba(far)[0],
    )

Z = T.assign(again=2.0 * T["Temperature"])
show(
    "a column that repeats another, no penalty",
    logreg=outcome(lambda: LogisticRegression(penalty=None).fit(Z, distress)),
    sklearn=outcome(lambda: Peer(C=np.inf, solver="newton-cholesky").fit(Z, distress)),
    statsmodels=outcome(lambda: sm.Logit(distress, sm.add_constant(Z)).fit(disp=0)),
)
print(f"\nscikit-learn {sklearn.__version__}, statsmodels {statsmodels.__version__}")
