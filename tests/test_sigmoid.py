import copy
import pickle
import subprocess
import sys
import types
from pathlib import Path

import mpmath
import numpy as np
import pandas as pd
import pytest

import logreg.sigmoid
from logreg.sigmoid import SCurve, arctan, log_sigmoid, logistic, logit, sigmoid, softplus, tanh

CURVES = [logistic, tanh, arctan]
FUNCTIONS = {
    "logit": logit,
    "softplus": softplus,
    "log_sigmoid": log_sigmoid,
    **{curve.name: curve for curve in CURVES},
    **{f"{c.name}.{part}": getattr(c, part) for c in CURVES for part in ("derivative", "slope", "inverse")},
}
EVERY_FUNCTION = pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)
EVERY_CURVE = pytest.mark.parametrize("curve", CURVES, ids=lambda curve: curve.name)
EXTREMES = [
    -np.inf,
    -1e300,
    -800.0,
    -745.0,
    -709.0,
    -1.0,
    -5e-324,
    -0.0,
    0.0,
    0.25,
    0.5,
    1.0,
    37.0,
    710.0,
    1e300,
    np.inf,
]


def errors_in_ulps(computed, truth):
    """Return the errors of floats, each in units of the last place of its true value, subnormals included."""
    info = np.finfo(computed.dtype)
    errors = []
    for value, exact in zip(computed.tolist(), truth, strict=True):
        exponent = max(int(mpmath.frexp(exact)[1]), info.minexp + 1)
        errors.append(float(abs(value - exact) / mpmath.ldexp(1, exponent - info.nmant - 1)))
    return np.array(errors)


def scores_of_every_size(dtype, limit):
    """Return a dense sweep of [-limit, limit], random scores, tiny ones, and the region of subnormal results."""
    rng = np.random.default_rng(0)
    normal_limit = -np.log(np.finfo(dtype).tiny)
    scores = [
        np.linspace(-limit, limit, 1501),
        rng.uniform(-limit, limit, 500),
        rng.normal(scale=5.0, size=1500),
        rng.uniform(-limit, -normal_limit, 300),
        rng.choice([-1.0, 1.0], 200) * 10.0 ** rng.uniform(-18, 0, 200),
    ]
    return np.concatenate(scores).astype(dtype)


@pytest.fixture(autouse=True)
def _precise_truth():
    with mpmath.workprec(200):
        yield


# What the functions are worth


@pytest.mark.parametrize(("dtype", "limit"), [(np.float64, 745.0), (np.float32, 104.0)])
def test_logistic_is_within_two_ulps_of_the_truth(dtype, limit):
    x = scores_of_every_size(dtype, limit)
    truth = [1 / (1 + mpmath.exp(-mpmath.mpf(score))) for score in x.tolist()]
    assert errors_in_ulps(logistic(x), truth).max() <= 2.0


@pytest.mark.parametrize(("dtype", "limit"), [(np.float64, 745.0), (np.float32, 104.0)])
def test_the_other_probability_is_as_accurate_at_minus_x(dtype, limit):
    x = scores_of_every_size(dtype, limit)[::5]
    with mpmath.workprec(1200):
        truth = [1 - 1 / (1 + mpmath.exp(-mpmath.mpf(score))) for score in x.tolist()]
        assert errors_in_ulps(logistic(-x), truth).max() <= 2.0


def test_a_python_float_is_as_accurate_as_an_array():
    x = scores_of_every_size(np.float64, 745.0)[::3]
    truth = [1 / (1 + mpmath.exp(-mpmath.mpf(score))) for score in x.tolist()]
    assert errors_in_ulps(np.array([logistic(score) for score in x.tolist()]), truth).max() <= 2.0


def test_no_ulp_is_added_where_the_one_in_the_denominator_is_rounded_away():
    x = np.random.default_rng(1).uniform(-36.82, -36.72, 3000)
    truth = [1 / (1 + mpmath.exp(-mpmath.mpf(score))) for score in x.tolist()]
    assert errors_in_ulps(logistic(x), truth).max() <= 2.0


