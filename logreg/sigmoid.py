"""S-curves: the logistic sigmoid and its relatives, accurate to the last digits in both tails.

    logistic(x) = 1 / (1 + exp(-x))         s' = s (1 - s)      inverse: logit(s) = log(s / (1 - s))
    tanh(x)                                 t' = 1 - t^2        inverse: atanh(t)
    arctan(x)                               a' = cos(a)^2       inverse: tan(a)

and, for log-losses, ``softplus(x) = log(1 + exp(x))`` and ``log_sigmoid(x) = -softplus(-x)``.

Every function works element by element and gives back what it was given: NumPy arrays keep their shape and
floating dtype; pandas Series keep index and name; tensors of PyTorch (or another array-API library) keep
dtype and device, and are differentiable. Integers, booleans and long doubles become float64, lists become
arrays, Python numbers become NumPy scalars. NaN stays NaN, nothing warns, anything but real numbers is a
TypeError. The cost is one pass over the numbers, in cache-sized blocks of float64, without large temporaries.

The module is callable: ``logreg.sigmoid(x)`` is ``logreg.sigmoid.logistic(x)``.
"""

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from types import ModuleType
from typing import Any

import numpy as np
from array_api_compat import array_namespace, is_array_api_obj

__all__ = ["SCurve", "arctan", "log_sigmoid", "logistic", "logit", "sigmoid", "softplus", "tanh"]

Formula = Callable[[Any, Any], Any]  # (array namespace, array) -> array
Kernel = Callable[[Any, Any], None]  # (NumPy block, block for the result)

BLOCK = 2**15  # numbers; as float64, the input and the result of a block fit the second-level cache
CONTIGUOUS: Any = (("readonly", "contig"), ("writeonly", "contig"))  # the layout must not change a digit
NOT_REAL = "The values must be real numbers, but their dtype is {}: convert them to float64 first."


def _elementwise(formula: Formula, x: Any, kernel: Kernel | None = None) -> Any:
    """Apply a formula to whatever holds the numbers; a kernel is the same function in fewer NumPy passes."""
    kernel = kernel or partial(_evaluate, formula)
    if isinstance(x, np.ndarray):
        return _blockwise(kernel, x)
    pandas = sys.modules.get("pandas")  # whoever holds a Series has imported pandas
    if pandas is not None and isinstance(x, pandas.Series):
        return _series(kernel, x)
    if is_array_api_obj(x) and not isinstance(x, np.generic):
        return _tensor(formula, x)
    return _blockwise(kernel, np.asarray(x))[()]


def _evaluate(formula: Formula, x: Any, out: Any) -> None:
    out[...] = formula(np, x)


def _float_dtype(dtype: Any) -> Any:
    if dtype.kind not in "fiub":
        raise TypeError(NOT_REAL.format(dtype))
    return dtype if dtype.kind == "f" and dtype.itemsize <= 8 else np.dtype(np.float64)


@np.errstate(all="ignore")
def _blockwise(kernel: Kernel, x: Any) -> Any:
    """Run a kernel on cache-sized blocks, always in float64: NumPy's float32 exponential is off by up to 3 ulp."""
    out = np.empty_like(x, dtype=_float_dtype(x.dtype), subok=False)
    with np.nditer(
        (x, out),
        flags=("buffered", "external_loop", "zerosize_ok"),
        op_flags=CONTIGUOUS,
        op_dtypes=(np.float64, np.float64),
        casting="same_kind",
        buffersize=BLOCK,
    ) as blocks:
        for block, result in blocks:
            kernel(block, result)
    return out


def _series(kernel: Kernel, x: Any) -> Any:
    """Apply a kernel to a pandas Series; a nullable dtype stays nullable."""
    nullable = getattr(x.dtype, "numpy_dtype", None)
    if nullable is None:
        return type(x)(_blockwise(kernel, x.to_numpy()), index=x.index, name=x.name)
    values = _blockwise(kernel, x.to_numpy(dtype=_float_dtype(nullable), na_value=np.nan))
    return type(x)(values, index=x.index, name=x.name, dtype=f"Float{8 * values.itemsize}")


