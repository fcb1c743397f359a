"""Doctests import every module; the one that needs PyTorch is left out where that is not installed."""

from importlib.util import find_spec

collect_ignore = [] if find_spec("torch") else ["logreg/unit.py"]
