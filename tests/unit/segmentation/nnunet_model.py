"""A tiny nnU-Net v2 model folder whose weights are set by hand: label 2 where SUV > 4 and HU > -500."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from lymphoma.training.files import file_sha256

__all__ = ["AIR_HU", "SUV", "make_model"]

SUV, AIR_HU = 4.0, -500.0
LABELS = {"background": 0, "organ": 1, "tumor": 2}


def make_model(folder: Path, channels: tuple[str, ...] = ("CT", "SUV")) -> dict[str, str]:
    """Writes dataset.json, plans.json and fold_0/checkpoint_final.pth; their SHA-256 by name."""
    (folder / "fold_0").mkdir(parents=True)
    dataset = {
        "channel_names": {str(number): name for number, name in enumerate(channels)},
        "labels": LABELS,
        "numTraining": 1,
        "file_ending": ".nii.gz",
    }
    (folder / "dataset.json").write_text(json.dumps(dataset))
    (folder / "plans.json").write_text(json.dumps(_plans()))
    checkpoint = {
        "network_weights": _weights(),
        "trainer_name": "nnUNetTrainer",
        "init_args": {"configuration": "3d_fullres"},
        "inference_allowed_mirroring_axes": (0, 1, 2),
    }
    torch.save(checkpoint, folder / "fold_0" / "checkpoint_final.pth")
    names = ("dataset.json", "plans.json", "fold_0/checkpoint_final.pth")
    return {name: file_sha256(folder / name) for name in names}


def _plans() -> dict[str, object]:
    def resampling(order: int) -> dict[str, object]:
        return {"is_seg": order == 1, "order": order, "order_z": 0, "force_separate_z": None}

    network = {
        "network_class_name": "dynamic_network_architectures.architectures.unet.PlainConvUNet",
        "arch_kwargs": {
            "n_stages": 2,
            "features_per_stage": [2, 2],
            "conv_op": "torch.nn.modules.conv.Conv3d",
            "kernel_sizes": [[3, 3, 3]] * 2,
            "strides": [[1, 1, 1], [2, 2, 2]],
            "n_conv_per_stage": [1, 1],
            "n_conv_per_stage_decoder": [1],
            "conv_bias": True,
            "norm_op": None,
            "norm_op_kwargs": None,
            "dropout_op": None,
            "dropout_op_kwargs": None,
            "nonlin": "torch.nn.LeakyReLU",
            "nonlin_kwargs": {"inplace": True},
        },
        "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
    }
    resamplings: dict[str, object] = {}
    for name, order in (("data", 3), ("seg", 1), ("probabilities", 1)):
        resamplings[f"resampling_fn_{name}"] = "resample_data_or_seg_to_shape"
        resamplings[f"resampling_fn_{name}_kwargs"] = resampling(order)
    return {
        "dataset_name": "Dataset001_Tiny",
        "plans_name": "nnUNetPlans",
        "image_reader_writer": "SimpleITKIO",
        "transpose_forward": [0, 1, 2],
        "transpose_backward": [0, 1, 2],
        "label_manager": "LabelManager",
        "foreground_intensity_properties_per_channel": {"0": {}, "1": {}},
        "configurations": {
            "3d_fullres": {
                "data_identifier": "nnUNetPlans_3d_fullres",
                "preprocessor_name": "DefaultPreprocessor",
                "batch_size": 1,
                "patch_size": [16, 16, 16],
                "spacing": [4.0, 4.0, 4.0],
                "normalization_schemes": ["NoNormalization", "NoNormalization"],
                "use_mask_for_norm": [False, False],
                "batch_dice": False,
                "architecture": network,
                **resamplings,
            }
        },
    }


def _weights() -> dict[str, torch.Tensor]:
    """Centre taps alone: SUV and hundreds of HU below -500 go through skip and decoder, and the head weighs them."""
    first, deep = torch.zeros(2, 2, 3, 3, 3), torch.zeros(2, 2, 3, 3, 3)
    first[0, 1, 1, 1, 1] = 1.0  # SUV
    first[1, 0, 1, 1, 1] = -0.01  # air is positive; all else nearly vanishes in two leaky ReLUs
    last = torch.zeros(2, 4, 3, 3, 3)
    last[0, 2, 1, 1, 1] = last[1, 3, 1, 1, 1] = 1.0  # of what is joined, the second half is the skip
    head = torch.zeros(3, 2, 1, 1, 1)
    head[2, 0], head[2, 1] = 1.0, -10.0
    encoder = {
        "stages.0.0.convs.0": (first, torch.tensor([0.0, AIR_HU / 100])),
        "stages.1.0.convs.0": (deep, torch.zeros(2)),
    }
    weights: dict[str, torch.Tensor] = {}
    for name, (weight, bias) in encoder.items():
        for prefix in ("encoder.", "decoder.encoder."):
            _put(weights, f"{prefix}{name}", weight, bias)
    _put(weights, "decoder.stages.0.convs.0", last, torch.zeros(2))
    weights |= {
        "decoder.transpconvs.0.weight": torch.zeros(2, 2, 2, 2, 2),
        "decoder.transpconvs.0.bias": torch.zeros(2),
    }
    weights |= {"decoder.seg_layers.0.weight": head, "decoder.seg_layers.0.bias": torch.tensor([0.0, -100.0, -SUV])}
    return weights


def _put(weights: dict[str, torch.Tensor], block: str, weight: torch.Tensor, bias: torch.Tensor) -> None:
    """nnU-Net keeps a convolution under two names."""
    for name in ("conv", "all_modules.0"):
        weights[f"{block}.{name}.weight"], weights[f"{block}.{name}.bias"] = weight, bias