def _tensor(formula: Formula, x: Any) -> Any:
    """Apply a formula through the array-API namespace of a tensor, half precision widened to float32."""
    xp = array_namespace(x)
    if not xp.isdtype(x.dtype, ("bool", "integral", "real floating")):
        raise TypeError(NOT_REAL.format(x.dtype))
    dtype = x.dtype if xp.isdtype(x.dtype, "real floating") else xp.float64
    work = xp.float32 if xp.finfo(dtype).bits < 32 else dtype
    return xp.astype(formula(xp, xp.astype(x, work, copy=False)), dtype, copy=False)


def _logistic(x: Any) -> Any:
    if isinstance(x, float):
        return np.float64(math.exp(x) if x < -36.7 else 1.0 / (1.0 + math.exp(-x)))
    return _elementwise(_logistic_formula, x, _logistic_kernel)


def _logistic_kernel(x: Any, out: Any) -> None:
    """Write 1 / (1 + exp(-x)) in place, or exp(x) where that sum is a tie of rounding or about to overflow.

    The error is below 2 ulp, save for very rare scores just above it, where 1 + exp(-x) crosses a power of two.
    """
    np.negative(x, out=out)
    np.exp(out, out=out)
    np.add(out, 1.0, out=out)
    np.divide(1.0, out, out=out)
    if not np.minimum.reduce(out) > 2.0**-53:
        lost = (out <= 2.0**-53) & (out > 2.0**-54) | (out < 1e-300)
        np.exp(x, out=out, where=lost)


def _logistic_formula(xp: Any, x: Any) -> Any:
    # Automatic derivatives: e/(1+e)^2 never cancels, and `where` is right at 0, where that of `abs` is not.
    e = xp.exp(xp.where(x < 0, x, -x))
    return xp.where(x < 0, e, xp.ones_like(e)) / (1.0 + e)


def _logistic_slope(xp: Any, x: Any) -> Any:
    e = xp.exp(-xp.abs(x))
    return e / (1.0 + e) ** 2


def _logit(xp: Any, p: Any) -> Any:
    return xp.where(p < 0.25, xp.log(p / (1.0 - p)), 2.0 * xp.atanh(2.0 * p - 1.0))


def _softplus(xp: Any, x: Any) -> Any:
    if xp is np:
        return np.maximum(x, np.zeros_like(x)) + np.log1p(np.exp(-np.abs(x)))
    return xp.where(x < 0, xp.zeros_like(x), x) + xp.log1p(xp.exp(xp.where(x < 0, x, -x)))


@dataclass(frozen=True)
class SCurve:
    """An S-curve: call it for its value; its derivative is a function of that value alone.

    Parameters
    ----------
    name : str
        What the curve is called.
    range : tuple of float
        The limits (low, high) at minus and plus infinity.
    value : callable
        ``value(x)``, the curve itself; ``curve(x)`` is the same.
    derivative : callable
        ``derivative(value)``, expressed through the value: where that is known, no exponential is needed. But
        a value rounded next to ``high`` has lost the digits of its distance to ``high``, and the derivative
        with them: in float32 the logistic's is exactly 0 from x = 17 on. It is the same at x and -x, so
        ``logistic.derivative(logistic(-abs(x)))`` keeps full relative precision.
    slope : callable
        ``slope(x)``, the derivative at x with full relative precision, for the cost of one value: from the
        smaller tail, ``e / (1 + e)^2`` with ``e = exp(-|x|)`` for the logistic.
    inverse : callable
        ``inverse(value)``, the x that has this value.

    Examples
    --------
    >>> from logreg.sigmoid import logistic
    >>> s = logistic([-2.0, 0.0, 2.0])
    >>> logistic.derivative(s)
    array([0.10499359, 0.25      , 0.10499359])
    >>> logistic.inverse(s)
    array([-2.,  0.,  2.])
    """

    name: str
    range: tuple[float, float]
    value: Callable[[Any], Any] = field(repr=False)
    derivative: Callable[[Any], Any] = field(repr=False)
    slope: Callable[[Any], Any] = field(repr=False)
    inverse: Callable[[Any], Any] = field(repr=False)

    def __call__(self, x: Any) -> Any:
        """Return the value at x, in the kind of container x came in; TypeError if x is not real numbers."""
        return self.value(x)

    def __reduce__(self) -> str:
        return self.name  # the curves of this module are pickled by name


