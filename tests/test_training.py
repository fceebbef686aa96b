"""ganaug/gan/training.py"""

from __future__ import annotations

import math
import random
from dataclasses import replace

import numpy as np
import pytest
import torch

from ganaug.exceptions import TrainingError
from ganaug.gan import callbacks, training
from ganaug.gan.config import GANConfig, classic_options
from ganaug.gan.monitor import Alarm, Evaluation
from ganaug.gan.training import Trainer, estimate_seconds, train

CPU = torch.device("cpu")
COUNTS = (40, 20, 12)


@pytest.fixture
def digits(all_digits):
    """Digits 0, 1, 2, with 40, 20 and 12 rows: uint8 images and codes."""
    X, y = all_digits
    rows = np.concatenate([np.flatnonzero(y == code)[:n] for code, n in enumerate(COUNTS)])
    images = (X[rows] * 15).astype(np.uint8).reshape(-1, 1, 8, 8)
    return torch.from_numpy(images), torch.from_numpy(y[rows])


@pytest.fixture
def table():
    labels = torch.arange(3).repeat_interleave(torch.tensor(COUNTS))
    noise = torch.randn((len(labels), 5), generator=torch.Generator().manual_seed(0))
    return noise + labels[:, None], labels


def config_of(**options):
    sizes = {"width": 4, "latent_dim": 6, "batch_size": 32, "max_images": 128}
    shape = {} if "n_features" in options else {"image_shape": (1, 8, 8)}
    return GANConfig(**{"class_counts": COUNTS, **sizes, **shape, **options})


def trainer_of(digits, **options):
    return Trainer(config_of(**options), *digits, seed=0, device=CPU)


def states_equal(first, second):
    return first.keys() == second.keys() and all(torch.equal(first[k], second[k]) for k in first)


def stop_at(monkeypatch, images_seen, error):
    """Let the step fail once so many images have been seen."""
    step = Trainer.step

    def failing(trainer):
        if trainer.images_seen >= images_seen:
            raise error
        step(trainer)

    monkeypatch.setattr(Trainer, "step", failing)


def poison_after(monkeypatch, images_seen):
    """Make the generator's weights NaN once so many images have been seen."""
    step = Trainer.step

    def poisoned(trainer):
        if trainer.images_seen >= images_seen:
            next(trainer.generator.parameters()).data.fill_(math.nan)
        step(trainer)

    monkeypatch.setattr(Trainer, "step", poisoned)


ALL_KINDS = pytest.mark.parametrize("kind", ["default", "classic", "table"])


def data_and_config(kind, digits, table, **options):
    if kind == "table":
        return table, config_of(n_features=5, **options)
    recipe = classic_options() if kind == "classic" else {}
    return digits, config_of(**recipe, **options)


@ALL_KINDS
def test_a_seed_decides_every_weight(kind, digits, table):
    data, config = data_and_config(kind, digits, table)

    first, again, other = (train(config, *data, seed=seed) for seed in (0, 0, 1))

    assert states_equal(first.generator_state, again.generator_state)
    assert states_equal(first.discriminator_state, again.discriminator_state)
    assert not states_equal(first.generator_state, other.generator_state)


@ALL_KINDS
def test_training_leaves_global_random_state_and_settings_alone(kind, digits, table):
    def everything_global():
        return (
            torch.get_rng_state().tolist(),
            repr(np.random.get_state()),  # noqa: NPY002 - the old state is what must not change
            random.getstate(),
            torch.get_num_threads(),
            torch.get_default_dtype(),
            torch.is_grad_enabled(),
            torch.are_deterministic_algorithms_enabled(),
            torch.backends.cudnn.benchmark,
            torch.backends.cudnn.deterministic,
            torch.get_float32_matmul_precision(),
        )

    data, config = data_and_config(kind, digits, table)
    before = everything_global()

    train(config, *data, seed=0)
    estimate_seconds(config, *data)

    assert everything_global() == before


