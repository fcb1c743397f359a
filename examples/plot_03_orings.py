r"""
A first fit: O-rings and the cold
=================================

On 28 January 1986 the space shuttle Challenger was launched at 31 degrees Fahrenheit and broke up 73
seconds later: hot gas had burnt through a rubber O-ring of a booster rocket. In 7 of the 23 launches before,
O-rings had already been damaged. What did those say about a cold morning? The model has one column:

.. math:: P(\text{distress}) = \frac{1}{1 + e^{-(w \cdot \text{temperature} + b)}}
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from logreg import LogisticRegression
from logreg.datasets import load_orings
from logreg.plots import FitDisplay

# %%
# ``penalty=None`` asks for the maximum of the likelihood, as statistics programs compute it. R's ``glm`` finds
# a constant of 15.0429016477 and a slope of -0.2321627442. A fit stops within ``tol`` standard errors of the
# optimum; the default, 1e-4, is plenty for any use but this one, comparing ten digits.
X, y = load_orings()
clf = LogisticRegression(penalty=None, tol=1e-12).fit(X, y)
print(f"constant {clf.intercept_[0]:.10f}, slope {clf.coef_[0, 0]:.10f}, after {clf.n_passes_} passes over the rows")

# %%
# The slope is a change of the log-odds, so its exponential is a factor of the odds: each degree colder
# multiplies the odds of damage by 1.26, ten degrees by 10.
slope = clf.coef_[0, 0]
print(f"odds times {np.exp(-slope):.2f} for one degree less, times {np.exp(-10 * slope):.0f} for ten")

# %%
# Where the score is 0 the sigmoid is at 1/2 and steepest, w/4 a degree. The launches, at 0 and 1, and the
# curve through them, solid where there were launches. Dotted is what the model says of colder air than
# anyone had tried: damage is all but certain at 31 F, but nothing in the data checks the curve out there.
launch = 31.0
colder = pd.DataFrame({"Temperature": np.linspace(launch, X["Temperature"].min(), 50)})
probability = clf.predict_proba(colder)[:, 1]
print(f"probability 1/2 at {-clf.intercept_[0] / slope:.1f} F, {probability[0]:.4f} at {launch:.0f} F")

display = FitDisplay.from_estimator(clf, X, y)
ax, figure = display.ax_, display.figure_
ax.plot(colder["Temperature"], probability, color="black", linewidth=2, linestyle=":")
ax.plot(launch, probability[0], "o", color="red")
ax.annotate("28 January 1986", (launch, probability[0]), xytext=(launch, 0.85), color="red")
ax.set(xlabel="temperature at launch, degrees Fahrenheit", ylabel="probability of damaged O-rings")

if __name__ == "__main__":
    plt.show()
