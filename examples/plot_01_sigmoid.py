r"""
The sigmoid and its derivative
==============================

An S-curve turns any number into one between two limits. Logistic regression ends in the logistic curve,
which turns a score into a probability:

.. math:: s(x) = \frac{1}{1 + e^{-x}}

Its derivative needs no exponential of its own: it is a function of the value, :math:`s' = s (1 - s)`. The
hyperbolic tangent and the arctangent have the same property, with :math:`t' = 1 - t^2` and
:math:`a' = \cos^2 a`.
"""

import matplotlib.pyplot as plt

from logreg.plots import SigmoidDisplay
from logreg.sigmoid import arctan, logistic, tanh

# %%
# Each curve is a small object: call it for its value, and pass the value on to get the derivative.
score = [-2.0, 0.0, 2.0]
for curve in (logistic, tanh, arctan):
    value = curve(score)
    print(f"{curve.name:>8}: value {value.round(4)}, derivative {curve.derivative(value).round(4)}")

# %%
# The three side by side, each with its limits (dotted) and its derivative (dashed), which is largest at 0
# and fades on both sides. The logistic is never steeper than 1/4; the others reach 1.
figure, axes = plt.subplots(1, 3, figsize=(12, 3.6), layout="constrained")
formulas = {
    logistic: r"$s = 1/(1 + e^{-x})$,   $s' = s(1 - s)$",
    tanh: r"$t = \tanh x$,   $t' = 1 - t^2$",
    arctan: r"$a = \arctan x$,   $a' = \cos^2 a$",
}
for ax, (curve, formula) in zip(axes, formulas.items(), strict=True):
    SigmoidDisplay.from_curve(curve, ax=ax)
    ax.set_title(formula, fontsize=11)

# %%
# Two of them are one curve: the hyperbolic tangent is the logistic, stretched from (0, 1) to (-1, 1) and
# run at twice the speed, tanh(x) = 2 s(2x) - 1.
print(f"tanh(1.5) = {tanh(1.5):.15f}, 2 s(3) - 1 = {2 * logistic(3.0) - 1:.15f}")

if __name__ == "__main__":
    plt.show()