@ALL_KINDS
def test_both_networks_learn_in_a_step(kind, digits, table):
    data, config = data_and_config(kind, digits, table)
    trainer = Trainer(config, *data, seed=0, device=CPU)
    before = [
        {name: value.clone() for name, value in network.named_parameters()}
        for network in (trainer.generator, trainer.discriminator)
    ]

    trainer.step()
    trainer.step()

    for network, old in zip((trainer.generator, trainer.discriminator), before, strict=True):
        unchanged = [n for n, v in network.named_parameters() if torch.equal(v, old[n])]
        assert unchanged == []


def test_the_data_are_neither_changed_nor_copied(digits):
    rows, _ = digits
    before = rows.clone()

    trainer = trainer_of(digits)
    trainer.step()

    assert torch.equal(rows, before)
    assert trainer.batches.samples.data_ptr() == rows.data_ptr()


def test_the_budget_in_images_is_kept_to_the_batch(digits):
    trained = train(config_of(max_images=100), *digits, seed=0)

    assert trained.images_seen == 128  # the fourth batch of 32 crosses 100


def test_the_budget_in_seconds_ends_training(digits):
    trained = train(config_of(max_images=None, max_seconds=0.3), *digits, seed=0)

    assert trained.images_seen > 0
    assert trained.seconds >= 0.3


def test_whichever_budget_is_used_up_first_ends_training(digits):
    trained = train(config_of(max_images=10**9, max_seconds=0.1), *digits, seed=0)

    assert trained.images_seen < 10**9


def test_a_budget_below_one_batch_is_one_step(digits):
    assert train(config_of(max_images=1), *digits, seed=0).images_seen == 32


def test_history_has_evenly_spaced_records_up_to_the_end(digits):
    trained = train(config_of(max_images=320, n_evaluations=5), *digits, seed=0)

    assert [record["images_seen"] for record in trained.history] == [64, 128, 192, 256, 320]
    for record in trained.history:
        assert {"seconds", "discriminator_loss", "generator_loss", "distance", "alarms"} <= set(
            record
        )
        assert len(record["variety"]) == 3
        assert math.isfinite(record["discriminator_loss"])


def test_steps_after_the_last_evaluation_are_looked_at_too(digits, monkeypatch):
    # with a budget in seconds the time can run out between two looks at the clock
    monkeypatch.setattr(Trainer, "evaluation_due", False)

    trained = train(config_of(), *digits, seed=0)

    assert [record["images_seen"] for record in trained.history] == [128]


def test_the_learning_rate_is_constant_for_half_and_then_falls_to_a_tenth(digits):
    trainer = trainer_of(digits, max_images=1000, learning_rate=1e-3, discriminator_rate_factor=2.0)

    def rates(images_seen):
        trainer.images_seen = images_seen
        trainer._set_learning_rate()
        optimizers = trainer.generator_optimizer, trainer.discriminator_optimizer
        return [optimizer.param_groups[0]["lr"] for optimizer in optimizers]

    assert rates(0) == pytest.approx([1e-3, 2e-3])
    assert rates(500) == pytest.approx([1e-3, 2e-3])
    assert rates(750) == pytest.approx([5.5e-4, 1.1e-3])
    assert rates(1000) == pytest.approx([1e-4, 2e-4])


def test_the_classic_recipe_keeps_its_learning_rate(digits):
    trainer = trainer_of(digits, **classic_options(), max_images=1000)
    trainer.images_seen = 1000

    trainer._set_learning_rate()

    rate = trainer.generator_optimizer.param_groups[0]["lr"]
    assert rate == trainer.config.learning_rate


def set_all(network, value):
    for tensor in network.state_dict().values():
        if tensor.is_floating_point():
            tensor.fill_(value)


