"""
Did those who gave up smoking live longer? Odds ratios, tests and effects
=========================================================================

Of 1,566 people who smoked in 1971, a quarter had given up by 1982, and 291 had died by 1992. Without a penalty a fit is
the maximum of the likelihood, and can be asked what statistics programs say: standard errors and tests, odds ratios
with their intervals, errors that trust the model less, and what a coefficient means for the probability.
"""

import matplotlib.pyplot as plt
import numpy as np

from logreg import LogisticRegression
from logreg.datasets import load_endometrial, load_nhefs
from logreg.plots import ForestDisplay

# %%
# A coefficient is per unit of its column, so columns of fine units are in tens here: of years, cigarettes, kg and cm.
# Education, exercise and activity count in steps. How often one drank is left out, because its 5 stands for unknown.
X, y = load_nhefs()
X = X.drop(columns="alcoholfreq")
tens = ["age", "smokeintensity", "smokeyrs", "wt71", "ht"]
X[tens] = X[tens] / 10
names = {"qsmk": "gave up smoking", "sex": "woman", "race": "not white", "age": "age, 10 years"}
names |= {"education": "education, a step", "smokeintensity": "10 cigarettes a day", "smokeyrs": "10 years smoked"}
names |= {"exercise": "less exercise, a step", "active": "less active, a step", "wt71": "weight, 10 kg"}
names |= {"ht": "height, 10 cm", "bronch": "bronchitis", "chroniccough": "chronic cough"}
X = X.rename(columns=names)
clf = LogisticRegression(penalty=None).fit(X, y)
print(clf.summary())

# %%
# Those who gave up died more often, if nothing else is known of them: the odds were 1.4 times as large. But they were
# older, and with their age and the rest in the model nothing is left of it, nor is there a gain to be seen. The
# intervals are of the profile likelihood: the values that a likelihood-ratio test does not reject.
alone = LogisticRegression(penalty=None).fit(X[["gave up smoking"]], y)
numbers = ["estimate", "conf_low", "conf_high"]
odds_ratios = clf.conf_int(X, y, method="profile")
odds_ratios[numbers] = np.exp(odds_ratios[numbers])
print(alone.summary(exponentiate=True).frame[["term", *numbers]].round(2).to_string(index=False))
print(odds_ratios[odds_ratios["term"] == "gave up smoking"].round(2).to_string(index=False))

# %%
# Does it matter how much and how long they had smoked? Each of the two may stand in for the other, and years smoked
# for age, so they are tested together: by how much does the likelihood fall without both?
test = clf.lr_test(["10 cigarettes a day", "10 years smoked"], X, y)
print(f"likelihood ratio {test.statistic:.2f} on {test.df} degrees of freedom, p = {test.p_value:.3f}")

# %%
# Standard errors from the curvature are right if the model is. Robust ones allow for rows that vary otherwise; here
# the two agree within a tenth, so it hardly matters which are reported.
robust = clf.summary(cov=clf.covariance("HC1", X, y)).frame
errors = clf.summary().frame[["term", "std_error"]].assign(robust=robust["std_error"])
print(errors.assign(ratio=errors["robust"] / errors["std_error"]).round(3).to_string(index=False))

# %%
# An odds ratio is not a ratio of risks. Average marginal effects are changes of the probability itself, on average over
# these people: age adds eleven percentage points in ten years, and being a woman takes away seven.
effects = clf.marginal_effects(X)
print(effects[["term", *numbers]].round(3).to_string(index=False))

# %%
# In another study a sign that only tumours of high grade show separates the outcomes: its estimate is infinite. Firth's
# penalty has a finite one, and an interval that says how little is known of it.
tumours = LogisticRegression(penalty=None, on_separation="firth").fit(*load_endometrial())
print(tumours.separation_)
print(tumours.summary().frame[["term", "estimate", "conf_low", "conf_high", "p_value"]].round(3).to_string(index=False))

figure, (left, right) = plt.subplots(1, 2, figsize=(11, 5), layout="constrained")
ForestDisplay.from_summary(odds_ratios, odds=True, ax=left)
ForestDisplay.from_summary(effects, ax=right)
left.set(xlabel="odds ratio of death by 1992, 95% interval")
right.set(xlabel="change of the probability of death, 95% interval", yticklabels=[])

if __name__ == "__main__":
    plt.show()