@pytest.mark.parametrize(
    ("function", "exact", "points"),
    [
        (softplus, lambda x: mpmath.log1p(mpmath.exp(x)), np.linspace(-745, 745, 1001)),
        (log_sigmoid, lambda x: -mpmath.log1p(mpmath.exp(-x)), np.linspace(-745, 745, 1001)),
        (logit, lambda p: mpmath.log(p / (1 - p)), np.linspace(0.001, 0.999, 998)),
        (logit, lambda p: mpmath.log(p / (1 - p)), 0.5 + np.geomspace(1e-15, 0.4, 50)),
        (logit, lambda p: mpmath.log(p / (1 - p)), 10.0 ** -np.arange(1.0, 320.0)),
        (logistic.slope, lambda x: mpmath.exp(-x) / (1 + mpmath.exp(-x)) ** 2, np.linspace(-700, 700, 801)),
        (tanh.slope, lambda x: mpmath.sech(x) ** 2, np.linspace(-350, 350, 801)),
        (arctan.slope, lambda x: 1 / (1 + x**2), np.linspace(-700, 700, 801)),
    ],
)
def test_log_forms_logit_and_slopes_keep_their_relative_precision(function, exact, points):
    with mpmath.workprec(2500):
        truth = [exact(mpmath.mpf(point)) for point in points.tolist()]
        assert errors_in_ulps(function(points), truth).max() <= 4.0


@EVERY_FUNCTION
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.longdouble])
def test_nothing_ever_warns(function, dtype):
    with np.errstate(over="ignore"):
        x = np.array([*EXTREMES, np.nan]).astype(dtype)
    with np.errstate(all="raise"):
        function(x)
        for number in x:
            function(number)
            function(float(number))


@EVERY_FUNCTION
def test_nan_stays_nan(function):
    assert np.isnan(function(np.nan))
    assert np.isnan(function(np.array([0.5, np.nan]))).tolist() == [False, True]


@EVERY_CURVE
def test_limits_are_reached_exactly_at_infinity(curve):
    low, high = curve.range
    assert curve([-np.inf, np.inf]).tolist() == [low, high]
    assert curve(-np.inf) == low
    assert curve(np.inf) == high
    assert curve.slope([-np.inf, np.inf]).tolist() == [0.0, 0.0]


@EVERY_CURVE
def test_curves_rise_between_their_limits(curve):
    value = curve(np.linspace(-800, 800, 100_001))
    assert np.all(np.diff(value) >= 0)
    assert np.all((value >= curve.range[0]) & (value <= curve.range[1]))
    assert np.all(np.diff(curve(np.linspace(-15, 15, 10_001))) > 0)


@EVERY_CURVE
def test_curves_are_symmetric_about_zero(curve):
    x = np.linspace(0, 50, 2001)
    np.testing.assert_allclose(curve(-x), sum(curve.range) - curve(x), rtol=0, atol=2.3e-16)
    np.testing.assert_array_equal(curve.slope(-x), curve.slope(x))


@EVERY_CURVE
def test_derivative_from_the_value_is_the_slope(curve):
    x = np.linspace(-30, 30, 1201)
    np.testing.assert_allclose(curve.derivative(curve(x)), curve.slope(x), rtol=0, atol=4e-16)
    difference = (curve(x + 1e-5) - curve(x - 1e-5)) / 2e-5
    np.testing.assert_allclose(curve.slope(x), difference, rtol=0, atol=1e-9)


def test_slope_keeps_the_digits_that_the_rounded_value_has_lost():
    x = np.linspace(18, 80, 63, dtype=np.float32)
    assert np.all(logistic.derivative(logistic(x)) == 0)
    np.testing.assert_allclose(logistic.slope(x), np.exp(-x.astype(float)), rtol=1e-6)
    np.testing.assert_allclose(logistic.derivative(logistic(-x)), logistic.slope(x), rtol=1e-6)