@pytest.mark.parametrize(("halflife", "steps"), [(320, 10), (3200, 100)])
def test_the_average_is_half_way_after_its_halflife(halflife, steps, digits):
    trainer = trainer_of(digits, ema_halflife_images=halflife)
    trainer.images_seen = 10**6  # late: the early limit does not hold any more
    set_all(trainer.ema, 0.0)
    set_all(trainer.generator, 1.0)

    for _ in range(steps):
        trainer._update_ema()

    for name, tensor in trainer.ema.state_dict().items():
        if tensor.is_floating_point():
            assert tensor.mean() == pytest.approx(0.5, abs=1e-3), name


def test_early_in_training_the_average_forgets_faster(digits):
    trainer = trainer_of(digits, ema_halflife_images=1e9)
    trainer.images_seen = 640  # a twentieth of them: one batch
    set_all(trainer.ema, 0.0)
    set_all(trainer.generator, 1.0)

    trainer._update_ema()

    assert next(trainer.ema.parameters()).mean() == pytest.approx(0.5)


def test_without_a_halflife_the_average_is_the_generator(digits):
    trainer = trainer_of(digits, ema_halflife_images=0.0)

    for _ in range(3):
        trainer.step()

    assert states_equal(
        {n: v for n, v in trainer.ema.state_dict().items() if v.is_floating_point()},
        {n: v for n, v in trainer.generator.state_dict().items() if v.is_floating_point()},
    )


def test_the_best_weights_are_kept_and_not_the_last(digits, monkeypatch):
    distances = iter([0.5, 0.2, 0.9, 0.3])
    seen = []

    class Ranked:
        def evaluate(self, network, to_samples, discriminator_loss):
            seen.append({name: value.clone() for name, value in network.state_dict().items()})
            return Evaluation(next(distances), (1.0, 1.0, 1.0))

    monkeypatch.setattr(training, "build_monitor", lambda *args: Ranked())

    trained = train(config_of(n_evaluations=4), *digits, seed=0)

    assert len(seen) == 4
    assert states_equal(trained.generator_state, seen[1])


def test_a_training_that_becomes_nan_raises_the_alarm_and_keeps_the_last_good_weights(
    digits, monkeypatch
):
    poison_after(monkeypatch, 160)

    trained = train(config_of(max_images=640), *digits, seed=0)

    assert [alarm.kind for alarm in trained.alarms].count("diverged") == 1
    assert trained.images_seen < 640  # stopped at once
    assert trained.history[-1]["alarms"][0]["kind"] == "diverged"
    for state in (trained.generator_state, trained.discriminator_state):
        assert all(torch.isfinite(value).all() for value in state.values())


def test_a_training_that_is_nan_from_the_start_is_an_error(digits, monkeypatch):
    poison_after(monkeypatch, 0)

    with pytest.raises(TrainingError, match="NaN within 32 images.*learning_rate"):
        train(config_of(n_evaluations=2, max_images=64), *digits, seed=0)


@pytest.mark.parametrize("images_seen", [0, 32, 200])
def test_ctrl_c_returns_the_best_weights_so_far(images_seen, digits, monkeypatch):
    stop_at(monkeypatch, images_seen, KeyboardInterrupt)

    trained = train(config_of(max_images=640), *digits, seed=0)

    assert trained.interrupted
    assert trained.images_seen in range(images_seen, images_seen + 32)
    assert trained.history[-1]["images_seen"] == trained.images_seen
    assert all(torch.isfinite(value).all() for value in trained.generator_state.values())


def test_ctrl_c_before_the_first_step_raises_no_alarm_of_a_loss(digits, monkeypatch):
    stop_at(monkeypatch, 0, KeyboardInterrupt)
    trained = train(config_of(), *digits, seed=0, on_progress=lambda progress: None)

    assert "discriminator_won" not in [alarm.kind for alarm in trained.alarms]
    assert math.isnan(trained.history[-1]["discriminator_loss"])


