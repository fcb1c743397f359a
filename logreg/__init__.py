"""Binary logistic regression: a scikit-learn classifier that fits by gradient descent preconditioned with p(1-p).

z = x . w + b        p = sigmoid(z)        loss = softplus(z) - y*z        dloss/dz = p - y        p' = p*(1-p)
"""

from logreg import datasets, sigmoid
from logreg.cv import LogisticRegressionCV
from logreg.detect import detect_separation
from logreg.estimator import LogisticRegression
from logreg.loss import log_loss
from logreg.many import fit_many
from logreg.path import Path, logistic_path
from logreg.plots import CVDisplay, FitDisplay, ForestDisplay, PathDisplay, SigmoidDisplay
from logreg.report import CollinearityWarning
from logreg.scan import scan_batches, scan_csv, scan_parquet
from logreg.sigmoid import arctan, log_sigmoid, logistic, logit, softplus, tanh
from logreg.warm import warm_up

__version__ = "0.1.0"

__all__ = [
    "CVDisplay",
    "CollinearityWarning",
    "FitDisplay",
    "ForestDisplay",
    "LogisticRegression",
    "LogisticRegressionCV",
    "Path",
    "PathDisplay",
    "SigmoidDisplay",
    "arctan",
    "datasets",
    "detect_separation",
    "fit_many",
    "log_loss",
    "log_sigmoid",
    "logistic",
    "logistic_path",
    "logit",
    "scan_batches",
    "scan_csv",
    "scan_parquet",
    "sigmoid",
    "softplus",
    "tanh",
    "warm_up",
]
