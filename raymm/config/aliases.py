"""What settings are called elsewhere: names that people try, and the settings that they mean."""

__all__ = ["meant_by"]

ALIASES: dict[str, tuple[str, ...]] = {
    "optimizer.lr": ("learning_rate", "base_lr", "init_lr", "max_lr"),
    "optimizer.warmup": ("warmup_epochs", "warmup_steps", "warm_up", "num_warmup_steps", "warmup_ratio", "lr_warmup"),
    "optimizer.schedule": ("scheduler", "lr_scheduler", "lr_schedule", "lr_scheduler_type"),
    "optimizer.weight_decay": ("wd", "l2"),
    "optimizer.clip_norm": ("grad_clip", "clip_grad", "clip_grad_norm", "max_grad_norm", "gradient_clip_val"),
    "optimizer.groups": ("param_groups", "parameter_groups", "layer_decay", "freeze_epochs", "frozen_epochs"),
    "optimizer.step_factor": ("gamma", "lr_gamma"),
    "optimizer.step_epochs": ("step_size", "lr_step_size"),
    "optimizer.min_lr": ("eta_min", "lr_min", "end_lr"),
    "optimizer.plateau_patience": ("lr_patience",),
    "training.epochs": ("max_epochs", "num_epochs", "n_epochs", "num_train_epochs"),
    "training.batch_size": ("batch", "bs", "per_device_train_batch_size", "train_batch_size"),
    "training.accumulate": ("gradient_accumulation_steps", "accumulate_grad_batches", "accumulation", "grad_accum"),
    "training.patience": ("early_stopping", "early_stopping_patience", "early_stop"),
    "training.ema": ("ema_decay", "model_ema", "ema_weights", "swa"),
    "training.compile": ("torch_compile", "jit"),
    "training.precision": ("amp", "autocast", "bf16", "fp16", "mixed_precision", "dtype"),
    "training.selection": ("monitor", "metric", "metric_for_best_model"),
    "training.keep": ("save_top_k", "save_total_limit"),
    "training.seed": ("random_seed", "random_state"),
    "training.loader_workers": ("num_workers", "dataloader_num_workers"),
    "training.loss.label_smoothing": ("smoothing", "label_smoothing_factor"),
    "training.loss.class_weights": ("class_weight", "balanced"),
    "training.loss.focal": ("focal_gamma", "focal_loss"),
    "training.loss.error": ("criterion", "regression_loss"),
    "model.encoder.frozen": ("freeze", "freeze_encoder", "freeze_backbone"),
    "model.encoder.weights": ("pretrained", "pretrained_weights"),
    "model.encoder.checkpoint_activations": ("gradient_checkpointing", "activation_checkpointing"),
    "model.encoder.name": ("backbone", "arch", "architecture"),
    "model.feature_size": ("hidden_size", "hidden_dim", "embed_dim", "d_model"),
    "view.noise_db": ("noise", "snr"),
    "view.augment": ("augmentation", "augmentations", "transforms"),
    "cluster.gpus_per_worker": ("gpus", "use_gpu", "devices", "num_gpus"),
    "cluster.workers": ("world_size", "nproc_per_node"),
}
"""By setting, its names in other trainers."""

MEANT = {alias: key for key, aliases in ALIASES.items() for alias in aliases}


def meant_by(name: str) -> str | None:
    """The setting that a name, without its section, stands for elsewhere.

    >>> meant_by("warmup_epochs"), meant_by("epochs")
    ('optimizer.warmup', None)
    """
    return MEANT.get(name.lower().replace("-", "_"))
