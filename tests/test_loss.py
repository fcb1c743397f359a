"""The log-loss and its derivatives, in ulps of 60-digit arithmetic, from the middle to the last score a float holds."""

import mpmath
import numpy as np
import pytest
from sklearn.metrics import log_loss as log_loss_of_probabilities

from logreg import log_loss
from logreg.loss import terms

SCORES = np.concatenate(
    [
        np.linspace(-708, 708, 709),
        3 * np.random.default_rng(0).standard_normal(500),
        [-800.0, -745.0, -38.0, -37.0, -1e-10, -0.0, 0.0, 1e-300, 1e-10, 37.0, 38.0, 745.0, 800.0],
    ]
)
MODERATE = SCORES[np.abs(SCORES) < 30]


def exact_terms(z, y):
    """Return loss, residual and curvature of one row in 60 digits."""
    with mpmath.workdps(60):
        z = mpmath.mpf(float(z))
        wrong = -z if y else z
        e = mpmath.exp(-abs(z))
        p = 1 / (1 + mpmath.exp(-wrong))
        return max(wrong, mpmath.mpf(0)) + mpmath.log1p(e), -p if y else p, e / (1 + e) ** 2


def errors_in_ulps(computed, exact):
    def ulp(value):  # the spacing of the floats around a value, that of the subnormals at the least
        return mpmath.ldexp(1, max(int(mpmath.frexp(value)[1]), -1021) - 53)

    return np.array([float(abs(mpmath.mpf(float(a)) - b) / ulp(b)) for a, b in zip(computed, exact, strict=True)])


@pytest.mark.parametrize("y", [0, 1])
def test_loss_residual_and_curvature_are_exact_to_four_ulps_at_every_score(y):
    found = terms(SCORES[:, None], np.full(len(SCORES), y, dtype=np.int8))
    exact = zip(*(exact_terms(z, y) for z in SCORES), strict=True)
    for computed, truth in zip(found, exact, strict=True):
        assert errors_in_ulps(computed[:, 0], truth).max() <= 4


def test_residual_is_p_minus_y_and_never_rounds_to_zero():
    positive, negative = (terms(np.array([[z]]), np.ones(1)).residual[0, 0] for z in (700.0, -700.0))
    assert positive == pytest.approx(-np.exp(-700.0), rel=1e-15)  # where 1 - p is 0
    assert negative == -1.0
    p = 1 / (1 + np.exp(-MODERATE))
    for y in (0, 1):
        residual = terms(MODERATE[:, None], np.full(len(MODERATE), y)).residual[:, 0]
        np.testing.assert_allclose(residual, p - y, rtol=0, atol=1e-15)


def test_curvature_is_the_derivative_of_the_residual_and_that_of_the_loss():
    h = 1e-4
    for y in (0.0, 1.0):
        low, here, high = (terms((MODERATE + shift)[:, None], np.full(len(MODERATE), y)) for shift in (-h, 0.0, h))
        np.testing.assert_allclose((high.loss - low.loss) / (2 * h), here.residual, atol=1e-8)
        np.testing.assert_allclose((high.residual - low.residual) / (2 * h), here.curvature, atol=1e-8)


def test_each_model_has_its_own_column():
    scores = np.random.default_rng(1).standard_normal((20, 3))
    y = np.arange(20) % 2
    together = terms(scores, y)
    for k in range(3):
        for all_models, alone in zip(together, terms(scores[:, k : k + 1], y), strict=True):
            np.testing.assert_array_equal(all_models[:, k : k + 1], alone)


@pytest.mark.parametrize("weighted", [False, True])
def test_log_loss_is_the_mean_to_the_last_digits_where_probabilities_give_infinity(weighted):
    random = np.random.default_rng(2)
    z = random.uniform(-800, 800, 400)
    y = random.integers(0, 2, 400)
    s = random.random(400) if weighted else np.ones(400)
    exact = sum(w * exact_terms(*row)[0] for w, *row in zip(s.tolist(), z, y, strict=True)) / mpmath.fsum(s.tolist())
    found = log_loss(y, z, s if weighted else None)
    assert abs(found - exact) <= 1e-15 * exact
    with np.errstate(divide="ignore", over="ignore"):
        p = 1 / (1 + np.exp(-z))
        assert np.isinf(-np.log(np.where(y == 1, p, 1 - p)).mean())


@pytest.mark.parametrize("z", [-700.0, -40.0, -1.0, 0.0, 1.0, 40.0, 800.0])
def test_one_row_has_its_own_loss_however_small(z):
    exact = exact_terms(z, 0)[0]
    assert abs(log_loss([0], [z]) - exact) <= 1e-15 * exact
    assert log_loss([1], [-z]) == log_loss([0], [z])


@pytest.mark.parametrize("weighted", [False, True])
def test_moderate_scores_have_the_loss_of_their_probabilities(weighted):
    random = np.random.default_rng(3)
    z = 3 * random.standard_normal(1000)
    y = random.random(1000) < 0.3
    weight = random.integers(0, 3, 1000) if weighted else None
    assert log_loss(y, z, weight) == pytest.approx(
        log_loss_of_probabilities(y, 1 / (1 + np.exp(-z)), sample_weight=weight), rel=1e-13
    )


def test_weights_count_rows_and_their_unit_does_not_matter():
    y, z, weight = [0, 1, 1, 0], [0.3, -2.0, 5.0, 1.0], np.array([2.0, 0.0, 1.0, 3.0])
    assert log_loss(y, z, weight) == pytest.approx(log_loss([0, 0, 1, 0, 0, 0], [0.3, 0.3, 5.0, 1.0, 1.0, 1.0]))
    assert log_loss(y, z, 1e-300 * weight) == pytest.approx(log_loss(y, z, weight))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (([0, 1], [0.1]), r"equal length and not empty; got shapes \(2,\) and \(1,\)"),
        (([], []), "not empty"),
        (([[0, 1]], [[0.1, 0.2]]), "must be 1-d"),
        (([0, 2], [0.1, 0.2]), "y must hold only 0 and 1"),
        ((["no", "yes"], [0.1, 0.2]), "y must hold only 0 and 1"),
        (([0.0, np.nan], [0.1, 0.2]), "y must hold only 0 and 1"),
        (([0, 1], [0.1, 0.2], [1.0]), "one finite, non-negative number a row"),
        (([0, 1], [0.1, 0.2], [1.0, -1.0]), "one finite, non-negative number a row"),
        (([0, 1], [0.1, 0.2], [1.0, np.nan]), "one finite, non-negative number a row"),
        (([0, 1], [0.1, 0.2], [1.0, np.inf]), "one finite, non-negative number a row"),
        (([0, 1], [0.1, 0.2], [0.0, 0.0]), "must not all be 0"),
    ],
)
def test_bad_input_is_told_in_a_sentence(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        log_loss(*arguments)
