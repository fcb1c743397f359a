import copy
import pickle
import subprocess
import sys

import numpy as np
import pytest

from logreg import LogisticRegression
from logreg.datasets import load_anes96, load_breast_cancer, load_nhefs, load_orings, load_titanic

DATA = [load_orings, load_titanic, load_anes96, load_nhefs]
EVERY_DATA = pytest.mark.parametrize("load", DATA, ids=lambda load: load.__name__)


@pytest.fixture
def torch():
    return pytest.importorskip("torch")


def fitted_on(load):
    X, y = load()
    clf = LogisticRegression().fit(X.to_numpy(dtype=float), y)
    return clf, X.to_numpy(dtype=float), y.to_numpy()


def probabilities(module, X):
    weight = next(module.parameters())
    return module(weight.new_tensor(X)).detach().cpu().numpy()


@pytest.mark.torch
@EVERY_DATA
def test_the_module_gives_the_probabilities_of_the_estimator(torch, load):
    clf, X, _ = fitted_on(load)
    single = clf.to_torch()
    assert probabilities(single, X).dtype == np.float32
    np.testing.assert_allclose(probabilities(single, X), clf.predict_proba(X)[:, 1], rtol=0, atol=1e-6)
    double = single.double()
    assert probabilities(double, X).shape == (len(X),)
    np.testing.assert_allclose(probabilities(double, X), clf.predict_proba(X)[:, 1], rtol=0, atol=1e-12)


@pytest.mark.torch
def test_columns_in_the_thousands_lose_no_digits_in_double(torch):
    clf, X, _ = fitted_on(load_breast_cancer)
    np.testing.assert_allclose(
        probabilities(clf.to_torch().double(), X), clf.predict_proba(X)[:, 1], rtol=0, atol=1e-12
    )


@pytest.mark.torch
def test_it_is_a_linear_layer_and_a_final_sigmoid(torch):
    clf, X, _ = fitted_on(load_anes96)
    module = clf.to_torch()
    assert isinstance(module, torch.nn.Module)
    assert [name for name, _ in module.named_children()] == ["linear", "activation"]
    assert isinstance(module.linear, torch.nn.Linear)
    assert isinstance(module.activation, torch.nn.Sigmoid)
    assert (module.linear.in_features, module.linear.out_features) == (X.shape[1], 1)
    assert list(module.state_dict()) == ["linear.weight", "linear.bias"]
    np.testing.assert_array_equal(module.linear.weight.detach(), clf.coef_.astype(np.float32))
    np.testing.assert_array_equal(module.linear.bias.detach(), clf.intercept_.astype(np.float32))


CONVERSIONS = {
    "double": lambda torch, module: module.double(),
    "to": lambda torch, module: module.to(torch.float64),
    "inside another module": lambda torch, module: torch.nn.Sequential(module).double()[0],
    "there and back": lambda torch, module: module.double().half().double(),
    "after a copy": lambda torch, module: copy.deepcopy(module).double(),
    "after pickle": lambda torch, module: pickle.loads(pickle.dumps(module)).double(),
    "after its own state was loaded": lambda torch, module: loaded(module, module.state_dict()).double(),
}


def loaded(module, state):
    module.load_state_dict(state)
    return module


@pytest.mark.torch
@pytest.mark.parametrize("convert", CONVERSIONS.values(), ids=CONVERSIONS.keys())
def test_every_way_to_float64_brings_all_digits_back(torch, convert):
    clf, _, _ = fitted_on(load_nhefs)
    module = convert(torch, clf.to_torch())
    np.testing.assert_array_equal(module.linear.weight.detach(), clf.coef_)
    np.testing.assert_array_equal(module.linear.bias.detach(), clf.intercept_)
    assert all(parameter.requires_grad and parameter.is_leaf for parameter in module.parameters())