@EVERY_CURVE
def test_inverse_leads_back_as_far_as_rounding_the_value_allows(curve):
    x = np.linspace(-18, 18, 3601)
    lost = np.abs(curve(x)) / curve.slope(x)
    assert np.all(np.abs(curve.inverse(curve(x)) - x) <= 2.3e-16 * (2 * np.abs(x) + 2 * lost))


def test_logit_leads_back_from_the_deepest_tail():
    x = np.linspace(-740, -1, 740)
    np.testing.assert_allclose(logit(logistic(x)), x, atol=0.01)
    np.testing.assert_allclose(logit(logistic(x[x > -700])), x[x > -700], rtol=1e-14)


def test_logit_is_infinite_at_the_ends_and_undefined_outside():
    np.testing.assert_array_equal(logit([0.0, 1.0, -0.1, 1.1]), [-np.inf, np.inf, np.nan, np.nan])


def test_softplus_and_log_sigmoid_are_stable_at_both_ends():
    assert softplus([-800.0, 800.0]).tolist() == [0.0, 800.0]
    assert log_sigmoid([-800.0, 800.0]).tolist() == [-800.0, 0.0]
    x = np.linspace(-40, 40, 801)
    np.testing.assert_array_equal(log_sigmoid(x), -softplus(-x))
    np.testing.assert_allclose(log_sigmoid(x), np.log(logistic(x)), rtol=1e-13, atol=2.3e-16)


# What goes in comes out


@EVERY_FUNCTION
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 3), (0, 4), (2, 0, 3)])
def test_arrays_keep_dtype_and_shape(function, dtype, shape):
    result = function(np.full(shape, 0.375, dtype))
    assert type(result) is np.ndarray
    assert result.dtype == dtype
    assert result.shape == shape


@EVERY_FUNCTION
def test_narrow_floats_are_the_rounded_float64_result(function):
    x = np.linspace(0.01, 0.99, 99).astype(np.float32)
    np.testing.assert_array_equal(function(x), function(x.astype(np.float64)).astype(np.float32))


@EVERY_FUNCTION
@pytest.mark.parametrize("values", [[0, 1, 1, 0], [False, True, True, False]])
def test_integers_and_booleans_count_as_float64(function, values):
    result = function(np.array(values))
    assert result.dtype == np.float64
    np.testing.assert_array_equal(result, function(np.array(values, dtype=np.float64)))


def test_long_doubles_become_float64():
    assert logistic(np.array([0.5], dtype=np.longdouble)).tolist() == logistic(np.array([0.5])).tolist()
    assert logistic(np.array([0.5], dtype=np.longdouble)).dtype == np.float64


@EVERY_FUNCTION
def test_lists_become_arrays_and_numbers_become_scalars(function):
    expected = function(np.array([0.25, 0.75]))
    for values in ([0.25, 0.75], (0.25, 0.75)):
        np.testing.assert_array_equal(function(values), expected)
    assert type(function(0.25)) is np.float64
    assert type(function(np.float64(0.25))) is np.float64
    assert type(function(np.float32(0.25))) is np.float32
    assert type(function(1)) is np.float64
    np.testing.assert_allclose(function(0.25), expected[0], rtol=3e-16)


@EVERY_FUNCTION
@pytest.mark.parametrize(
    "view",
    [
        lambda x: x[::2],
        lambda x: x[::-1],
        lambda x: x.reshape(60, 1000).T,
        lambda x: x.reshape(60, 1000)[::3, 5:900:7],
        lambda x: np.broadcast_to(x[:7], (5, 7)),
        lambda x: x.astype(x.dtype.newbyteorder()),
    ],
    ids=["every second", "reversed", "transposed", "a window", "broadcast", "the other byte order"],
)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_memory_layout_does_not_matter(function, view, dtype):
    x = view(np.linspace(0.001, 0.999, 60_000).astype(dtype))
    plain = np.array(x, dtype=dtype, order="C")
    np.testing.assert_array_equal(function(x), function(plain))


