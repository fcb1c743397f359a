"""
Category columns: which airline, which destination, which aeroplane
===================================================================

Was a flight from New York more than 15 minutes late? Who flew it, where to and in which aeroplane are categories: 16
airlines, 100 destinations, 3,400 aeroplanes. ``categories="auto"`` gives each of their levels a coefficient. The
one-hot matrix that this stands for is never made: a row is a code a column, and a pass looks each code up.
"""

import matplotlib.pyplot as plt
import numpy as np

from logreg import LogisticRegression
from logreg.datasets import load_flights

# %%
# The hour and the month act through the crowd of flights, not along a line, so they are categories too: the list names
# the columns whose numbers are to be read as labels.
X, y = load_flights()
categories = ["carrier", "origin", "dest", "tailnum", "month", "hour"]
X = X[[*categories, "distance"]]
clf = LogisticRegression(C=0.3, categories=categories, unknown="ignore").fit(X, y)
print(f"{len(X):,} flights, {y.mean():.1%} late; {clf.coef_.shape[1]:,} coefficients, {clf.n_passes_} passes")
print({column: len(levels) for column, levels in clf.categories_.items()})

# %%
# ``coef_frame()`` names each coefficient ``column=level``. Under a penalty all levels of a column have one: none is the
# reference, and levels of few flights stay near 0, because few flights say little.
effects = clf.coef_frame().iloc[1:]
column = effects["term"].str.split("=").str[0]
for name in categories:
    ordered = effects[column == name].sort_values("estimate")
    low, high = ordered.iloc[0], ordered.iloc[-1]
    print(f"{name:>8}: {low['term']} {low['estimate']:+.2f} ... {high['term']} {high['estimate']:+.2f}")

# %%
# A new aeroplane has no coefficient. With ``unknown="ignore"`` it contributes nothing, as an average one would;
# ``unknown="error"``, the default, would say which label it is and in which row.
new = X.head(3).assign(tailnum="N0NEW")
print(np.column_stack([clf.predict_proba(X.head(3))[:, 1], clf.predict_proba(new)[:, 1]]).round(3))

# %%
# The largest effects by name, aeroplanes aside; late departures build up over the day, as its hours show.
named = effects[~column.isin(["tailnum", "hour", "distance"])]
shown = named.loc[named["estimate"].abs().nlargest(16).index].sort_values("estimate")
hours = effects[column == "hour"]
figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.5), layout="constrained")
left.barh(shown["term"], shown["estimate"], color=np.where(shown["estimate"] > 0, "tab:blue", "red"))
left.axvline(0.0, color="black", linewidth=0.8)
left.set(xlabel="coefficient: change of the log-odds of being late")
right.plot(hours["term"].str.removeprefix("hour=").astype(int), hours["estimate"], "o-", color="black", markersize=4)
right.axhline(0.0, color="0.7", linewidth=0.8)
right.set(xlabel="scheduled hour of departure", ylabel="coefficient")

if __name__ == "__main__":
    plt.show()