@pytest.mark.torch
def test_what_was_trained_is_converted_as_it_is(torch):
    clf, X, y = fitted_on(load_anes96)
    module = clf.to_torch()
    module.linear.bias.requires_grad_(False)
    train(torch, module, X, y, n_steps=1)
    trained = module.linear.weight.detach().numpy().copy()
    assert not np.array_equal(trained, clf.coef_.astype(np.float32))
    module.double()
    np.testing.assert_array_equal(module.linear.weight.detach(), trained.astype(np.float64))
    np.testing.assert_array_equal(module.linear.bias.detach(), clf.intercept_)  # frozen, so still the fitted one


@pytest.mark.torch
def test_coefficients_loaded_from_elsewhere_are_converted_as_they_are(torch):
    clf, _, _ = fitted_on(load_anes96)
    other = {"linear.weight": torch.full((1, 9), 0.1), "linear.bias": torch.zeros(1)}
    module = loaded(clf.to_torch(), other).double()
    np.testing.assert_array_equal(module.linear.weight.detach(), np.full((1, 9), np.float32(0.1), dtype=np.float64))
    np.testing.assert_array_equal(module.linear.bias.detach(), [0.0])


def train(torch, module, X, y, n_steps):
    """Take a few steps of gradient descent, and return the log-losses before each and after the last."""
    weight = module.linear.weight
    X, y = weight.new_tensor(X), weight.new_tensor(y)
    optimizer = torch.optim.SGD((p for p in module.parameters() if p.requires_grad), lr=0.1)
    losses = []
    for _ in range(n_steps):
        loss = torch.nn.BCELoss()(module(X), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return [*losses, torch.nn.BCELoss()(module(X), y).item()]


@pytest.mark.torch
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_it_can_be_trained_onward_to_the_unpenalised_optimum(torch, dtype):
    X, y = load_anes96()
    X = ((X - X.mean()) / X.std()).to_numpy()
    y = y.to_numpy()
    module = LogisticRegression(C=1e-3).fit(X, y).to_torch().to(getattr(torch, dtype))
    best = LogisticRegression(penalty=None).fit(X, y).objective_
    losses = train(torch, module, X, y, n_steps=20)
    assert (np.diff(losses) < 0).all()
    assert best < losses[-1] < 0.8 * losses[0]


@pytest.mark.torch
def test_at_the_optimum_of_the_fit_torch_finds_no_slope(torch):
    X, y = load_anes96()
    module = LogisticRegression(penalty=None, tol=1e-9).fit(X, y).to_torch().double()
    loss = torch.nn.BCELoss()(module(torch.tensor(X.to_numpy(dtype=float))), torch.tensor(y.to_numpy(dtype=float)))
    loss.backward()
    assert module.linear.weight.grad.abs().max() < 1e-10
    assert module.linear.bias.grad.abs().max() < 1e-10


@pytest.mark.torch
def test_training_onward_leaves_the_estimator_alone(torch):
    clf, X, y = fitted_on(load_anes96)
    before = clf.coef_.copy(), clf.intercept_.copy()
    module = clf.to_torch().double()
    train(torch, module, X, y, n_steps=3)
    assert not np.array_equal(module.linear.weight.detach(), clf.coef_)
    np.testing.assert_array_equal(clf.coef_, before[0])
    np.testing.assert_array_equal(clf.intercept_, before[1])


@pytest.mark.torch
def test_one_row_gives_one_probability(torch):
    clf, X, _ = fitted_on(load_orings)
    assert clf.to_torch()(torch.tensor(X[:1], dtype=torch.float32)).shape == (1,)


def test_without_torch_the_error_says_what_to_install(monkeypatch):
    clf, _, _ = fitted_on(load_orings)
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "logreg.unit", raising=False)
    with pytest.raises(ImportError, match=r'pip install "logreg\[torch\]"'):
        clf.to_torch()


def test_predicting_does_not_import_torch():
    code = (
        "import sys, logreg; from logreg.datasets import load_orings; X, y = load_orings(); "
        "logreg.LogisticRegression().fit(X, y).predict_proba(X); print('torch' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"
