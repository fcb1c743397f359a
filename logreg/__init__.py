"""Binary logistic regression."""

__version__ = "0.1.0"