@pytest.mark.parametrize("size", [1, 16_383, 16_384, 16_385, 50_001])
def test_blocks_join_without_a_seam(size):
    x = np.random.default_rng(size).normal(scale=10.0, size=size)
    kept = x.copy()
    x.setflags(write=False)
    in_pieces = np.concatenate([logistic(piece) for piece in np.array_split(x, 7)])
    np.testing.assert_array_equal(logistic(x), in_pieces)
    np.testing.assert_array_equal(x, kept)


def test_one_overflowing_score_leaves_its_neighbours_alone():
    x = np.array([-3.0, 720.0, np.nan, np.inf, 0.5])
    np.testing.assert_array_equal(logistic(x), [*logistic(x[:1]), 1.0, np.nan, 1.0, *logistic(x[4:])])


@EVERY_FUNCTION
@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "bool"])
def test_a_series_comes_back_with_index_and_name(function, dtype):
    series = pd.Series([0, 1, 1], index=["a", "b", "c"], name="score", dtype=dtype)
    expected = function(series.to_numpy())
    pd.testing.assert_series_equal(function(series), pd.Series(expected, index=series.index, name="score"))


@pytest.mark.parametrize(
    ("dtype", "result_dtype"),
    [("Float64", "Float64"), ("Float32", "Float32"), ("Int64", "Float64"), ("boolean", "Float64")],
)
def test_a_nullable_series_keeps_its_missing_values(dtype, result_dtype):
    result = logistic(pd.Series([1, None, 0], index=[7, 8, 9], name="score", dtype=dtype))
    expected = pd.Series([logistic(1.0), None, 0.5], index=[7, 8, 9], name="score", dtype=result_dtype)
    pd.testing.assert_series_equal(result, expected)


@EVERY_FUNCTION
@pytest.mark.parametrize(
    "values",
    ["0.5", ["0.5"], 1j, [1j], None, [None, 0.5], np.array(["2020-01-01"], dtype="M8[D]"), pd.Series(["a"])],
    ids=str,
)
def test_anything_but_real_numbers_is_refused_in_one_sentence(function, values):
    with pytest.raises(TypeError, match=r"^The values must be real numbers, but their dtype is .*\.$"):
        function(values)


# PyTorch


@pytest.mark.torch
@EVERY_FUNCTION
@pytest.mark.parametrize("name", ["float16", "bfloat16", "float32", "float64"])
def test_tensors_keep_dtype_device_and_shape(function, name):
    torch = pytest.importorskip("torch")
    x = torch.linspace(0.1, 0.9, 6).reshape(2, 3).to(getattr(torch, name))
    result = function(x)
    assert isinstance(result, torch.Tensor)
    assert (result.dtype, result.device, result.shape) == (x.dtype, x.device, x.shape)
    ulps = 0.51 if name in ("float16", "bfloat16") else 4  # halves are rounded once, from float32
    tolerance = ulps * torch.finfo(x.dtype).eps
    np.testing.assert_allclose(result.double(), function(x.double().numpy()), rtol=tolerance)


@pytest.mark.torch
def test_tensors_agree_with_arrays_to_the_last_digits():
    torch = pytest.importorskip("torch")
    x = scores_of_every_size(np.float64, 745.0)
    for function in (logistic, softplus, log_sigmoid, logistic.slope):
        np.testing.assert_allclose(function(torch.from_numpy(x)), function(x), rtol=1e-15, atol=1e-323)
    assert logistic(torch.tensor([-torch.inf, torch.inf])).tolist() == [0.0, 1.0]
    assert torch.isnan(logistic(torch.tensor(torch.nan)))