@pytest.mark.parametrize("images_seen", [0, 32, 640])
def test_alarms_of_a_start_that_is_kept_are_kept(images_seen, digits, monkeypatch):
    alarms = (Alarm("discriminator_won", value=0.01), Alarm("diverged"))
    start = replace(train(config_of(), *digits, seed=0), alarms=alarms)
    poison_after(monkeypatch, 0)
    stop_at(monkeypatch, images_seen, KeyboardInterrupt)

    options = {"start_from": start, "keeps_start": True, "on_progress": lambda progress: None}
    trained = train(config_of(), *digits, seed=1, **options)

    assert states_equal(trained.generator_state, start.generator_state)
    assert trained.alarms == alarms


def test_an_uninterrupted_training_says_so(digits):
    assert not train(config_of(), *digits, seed=0).interrupted


def test_progress_is_reported_up_to_the_whole_budget(digits, monkeypatch):
    monkeypatch.setattr(callbacks, "REPORT_SECONDS", 0.0)
    reports = []

    train(config_of(), *digits, seed=0, on_progress=reports.append)

    assert [report.images_seen for report in reports] == [32, 64, 96, 128, 128]
    assert reports[-1].share == 1.0
    assert all(math.isfinite(report.discriminator_loss) for report in reports)
    assert all(math.isfinite(report.generator_loss) for report in reports)
    assert [report.seconds for report in reports] == sorted(report.seconds for report in reports)


def test_a_training_starts_from_another_ones_weights(digits):
    first = train(config_of(), *digits, seed=0)

    warm = train(config_of(max_images=32, learning_rate=0.0), *digits, seed=1, start_from=first)

    for name, value in first.generator_state.items():
        if "running_" not in name and "num_batches" not in name:
            assert torch.equal(warm.generator_state[name], value), name


def test_the_cost_of_a_training_is_estimated_from_a_few_steps(digits):
    few, many = (estimate_seconds(config_of(max_images=n), *digits) for n in (100, 100_000))

    assert 0 < few < many
    assert estimate_seconds(config_of(max_images=10**9, max_seconds=5.0), *digits) == 5.0
    assert estimate_seconds(config_of(max_images=None, max_seconds=5.0), *digits) == 5.0


@pytest.mark.gpu
@pytest.mark.filterwarnings("ignore:Synchronization debug mode is a prototype")
def test_a_step_on_cuda_never_waits_for_the_device(digits):
    trainer = Trainer(config_of(), *digits, seed=0, device=torch.device("cuda"))
    assert trainer.batches.samples.is_cuda
    assert trainer.batches.samples.dtype == torch.uint8
    trainer.step()  # the first step allocates and chooses kernels

    torch.cuda.set_sync_debug_mode("error")
    try:
        trainer.step()
        trainer.step()
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.gpu
def test_networks_run_in_bf16_and_channels_last_on_cuda(digits, monkeypatch):
    rows = digits[0].repeat(1, 3, 1, 1)
    config = config_of(image_shape=(3, 8, 8))
    trainer = Trainer(config, rows, digits[1], seed=0, device=torch.device("cuda"))
    fakes = []
    generator_step = trainer.generator_step
    monkeypatch.setattr(
        trainer, "generator_step", lambda fake, y: fakes.append(fake) or generator_step(fake, y)
    )

    trainer.step()

    assert fakes[0].dtype == torch.bfloat16
    weights = [p for p in trainer.discriminator.parameters() if p.ndim == 4 and p.shape[1] > 1]
    assert all(w.is_contiguous(memory_format=torch.channels_last) for w in weights)
    assert all(p.dtype == torch.float32 for p in trainer.discriminator.parameters())


@pytest.mark.gpu
def test_training_on_cuda_learns_finite_weights(digits):
    trained = train(config_of(), *digits, seed=0, device="cuda")

    assert all(value.device.type == "cpu" for value in trained.generator_state.values())
    assert all(torch.isfinite(value).all() for value in trained.generator_state.values())


@pytest.mark.gpu
def test_a_seed_decides_every_weight_on_cuda(digits):
    first, again = (train(config_of(), *digits, seed=0, device="cuda") for _ in range(2))

    assert states_equal(first.generator_state, again.generator_state)
