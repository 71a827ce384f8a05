import numpy as np
import pytest
import torch

from reidzoo.errors import UserError
from reidzoo.losses import selective_cross_entropy
from reidzoo.methods.selective_contrastive import SelectiveContrastive
from reidzoo.methods.state import FeatureBank, PseudoLabels
from reidzoo.models import EmbedderOptions


def build(data, **options):
    """The method with the options and the banks of a golden file."""
    D = data["mixture_init"].shape[1]
    method = SelectiveContrastive(
        network=EmbedderOptions(backbone="small", weights=None, width=D // 8),
        positives=int(data["positive_num"]),
        startup_epochs=0,
        own_weight=float(data["lambda_t"]),
        neighbour_weight=float(data["alpha"]),
        parts_weight=float(data["lambda_p"]),
        temperature=1 / float(data["scale_t"]),
        **options,
    )
    method.mixture.reset(torch.from_numpy(data["mixture_init"]))
    return method


def build_searching(data, **options):
    method = build(
        data,
        negatives=int(data["negative_num"]),
        whole_distance=float(data["lambda_g"]),
        camera_penalty=float(data["lambda_c"]),
        **options,
    )
    method.search.reset(
        torch.from_numpy(data["global_bank_init"]),
        torch.from_numpy(data["local_bank_init"]).transpose(0, 1),
    )
    cameras = torch.from_numpy(data["cameras"])
    method.labels = PseudoLabels(torch.arange(len(cameras)), {"cameras": cameras})
    return method


def steps(data):
    """Outputs (leaves), batch and number of each step."""
    cameras = torch.from_numpy(data["cameras"])
    for t, index in enumerate(torch.from_numpy(data["index"])):
        out = {
            "global": torch.from_numpy(data["global_feats"][t]).requires_grad_(),
            "parts": torch.from_numpy(data["local_feats"][t].transpose(1, 0, 2)).requires_grad_(),
        }
        yield t, out, {"index": index, "camera": cameras[index]}


def finish(method, out, batch):
    method.update({name: value.detach() for name, value in out.items()}, batch)


@pytest.mark.parametrize("kind", ["frozen", "official"])
def test_golden(golden, kind):
    data = golden("selective")
    method = build_searching(data, official_inplace_update=kind == "official")
    P = int(data["positive_num"])
    for t, out, batch in steps(data):
        chosen, found = method.choose(out, batch)
        assert found == P
        assert np.array_equal(chosen[:, : P + 1], data["positives"][t])
        assert np.array_equal(chosen[:, P + 1 :], data["negatives"][t])
        same = torch.from_numpy(data["cameras"])[None] == batch["camera"][:, None]
        distance = (
            method.search.distance(out["global"], out["parts"]) + float(data["lambda_c"]) * same
        )
        np.testing.assert_allclose(distance.detach(), data["distance"][t], atol=1e-5, rtol=0)
        logits = method.mixture.logits(out["global"]).gather(1, chosen).detach()
        np.testing.assert_allclose(logits, data["logits_global"][t], atol=1e-4, rtol=0)

        terms = method.compute_loss(out, batch)
        share = float(data["lambda_p"])
        assert abs(terms["parts"].item() - share * data["loss_local"][t]) < 1e-4
        assert abs(terms["whole"].item() - (1 - share) * data["loss_global"][t]) < 1e-4
        torch.stack(list(terms.values())).sum().backward()
        for name, key in (("global", "global"), ("parts", "local")):
            expected = data[f"grad_{key}_{kind}"][t]
            expected = expected if name == "global" else expected.transpose(1, 0, 2)
            np.testing.assert_allclose(out[name].grad, expected, atol=5e-6, rtol=0)
        finish(method, out, batch)
    parts = data["local_bank_last"].transpose(1, 0, 2)
    np.testing.assert_allclose(
        method.search.whole.rows, data["global_bank_last"], atol=1e-5, rtol=0
    )
    np.testing.assert_allclose(method.search.parts.rows, parts, atol=1e-5, rtol=0)
    np.testing.assert_allclose(method.mixture.rows, data["mixture_last"], atol=1e-5, rtol=0)


def test_golden_of_the_first_epochs(golden):
    """The released negatives are random; loss, in-place gradient and mixture follow from them."""
    data = golden("selective_init")
    method = build(data)
    chosen = torch.from_numpy(np.concatenate([data["positives"], data["negatives"]], axis=1))
    weights = torch.tensor([float(data["lambda_t"])])
    branches = [
        torch.from_numpy(data["local_feats"].transpose(1, 0, 2)).flatten(1),
        torch.from_numpy(data["global_feats"]),
    ]
    gradients = method.mixture.gradients_in_place(branches, chosen, weights)
    scales = float(data["lambda_p"]), 1 - float(data["lambda_p"])
    for x, key, scale, gradient in zip(
        branches, ("local", "global"), scales, gradients, strict=True
    ):
        loss = selective_cross_entropy(method.mixture.logits(x).gather(1, chosen), weights)
        assert abs(float(loss) - data[f"loss_{key}"]) < 1e-4
        expected = data[f"grad_{key}_official"]
        expected = expected if key == "global" else expected.transpose(1, 0, 2).reshape(len(x), -1)
        np.testing.assert_allclose(scale * gradient, expected, atol=5e-6, rtol=0)
    method.mixture.absorb(branches, chosen[:, :1])
    np.testing.assert_allclose(method.mixture.rows, data["mixture_last"], atol=1e-5, rtol=0)


def test_start_up_draws_strangers_by_image_and_step(golden):
    data = golden("selective")
    method = build_searching(data)
    method.startup_epochs = 1
    _, out, batch = next(steps(data))
    chosen, P = method.choose(out, batch)
    assert P == 0
    assert torch.equal(chosen[:, 0], batch["index"])
    assert all(len(row.unique()) == len(row) for row in chosen)
    half = {name: value[3:] for name, value in batch.items()}
    again, _ = method.choose({name: value[3:] for name, value in out.items()}, half)
    assert torch.equal(again, chosen[3:])


def test_first_loss_over_the_empty_mixture(golden):
    """`own_weight ln(number of candidates)`, and no gradient, as the paper's memory starts at 0."""
    data = golden("selective")
    method = build_searching(data)
    method.startup_epochs = 1
    method.mixture.reset(torch.zeros_like(method.mixture.rows))
    _, out, batch = next(steps(data))
    loss = sum(method.compute_loss(out, batch).values())
    loss.backward()
    candidates = 1 + int(data["positive_num"]) + int(data["negative_num"])
    assert loss.item() == pytest.approx(0.5 * np.log(candidates), abs=1e-5)
    assert not out["global"].grad.any()


def test_images_of_unknown_camera_pay_no_penalty(golden):
    data = golden("selective")
    data["cameras"] = np.full_like(data["cameras"], -1)
    method = build_searching(data)
    _, out, batch = next(steps(data))
    chosen, _ = method.choose(out, batch)
    distance = method.search.distance(out["global"], out["parts"]).detach()
    assert torch.equal(chosen[:, 1], distance.scatter(1, batch["index"][:, None], 9).argmin(1))


def test_refuses_more_positives_than_images(network_of_32):
    method = SelectiveContrastive(network=network_of_32, positives=9)
    bank = FeatureBank({}, torch.zeros(10, dtype=torch.int64))
    with pytest.raises(UserError, match=r"--method.positives 9: needs 11 training images"):
        method.pseudo_label(bank, None, 0)


def test_refuses_stripes_that_do_not_divide_the_embedding(network_of_32):
    with pytest.raises(UserError, match=r"--method.stripes 7: must divide the 32 features"):
        SelectiveContrastive(network=network_of_32, stripes=7)