def logit(p: Any) -> Any:
    """Log-odds of a probability, the inverse of the logistic: ``log(p / (1 - p))``.

    From p = 1/4 on, where 2p - 1 is exact, it is ``2 atanh(2p - 1)``: no digit is lost around p = 1/2.

    Parameters
    ----------
    p : number, list, array, Series or tensor
        Probabilities. 0 and 1 give minus and plus infinity; anything outside [0, 1] gives NaN.

    Returns
    -------
    number, array, Series or tensor
        The log-odds (natural logarithm).

    Raises
    ------
    TypeError
        If p does not hold real numbers.

    Examples
    --------
    >>> from logreg.sigmoid import logit
    >>> logit([0.0, 0.5, 0.75])
    array([      -inf, 0.        , 1.09861229])
    """
    return _elementwise(_logit, p)


def softplus(x: Any) -> Any:
    """Minus the log-probability of class 0 at score x: ``log(1 + exp(x)) = max(x, 0) + log1p(exp(-|x|))``.

    It never overflows, and keeps full relative precision as it goes to 0. Its derivative is the logistic.

    Parameters
    ----------
    x : number, list, array, Series or tensor
        Real numbers.

    Returns
    -------
    number, array, Series or tensor
        Numbers not below 0.

    Raises
    ------
    TypeError
        If x does not hold real numbers.

    Examples
    --------
    >>> from logreg.sigmoid import softplus
    >>> softplus([-20.0, 0.0, 800.0])
    array([2.06115362e-09, 6.93147181e-01, 8.00000000e+02])
    """
    return _elementwise(_softplus, x)


def log_sigmoid(x: Any) -> Any:
    """Log-probability of class 1 at score x: ``log(logistic(x)) = -softplus(-x)``.

    It is finite for every finite x, where the logarithm of the value is minus infinity below x = -745. Input,
    output and errors are those of `softplus`.

    Examples
    --------
    >>> from logreg.sigmoid import log_sigmoid
    >>> log_sigmoid([-800.0, 0.0])
    array([-8.00000000e+02, -6.93147181e-01])
    """
    return _elementwise(lambda xp, x: -_softplus(xp, -x), x)


logistic = SCurve(
    name="logistic",
    range=(0.0, 1.0),
    value=_logistic,
    derivative=partial(_elementwise, lambda xp, s: s * (1.0 - s)),
    slope=partial(_elementwise, _logistic_slope),
    inverse=logit,
)
sigmoid = logistic

tanh = SCurve(
    name="tanh",
    range=(-1.0, 1.0),
    value=partial(_elementwise, lambda xp, x: xp.tanh(x)),
    derivative=partial(_elementwise, lambda xp, t: 1.0 - t * t),
    slope=partial(_elementwise, lambda xp, x: 4.0 * _logistic_slope(xp, 2.0 * x)),
    inverse=partial(_elementwise, lambda xp, t: xp.atanh(t)),
)

arctan = SCurve(
    name="arctan",
    range=(-math.pi / 2, math.pi / 2),
    value=partial(_elementwise, lambda xp, x: xp.atan(x)),
    derivative=partial(_elementwise, lambda xp, a: xp.cos(a) ** 2),
    slope=partial(_elementwise, lambda xp, x: 1.0 / (1.0 + x * x)),
    inverse=partial(_elementwise, lambda xp, a: xp.tan(a)),
)


class _CallableModule(ModuleType):
    """A module that is also the function it is named after."""

    def __call__(self, x: Any) -> Any:
        return logistic(x)


# `logreg.sigmoid` is promised as a function, while importing this file makes it a module: so it is both.
sys.modules[__name__].__class__ = _CallableModule
