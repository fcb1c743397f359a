r"""
Logistic growth: the same curve in time
=======================================

Long before statistics did, Verhulst (1838) met the logistic, in populations that grow until their world is
full:

.. math:: \frac{dP}{dt} = r P \left(1 - \frac{P}{K}\right)

With the share :math:`s = P/K` this is :math:`s' = r s (1 - s)`: the derivative expressed by the value, once
more. Hence :math:`P(t) = K \, \mathrm{logistic}(r (t - t_0))`, where :math:`t_0` is the time of the
steepest growth, at P = K/2.

The data are Carlson's (1913, *Biochemische Zeitschrift* 57, 313-334), as tabulated by Pearl (1927,
"The growth of populations", *Quarterly Review of Biology* 2, 532-548): the amount of yeast in a culture,
every hour.
"""

import matplotlib.pyplot as plt
import numpy as np
from scipy.integrate import solve_ivp
from scipy.optimize import curve_fit

from logreg.sigmoid import logistic, logit

yeast = np.array(
    [
        9.6, 18.3, 29.0, 47.2, 71.1, 119.1, 174.6, 257.3, 350.7, 441.0,
        513.3, 559.7, 594.8, 629.4, 640.8, 651.1, 655.9, 659.6, 661.8,
    ]
)  # fmt: skip
hours = np.arange(yeast.size, dtype=float)


def closed_form(t, capacity, rate, midpoint):
    """Solve Verhulst's equation: P(t) = K logistic(r (t - t0))."""
    return capacity * logistic(rate * (t - midpoint))


# %%
# Least squares finds the capacity K, the rate r and the midpoint. The start is read off the data: K a
# little above the last amount, and the other two from the straight line logit(P/K) = r (t - t0).
start_capacity = 1.01 * yeast[-1]
rate, intercept = np.polyfit(hours, logit(yeast / start_capacity), 1)
estimates, _ = curve_fit(closed_form, hours, yeast, p0=(start_capacity, rate, -intercept / rate))
capacity, rate, midpoint = estimates
print(f"capacity {capacity:.1f}, rate {rate:.4f} per hour, midpoint {midpoint:.2f} hours")

# %%
# The same population, grown step by step: the differential equation integrated numerically from its value
# at t = 0, knowing nothing of exponentials.
t = np.linspace(hours[0], hours[-1], 181)
solution = solve_ivp(
    lambda _, population: rate * population * (1 - population / capacity),
    t_span=(t[0], t[-1]),
    y0=[closed_form(0.0, *estimates)],
    t_eval=t,
    rtol=1e-10,
    atol=1e-10,
)
difference = np.abs(solution.y[0] - closed_form(t, *estimates)).max()
print(f"largest difference between the integrated equation and the closed form: {difference:.1e}")

figure, ax = plt.subplots(figsize=(7, 4.5), layout="constrained")
ax.axhline(capacity, color="0.7", linestyle=":", label=f"capacity K = {capacity:.0f}")
ax.plot(t, closed_form(t, *estimates), color="black", linewidth=4, alpha=0.3, label="K logistic(r (t - t0))")
ax.plot(t, solution.y[0], "r--", label="dP/dt = r P (1 - P/K), integrated")
ax.plot(hours, yeast, "o", color="black", markersize=5, label="yeast (Carlson 1913)")
ax.set(xlabel="hours", ylabel="amount of yeast P", xlim=(0, 18), ylim=(0, 710))
ax.legend(frameon=False, loc="center right")

if __name__ == "__main__":
    plt.show()
