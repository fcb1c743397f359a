"""The table of a fit: estimates with their errors, how well it fits, and what to know before believing it."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import norm

from logreg.inference.chi_square import ChiSquare
from logreg.inference.information import Information
from logreg.loss import Array

DIGITS = 4  # significant, in print
NUMBERS = ("estimate", "std_error", "statistic", "p_value", "conf_low", "conf_high")
LOG_10 = float(np.log(10.0))


@dataclass(frozen=True)
class Summary:
    """What a fit found; printed, it is a table.

    Attributes
    ----------
    frame : DataFrame
        A row a coefficient, the intercept first: ``term, estimate, std_error, statistic, p_value, conf_low,
        conf_high``, and ``log10_p_value`` where a p-value is too small for a float.
    fit_frame : DataFrame
        One row: n, log_likelihood, null_log_likelihood, deviance, null_deviance, df, aic, bic, mcfadden, cox_snell,
        nagelkerke, tjur, lr_statistic, lr_p_value.
    title : str
        The objective that was minimised.
    notes : list of str
        Sentences to know before the numbers are believed.
    """

    frame: pd.DataFrame
    fit_frame: pd.DataFrame
    title: str
    notes: list[str]

    def __str__(self) -> str:
        """Return the tables and the notes as text."""
        return "\n".join([self.title, "", self._table(), "", *self._fit_lines(), *self._note_lines()])

    def __repr__(self) -> str:
        """Return the same as ``str``, as notebooks and terminals show it."""
        return str(self)

    def _repr_html_(self) -> str:
        """Return the tables for notebooks."""
        table = self.frame.set_index("term").map(shown).to_html(border=0)
        fit = self.fit_frame.map(shown).to_html(border=0, index=False)
        notes = "".join(f"<p>{escape(note)}</p>" for note in self.notes)
        return f"<p>{escape(self.title)}</p>{table}{fit}{notes}"

    def to_markdown(self) -> str:
        """Return the table of coefficients for Markdown."""
        names = list(self.frame.columns)
        rows = [[shown(value) for value in row] for row in self.frame.itertuples(index=False)]
        lines = [names, ["---"] + ["---:"] * (len(names) - 1), *rows]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)

    def to_latex(self) -> str:
        """Return the table of coefficients for LaTeX, with rules of the package booktabs."""
        names = list(self.frame.columns)
        rows = [[shown(value) for value in row] for row in self.frame.itertuples(index=False)]
        body = [" & ".join(map(latex, line)) + r" \\" for line in [names, *rows]]
        columns = "l" + "r" * (len(names) - 1)
        lines = [rf"\begin{{tabular}}{{{columns}}}", r"\toprule", body[0], r"\midrule", *body[1:]]
        return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"])

    def _table(self) -> str:
        return str(self.frame.map(shown).to_string(index=False))

    def _fit_lines(self) -> list[str]:
        if self.fit_frame.empty:
            return []
        fit = {name: shown(value) for name, value in self.fit_frame.iloc[0].items()}
        return [
            f"n {fit['n']}, log-likelihood {fit['log_likelihood']} (null {fit['null_log_likelihood']}), "
            f"deviance {fit['deviance']}, AIC {fit['aic']}, BIC {fit['bic']}",
            f"likelihood-ratio test {fit['lr_statistic']} on {fit['df']} degrees of freedom, p {fit['lr_p_value']}",
            f"R2: McFadden {fit['mcfadden']}, Cox-Snell {fit['cox_snell']}, Nagelkerke {fit['nagelkerke']}, "
            f"Tjur {fit['tjur']}",
        ]

    def _note_lines(self) -> list[str]:
        return ["", *self.notes] if self.notes else []


def shown(value: Any) -> str:
    """Return a number as it is printed: four significant digits."""
    if isinstance(value, (float, np.floating)):
        return f"{value:.{DIGITS}g}" if not float(value).is_integer() or abs(value) >= 10**DIGITS else f"{value:.0f}"
    return str(value)


def latex(text: str) -> str:
    """Return text with LaTeX's special characters escaped."""
    for character in "&%$#_{}":
        text = text.replace(character, f"\\{character}")
    return text


def two_sided(statistic: Array) -> tuple[Array, Array]:
    """Return p-values of normal statistics, and their logarithms to base 10, which do not underflow."""
    log_p = np.log(2.0) + norm.logsf(np.abs(statistic))
    return np.exp(log_p), log_p / LOG_10


def coefficient_frame(
    terms: list[str], estimates: Array, errors: Array, level: float, exponentiate: bool = False
) -> pd.DataFrame:
    """Return the table of coefficients with Wald statistics and intervals."""
    with np.errstate(invalid="ignore", divide="ignore"):
        statistic = estimates / errors
        p_value, log10_p_value = two_sided(statistic)
        reach = norm.isf((1.0 - level) / 2.0) * errors
        low, high = estimates - reach, estimates + reach
    if exponentiate:
        estimates, low, high = np.exp(estimates), np.exp(low), np.exp(high)
    columns = (estimates, errors, statistic, p_value, low, high)
    frame = pd.DataFrame({"term": terms} | dict(zip(NUMBERS, columns, strict=True)))
    if (p_value == 0.0).any():
        frame["log10_p_value"] = log10_p_value
    return frame


def fit_frame(information: Information, has_intercept: bool) -> pd.DataFrame:
    """Return how well a model fits, one row."""
    n, here, null = information.total_weight, information.log_likelihood, information.null_log_likelihood
    df, rank = information.rank - has_intercept, information.rank
    statistic = 2.0 * (here - null)
    cox_snell = -np.expm1(-statistic / n)
    return pd.DataFrame(
        {
            "n": [n],
            "log_likelihood": here,
            "null_log_likelihood": null,
            "deviance": -2.0 * here,
            "null_deviance": -2.0 * null,
            "df": df,
            "aic": 2.0 * rank - 2.0 * here,
            "bic": np.log(n) * rank - 2.0 * here,
            "mcfadden": 1.0 - here / null,
            "cox_snell": cox_snell,
            "nagelkerke": cox_snell / -np.expm1(2.0 * null / n),
            "tjur": information.discrimination,
            "lr_statistic": statistic,
            "lr_p_value": ChiSquare.of(statistic, df).p_value,
        }
    )
