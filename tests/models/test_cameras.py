import pytest
import torch
import torch.nn.functional as F

from reidzoo.models import CameraClassifier, reverse_gradient

NAMES = {
    "d_fc1": "first.0",
    "d_bn1": "first.1",
    "d_fc2": "second.0",
    "d_bn2": "second.1",
    "d_fc3": "second.3",
}


@pytest.fixture
def numbers(golden):
    return {name: torch.from_numpy(value) for name, value in golden("calr_domain").items()}


def _classifier(numbers):
    classifier = CameraClassifier(512, int(numbers["num_cams"]))
    state = classifier.state_dict()
    for key, value in numbers.items():
        if key.startswith("param_"):
            layer, kind = key.removeprefix("param_").rsplit("_", 1)
            name = f"{NAMES[layer]}.{kind}"
            if name in state:  # all but the biases in front of a norm
                state[name] = value
    classifier.load_state_dict(state)
    return classifier


@pytest.mark.parametrize("kind", ["official", "nll"])
def test_classifier_and_reversal_equal_the_original_code(numbers, kind):
    classifier = _classifier(numbers)
    x = numbers["x"].requires_grad_()
    out = classifier(x, alpha=float(numbers["alpha"]))
    torch.testing.assert_close(out, numbers["log_softmax"], rtol=1e-4, atol=1e-5)
    # The released code feeds probabilities to a cross-entropy that expects logits.
    logits = out.exp() if kind == "official" else out
    loss = F.cross_entropy(logits, numbers["cams"])
    torch.testing.assert_close(loss, numbers[f"{kind}_loss"], rtol=1e-4, atol=1e-5)
    loss.backward()
    close = {"rtol": 1e-4, "atol": 1e-6}
    torch.testing.assert_close(x.grad, numbers[f"{kind}_grad_x"], **close)
    torch.testing.assert_close(-x.grad, numbers[f"{kind}_grad_x_plain"], **close)
    for name, layer in (("fc1", "d_fc1"), ("fc3", "d_fc3")):
        gradient = classifier.get_submodule(NAMES[layer]).weight.grad
        torch.testing.assert_close(gradient, numbers[f"{kind}_grad_{name}_weight"], **close)


def test_the_reversal_is_scaled_and_leaves_values_alone():
    x = torch.randn(3, 2, requires_grad=True)
    out = reverse_gradient(x, alpha=0.25)
    assert out.equal(x)
    out.backward(torch.ones(3, 2))
    assert x.grad.equal(torch.full((3, 2), -0.25))


def test_log_probabilities_stay_fp32_under_autocast():
    torch.manual_seed(0)
    classifier, rows = CameraClassifier(8, 3), torch.randn(6, 8)
    expected = classifier(rows)
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(classifier(rows), expected, rtol=0, atol=0)
