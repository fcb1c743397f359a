"""The fitted model as a PyTorch module: a linear layer, then a final sigmoid. Importing this room imports torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

import numpy as np
from numpy.typing import ArrayLike

try:
    import torch
except ImportError as error:
    raise ImportError('A PyTorch module needs PyTorch: pip install "logreg[torch]".') from error

__all__ = ["SigmoidUnit", "sigmoid_unit"]


class SigmoidUnit(torch.nn.Module):  # type: ignore[misc]
    """One unit with a final sigmoid: ``p_i = sigmoid(x_i . w + b)``.

    The parameters have torch's default dtype, float32, which keeps 7 of the 16 digits of the coefficients. A parameter
    that has not been trained since gets all of them back when the module, or one that contains it, is converted to
    float64; a trained one is converted as it is.

    Parameters
    ----------
    weight : Tensor of shape (1, d), float64
    bias : Tensor of shape (1,), float64

    Attributes
    ----------
    linear : torch.nn.Linear
        The scores, from d inputs to 1 output.
    activation : torch.nn.Sigmoid
        The probabilities.
    """

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(weight.shape[1], 1)
        self.activation = torch.nn.Sigmoid()
        self._fitted = {"weight": weight, "bias": bias}  # neither parameters nor buffers, which would be rounded too
        self._restore(self._fitted)

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        """Return the probabilities of a tensor of shape (n, d), shape (n,): ``2 n d`` flops."""
        return self.activation(self.linear(X)).squeeze(-1)

    def _apply(self, fn: Callable[[torch.Tensor], torch.Tensor], recurse: bool = True) -> Self:
        # Every conversion goes through here: double(), to(...), cuda(), of this module or of one that contains it.
        untrained = {
            name: fitted
            for name, fitted in self._fitted.items()
            if torch.equal(getattr(self.linear, name), fitted.to(getattr(self.linear, name)))
        }
        super()._apply(fn, recurse)
        self._restore(untrained)
        return self

    def _restore(self, fitted: dict[str, torch.Tensor]) -> None:
        """Set parameters to fitted values, rounded to the dtype that they have now."""
        with torch.no_grad():
            for name, value in fitted.items():
                getattr(self.linear, name).copy_(value)


def sigmoid_unit(coef: ArrayLike, intercept: ArrayLike) -> SigmoidUnit:
    """Return ``sigmoid(X coef' + intercept)`` as a ``torch.nn.Module``, to predict with or to train onward.

    Parameters
    ----------
    coef : array-like of shape (1, d)
    intercept : array-like of shape (1,)

    Returns
    -------
    SigmoidUnit
        Maps a tensor of shape (n, d) to (n,) probabilities: in float32, where the scores are rounded to about 1e-7 of
        the largest ``x_ij * w_j``, or after ``.double()`` in float64.

    Raises
    ------
    ImportError
        If PyTorch is not installed: by the import of this module.

    Examples
    --------
    >>> import torch
    >>> from logreg.unit import sigmoid_unit
    >>> unit = sigmoid_unit([[1.0, -2.0]], [0.5])
    >>> unit
    SigmoidUnit(
      (linear): Linear(in_features=2, out_features=1, bias=True)
      (activation): Sigmoid()
    )
    >>> unit(torch.tensor([[1.5, 1.0], [0.0, 0.25]])).tolist()
    [0.5, 0.5]
    """
    weight, bias = (torch.tensor(np.asarray(values), dtype=torch.float64) for values in (coef, intercept))
    return SigmoidUnit(weight, bias)
