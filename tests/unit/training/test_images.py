"""Patches, losses and whole-body inference: thin over MONAI, so what is tested is how it is put together."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
import torch
from lymphoma.imaging.volume import Volume
from lymphoma.training.images import Augmentation, infer_whole, segmentation_loss
from lymphoma.training.task import Draw

from tests.unit.training.image_tasks import as_case, load, patch_maker, subject

pytestmark = pytest.mark.unit

STILL = Augmentation(flip_axes=(), rotate_deg=0, scale=0, intensity_scale=0, intensity_shift=0, noise=0)


def draw(step: int, seed: int = 1) -> Draw:
    return Draw(seed, step, 0, step)


def test_the_same_draw_gives_the_same_patches_in_any_order() -> None:
    cases, maker = [load(subject(number)) for number in (1, 2)], patch_maker()
    first = maker(cases, draw(3))
    other = maker(cases, draw(4))
    again = patch_maker()(cases, draw(3))
    assert first.image.shape == (2, 2, 32, 32, 32)
    assert first.label.shape == (2, 1, 32, 32, 32)
    assert (first.image.dtype, first.label.dtype) == (torch.float32, torch.int64)
    assert torch.equal(first.image, again.image)
    assert torch.equal(first.label, again.label)
    assert not torch.equal(first.image, other.image)
    assert torch.equal(maker(cases, draw(3)).image, first.image)


def test_image_and_label_move_together() -> None:
    """Where the label is 1 the SUV is 6, under flips, turns and scaling; noise and intensities are left out."""
    maker = patch_maker(augmentation=Augmentation(share=1.0, intensity_scale=0, intensity_shift=0, noise=0))
    patches = maker([load(subject(number)) for number in range(4)] * 2, draw(0))
    inside = patches.image[:, 0][patches.label[:, 0] > 0]
    # edges are half way between 1 and 6 after turning; SUV / 5
    assert inside.mean() > 1.05
    assert patches.image[:, 0][patches.label[:, 0] == 0].mean() < 0.35


def test_sixty_percent_are_centred_in_foreground() -> None:
    lesions = np.zeros((48, 48, 48), np.uint16)
    lesions[20:26, 20:26, 20:26] = 1
    case = as_case(subject(0), np.ones(lesions.shape, np.float32), lesions)
    maker = patch_maker(size=(8, 8, 8), augmentation=STILL)
    label = torch.cat([maker([case] * 50, draw(step)).label for step in range(6)])
    share = float(label[:, 0, 4, 4, 4].float().mean())
    # binomial with n = 300: .6 +- 3 x .028; a random centre meets the lesion in 0.2 % of the volume
    assert 0.51 < share < 0.69


def test_spacing_follows_the_order_of_the_array() -> None:
    """A grid of 2 x 3 x 4 mm (x, y, z), so array steps of 4, 3 and 2 mm (k, j, i), brought to 2 x 6 x 4 mm."""
    ramp = np.broadcast_to(np.arange(20, dtype=np.float32)[:, None, None], (20, 24, 30)).copy()
    base = as_case(subject(0), ramp, np.ones(ramp.shape, np.uint16))
    affine = np.diag([2.0, 3.0, 4.0, 1.0])
    case = type(base)(
        base.subject,
        Volume(base.suv.array, affine),
        Volume(base.ct_hu.array, affine),
        Volume(base.lesions.array, affine) if base.lesions else None,
        base.anatomy,
    )
    maker = patch_maker(spacing_mm=(2.0, 6.0, 4.0), size=(39, 12, 15), augmentation=STILL)
    image = maker([case], draw(0)).image[0, 0] * 5
    # 19 steps of 4 mm become 38 of 2 mm: the ramp rises by half a unit a slice
    assert image.shape == (39, 12, 15)
    assert torch.allclose(image[:, 5, 5], torch.arange(39) / 2, atol=1e-4)


def test_a_case_smaller_than_the_patch_is_padded() -> None:
    patches = patch_maker(size=(64, 48, 40), augmentation=STILL)([load(subject(1))], draw(0))
    assert patches.image.shape == (1, 2, 64, 48, 40)
    assert int((patches.label > 0).sum()) == int((load(subject(1)).lesions.array > 0).sum())


def test_loss_of_a_perfect_and_of_a_wrong_answer() -> None:
    label = torch.zeros(1, 1, 8, 8, 8, dtype=torch.int64)
    label[..., 2:6, 2:6, 2:6] = 1
    sure = 20.0 * torch.cat([1.0 - 2 * label, 2.0 * label - 1], dim=1)
    loss = segmentation_loss(classes=2, deep_supervision=False)
    # cross-entropy and Dice of a certain right answer are 0; MONAI smooths Dice by 1e-5
    assert float(loss(sure, label)) == pytest.approx(0, abs=1e-5)
    # wrong everywhere: Dice loss 1, cross-entropy the gap of 40 between the logits
    assert float(loss(-sure, label)) == pytest.approx(41, rel=1e-4)


def test_deep_supervision_weighs_by_halves_to_a_sum_of_one() -> None:
    torch.default_generator.manual_seed(0)
    label = (torch.rand(1, 1, 16, 16, 16) > 0.7).long()
    outputs = [torch.randn(1, 2, edge, edge, edge) for edge in (16, 8, 4)]
    single = segmentation_loss(classes=2, deep_supervision=False)
    smaller = [label] + [
        torch.nn.functional.interpolate(label.float(), size=(edge,) * 3, mode="nearest-exact") for edge in (8, 4)
    ]
    expected = sum(w * single(out, lab) for w, out, lab in zip((4 / 7, 2 / 7, 1 / 7), outputs, smaller, strict=True))
    given = segmentation_loss(classes=2, deep_supervision=True)(outputs, label)
    assert float(given) == pytest.approx(float(expected), rel=1e-5)


class Brighter(torch.nn.Module):
    """Voxel by voxel, so windows must not show."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return torch.cat([image, 2 * image], dim=1)


