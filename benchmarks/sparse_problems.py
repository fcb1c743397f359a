"""The problems of text, one-hot and category columns."""

from __future__ import annotations

import numpy as np
import pandas as pd
from problem import Problem, real, real_frame
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer

CENSUS_NUMBERS = [
    "age", "wage_per_hour", "capital_gains", "capital_losses", "dividends_from_stocks",
    "num_persons_worked_for_employer", "weeks_worked_in_year",
]  # fmt: skip


def text(share=1.0, C=1.0):
    """200,000 x 40,000, 75 different words in a row."""
    return simulated_text(int(200_000 * share), 40_000, 75, seed=6, C=C)


def text_loose(share=1.0):
    """The same with a hundredth of the penalty."""
    return text(share, C=100.0)


def wide(share=1.0):
    """20,000 x 1,300,000, 450 different words in a row."""
    return simulated_text(int(20_000 * share), 1_300_000, 450, seed=8)


def spam(share=1.0):
    """SpamAssassin: which messages are spam."""
    return documents("spamassassin.csv.gz", "spam", share, "real data: messages, spam or not")


def movies(share=1.0):
    """Sentences of film reviews: which are positive."""
    return documents("movie_snippets.csv.gz", "positive", share, "real data: sentences of reviews, positive or not")


def flights_one_hot(share=1.0):
    """Every sixth of three million flights: more than 15 minutes late; date, origin and destination as one-hot CSR."""
    frame, late = delays(share, every=6)
    return Problem(one_hot(frame), late, 1.0, "real data, raw units: distance, and one-hot date, origin, destination")


def flights_codes(share=1.0):
    """Three million flights, date, origin and destination as category columns."""
    frame, late = delays(share, every=1)
    return Problem(frame, late, 1.0, "real data, raw units: distance, and date, origin, destination as categories")


def census_codes(share=1.0):
    """Census income (KDD): above 50,000 dollars; categories as category columns."""
    frame = real_frame("census_income_kdd.parquet", share)
    outcome = frame["gt50k"].to_numpy(np.int64)
    frame = frame.drop(columns=["gt50k", "set", "instance_weight"])
    categories = [name for name in frame if name not in CENSUS_NUMBERS]
    levels = frame[categories].astype("string").fillna("missing").astype("category")
    note = "real data, raw units, categories; a missing cell is a level of its own; no survey weights"
    return Problem(frame.astype(dict.fromkeys(CENSUS_NUMBERS, float)).assign(**levels), outcome, 1.0, note)


def no_intercept(make):
    """Return the same problem without an intercept, for the peers that would penalise it."""

    def made(share=1.0):
        problem = make(share)
        return problem._replace(intercept=False, note=problem.note + "; no intercept")

    return made


def simulated_text(rows, columns, words, seed, C=1.0):
    """Return tf-idf rows of length 1 whose words are drawn from Zipf's law, and outcomes of a sparse logistic model.

    A row has so many different words on average; three words in ten matter, scores have a standard deviation of 2.
    """
    random = np.random.default_rng(seed)
    drawn = int(1.33 * words)  # frequent words are drawn more than once
    share = np.cumsum(1.0 / np.arange(1, columns + 1))
    column = np.searchsorted(share, random.random((rows, drawn)) * share[-1]).astype(np.int32)
    X = sparse.csr_matrix((np.ones(rows * drawn), column.ravel(), drawn * np.arange(rows + 1)), shape=(rows, columns))
    X.sum_duplicates()
    idf = np.log((1 + rows) / (1 + np.bincount(X.indices, minlength=columns))) + 1.0
    X.data = (1.0 + np.log(X.data)) * idf[X.indices]
    X.data /= np.repeat(np.sqrt(np.add.reduceat(X.data**2, X.indptr[:-1])), np.diff(X.indptr))
    scores = X @ (random.standard_normal(columns) * (random.random(columns) < 0.3))
    scores = 2.0 * (scores - scores.mean()) / scores.std()
    y = (random.random(rows) < 1.0 / (1.0 + np.exp(-scores))).astype(np.int64)
    return Problem(X, y, C, f"words by Zipf's law, tf-idf, rows of length 1, {X.nnz / rows:.0f} stored numbers a row")


def documents(name, outcome, share, note):
    """Return texts as tf-idf."""
    table = pd.read_csv(real(name)).iloc[:: round(1 / share)]
    X = TfidfVectorizer(sublinear_tf=True, min_df=2).fit_transform(table["text"])
    return Problem(X, table[outcome].to_numpy(np.int64), 1.0, f"{note}, tf-idf, {X.nnz / X.shape[0]:.0f} words a row")


def delays(share, every):
    """Return flights with categories, and whether they were more than 15 minutes late."""
    frame = real_frame("flights_3m.parquet", share / every)
    late = (frame.pop("delay") > 15).to_numpy(np.int64)
    frame["date"] = frame["date"].dt.strftime("%Y-%m-%d")
    return frame.astype({"distance": float, "date": "category", "origin": "category", "destination": "category"}), late


def one_hot(frame):
    """Return a frame as CSR: its numbers, and one column a level, all in the order of the frame."""
    n, places, values, start = len(frame), [], [], 0
    for name in frame:
        is_category = isinstance(frame[name].dtype, pd.CategoricalDtype)
        places.append(start + (frame[name].cat.codes.to_numpy(np.int32) if is_category else np.zeros(n, np.int32)))
        values.append(np.ones(n) if is_category else frame[name].to_numpy(np.float64))
        start += len(frame[name].cat.categories) if is_category else 1
    ends = len(places) * np.arange(n + 1)
    return sparse.csr_matrix((np.column_stack(values).ravel(), np.column_stack(places).ravel(), ends), shape=(n, start))


PROBLEMS = {
    "text": text,
    "text-C100": text_loose,
    "text-no-intercept": no_intercept(text),
    "text-C100-no-intercept": no_intercept(text_loose),
    "spam": spam,
    "spam-no-intercept": no_intercept(spam),
    "movies": movies,
    "movies-no-intercept": no_intercept(movies),
    "flights-onehot": flights_one_hot,
    "flights-onehot-no-intercept": no_intercept(flights_one_hot),
    "flights-codes": flights_codes,
    "census-codes": census_codes,
    "wide": wide,
    "wide-no-intercept": no_intercept(wide),
}
