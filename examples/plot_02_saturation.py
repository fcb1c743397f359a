r"""
Why a sigmoid saturates
=======================

Far from 0 an S-curve is flat: a large input still changes, but the output no longer does. Whatever learns
by following derivatives then hardly learns at all. Three views of it, and the reason why logistic
regression does not suffer.
"""

import matplotlib.pyplot as plt
import numpy as np

from logreg.sigmoid import arctan, logistic, tanh

figure, (flat, chain, lesson) = plt.subplots(1, 3, figsize=(13, 4), layout="constrained")

# %%
# **One unit.** The derivative of the logistic falls like exp(-x), that of tanh like exp(-2x), that of the
# arctangent only like 1/x^2. Computed from the value, s(1 - s), it is lost altogether in float32
# from x = 17 on, where s has rounded to 1; ``slope`` computes it from the smaller tail and loses nothing.
x = np.linspace(0.0, 30.0, 601, dtype=np.float32)
for curve, color in ((logistic, "black"), (tanh, "tab:blue"), (arctan, "tab:green")):
    flat.semilogy(x, curve.slope(x), color=color, label=curve.name)
rounded = logistic.derivative(logistic(x))
flat.semilogy(x[rounded > 0], rounded[rounded > 0], "r--", label="s(1 - s) in float32")
flat.set(xlabel="input x", ylabel="derivative", ylim=(1e-14, 2), title="One unit")
flat.legend(frameon=False, loc="lower left")

# %%
# **A chain of units**, each fed with the output of the one before: by the chain rule the derivative of the
# last output with respect to the first input is the product of all the derivatives. Every factor of the
# logistic is at most 1/4, so the product vanishes at least as fast as 4^-depth. tanh has slope 1 at 0,
# where its chain settles: its product decays much more slowly.
depths = np.arange(1, 31)
for curve, color in ((logistic, "black"), (tanh, "tab:blue")):
    value, product, products = 1.0, 1.0, []
    for _ in depths:
        value = curve(value)
        product *= curve.derivative(value)
        products.append(product)
    chain.semilogy(depths, products, "o-", color=color, markersize=3, label=curve.name)
    print(f"through {depths[-1]} {curve.name} units a change of the input arrives {product:.0e} times as large")
chain.semilogy(depths, 0.25**depths, color="0.5", linestyle=":", label=r"bound $4^{-\mathrm{depth}}$")
chain.set(xlabel="depth", ylabel="derivative of the output by the input", title="A chain of units")
chain.legend(frameon=False, loc="lower left")

# %%
# **What to minimise.** A unit that is confidently wrong (true class 1, score z far below 0) has a tiny
# derivative, and the squared error multiplies by it: the worse the error, the slower it is mended. In the
# derivative of the log-loss the factor s(1 - s) cancels, and p - y is left: the full error, however
# saturated the unit.
z = np.linspace(-15.0, 5.0, 401)
p = logistic(z)
lesson.semilogy(z, 2 * (1 - p) * logistic.slope(z), "r--", label="squared error: $2p(1 - p)^2$")
lesson.semilogy(z, logistic(-z), color="black", label="log-loss: $1 - p$")
lesson.set(xlabel="score z of a row of class 1", ylabel="size of the derivative by z", title="Two losses")
lesson.legend(frameon=False, loc="lower right")

if __name__ == "__main__":
    plt.show()