@pytest.mark.parametrize("options", [{}, {"overlap": 0.5, "windows_at_once": 3}])
def test_windows_leave_no_seam(options: Mapping[str, float]) -> None:
    image = torch.from_numpy(np.random.default_rng(0).normal(size=(1, 1, 37, 20, 50)).astype(np.float32))
    given = infer_whole(Brighter(), image, (16, 16, 16), device=torch.device("cpu"), **options)
    # sums of Gaussian weights in float32
    assert torch.allclose(given, torch.cat([image, 2 * image], dim=1), atol=1e-5)
    assert given.device.type == "cpu"


def test_patches_about_what_is_easily_taken_for_foreground() -> None:
    """Thirds of lesion, hot background and anything else, each told by the value at the patch's centre."""
    values = np.zeros((24, 24, 24), dtype=np.float32)
    found = np.zeros(values.shape, dtype=np.uint16)
    found[4:7, 4:7, 4:7], values[16:19, 16:19, 16:19] = 1, 9.0
    values[found > 0] = 20.0
    case = as_case(subject(1), values, found)
    plain = Augmentation(flip_axes=(), rotate_deg=0, scale=0, intensity_scale=0, intensity_shift=0, noise=0)
    maker = patch_maker(
        size=(9, 9, 9),
        augmentation=plain,
        foreground_share=1 / 3,
        hard=lambda one: one.suv.array >= 4.0,
        hard_share=1 / 3,
    )
    made = maker([case] * 300, Draw(5, 0, 0, 0))
    suv = made.image[:, 0, 4, 4, 4] * 5.0
    shares = [float(part.float().mean()) for part in (suv > 10, (suv > 4) & (suv < 10), suv == 0)]
    # three binomial standard deviations of a third
    assert shares == pytest.approx([1 / 3] * 3, abs=0.082)
    assert torch.equal(made.label[:, 0, 4, 4, 4] > 0, suv > 10)


def test_a_case_without_anything_hard_is_cut_all_the_same() -> None:
    values = np.zeros((16, 16, 16), dtype=np.float32)
    case = as_case(subject(1), values, np.zeros(values.shape, dtype=np.uint16))
    maker = patch_maker(size=(8, 8, 8), foreground_share=0.3, hard=lambda one: one.suv.array >= 4.0, hard_share=0.5)
    assert maker([case] * 4, Draw(5, 0, 0, 0)).image.shape == (4, 2, 8, 8, 8)