@pytest.mark.torch
def test_integer_tensors_become_float64_and_complex_ones_are_refused():
    torch = pytest.importorskip("torch")
    assert logistic(torch.tensor([0, 1])).dtype == torch.float64
    assert logistic(torch.tensor([False, True])).tolist() == [0.5, logistic(1.0)]
    with pytest.raises(TypeError, match=r"torch\.complex64"):
        logistic(torch.tensor([1j]))


@pytest.mark.torch
@pytest.mark.parametrize("name", ["float32", "float64"])
@pytest.mark.parametrize(
    ("function", "slope"),
    [
        (logistic, logistic.slope),
        (tanh, tanh.slope),
        (arctan, arctan.slope),
        (softplus, logistic),
        (log_sigmoid, lambda x: logistic(-x)),
    ],
    ids=["logistic", "tanh", "arctan", "softplus", "log_sigmoid"],
)
def test_the_gradient_flows_and_is_the_slope(function, slope, name):
    torch = pytest.importorskip("torch")
    numbers = [-torch.inf, -800.0, -30.0, -1.0, -0.0, 0.0, 0.5, 2.0, 30.0, 800.0, torch.inf]
    x = torch.tensor(numbers, dtype=getattr(torch, name), requires_grad=True)
    (gradient,) = torch.autograd.grad(function(x).sum(), x)
    eps = torch.finfo(x.dtype).eps
    np.testing.assert_allclose(gradient, slope(x.detach()), rtol=8 * eps, atol=eps)


@pytest.mark.torch
def test_the_gradient_of_the_logistic_is_s_times_one_minus_s_in_both_tails():
    torch = pytest.importorskip("torch")
    x = torch.linspace(-80, 80, 161, requires_grad=True)
    s = logistic(x)
    (gradient,) = torch.autograd.grad(s.sum(), x)
    np.testing.assert_allclose(gradient, (s * (1 - s)).detach(), rtol=0, atol=1.2e-7)
    np.testing.assert_allclose(gradient, (s * logistic(-x)).detach(), rtol=1e-6)


@pytest.mark.torch
def test_second_derivatives_are_right_at_zero_where_fits_start():
    torch = pytest.importorskip("torch")
    x = torch.tensor([-1.0, 0.0, 2.0], dtype=torch.float64, requires_grad=True)
    for function in (logistic, tanh, arctan, softplus, log_sigmoid):
        assert torch.autograd.gradgradcheck(function, (x,))


# The module and its objects


def test_the_module_is_the_function_too():
    assert isinstance(logreg.sigmoid, types.ModuleType)
    assert logreg.sigmoid(0.0) == 0.5
    np.testing.assert_array_equal(logreg.sigmoid([-1.0, 2.0]), logistic([-1.0, 2.0]))
    assert logreg.sigmoid.logistic is logreg.sigmoid.sigmoid is sigmoid is logistic


def test_curves_are_values():
    assert [(curve.name, curve.range) for curve in CURVES] == [
        ("logistic", (0.0, 1.0)),
        ("tanh", (-1.0, 1.0)),
        ("arctan", (-np.pi / 2, np.pi / 2)),
    ]
    assert len({*CURVES, *copy.deepcopy(CURVES), *pickle.loads(pickle.dumps(CURVES))}) == 3
    assert repr(logistic) == "SCurve(name='logistic', range=(0.0, 1.0))"
    with pytest.raises(AttributeError):
        logistic.name = "other"
    assert all(isinstance(curve, SCurve) for curve in CURVES)


def test_importing_the_curves_imports_no_heavy_library():
    code = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location("curves_alone", sys.argv[1])
sys.modules["curves_alone"] = module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
assert module([0.0, 1.0])[0] == 0.5
print({"torch", "pandas", "numba", "matplotlib", "sklearn", "scipy"} & set(sys.modules))
"""
    path = str(Path(logreg.sigmoid.__file__))
    run = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"


def test_importing_the_package_room_leaves_optional_libraries_alone():
    code = "import logreg.sigmoid, sys; print({'torch', 'numba', 'matplotlib'} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"
