"""The learning rate as a pure function of the step, so that a resumed run has no state of it to lose."""

from __future__ import annotations

import math

from lymphoma.training.config import ScheduleConfig

__all__ = ["rate_factor", "warm_up"]


def rate_factor(schedule: ScheduleConfig, step: int, steps: int) -> float:
    """What the optimiser's learning rate is multiplied by at ``step`` (0 .. ``steps`` - 1).

    constant 1; poly (1 - step / steps)^power (nnU-Net); step: the factor of the last drop reached; cosine: half a wave
    from 1 to ``final_factor``. Each is multiplied by the linear rise :func:`warm_up` of the run's start.
    """
    return _shape(schedule, step, steps) * warm_up(step, schedule.warm_up_steps)


def warm_up(steps_since_start: int, warm_up_steps: int) -> float:
    """A linear rise 1/n, 2/n .. 1 over the first n = ``warm_up_steps`` steps; 1 from then on."""
    return min(1.0, (steps_since_start + 1) / warm_up_steps) if warm_up_steps else 1.0


def _shape(schedule: ScheduleConfig, step: int, steps: int) -> float:
    done = min(step / steps, 1.0)
    match schedule.name:
        case "constant":
            return 1.0
        case "poly":
            return float((1.0 - done) ** schedule.power)
        case "step":
            return next((drop.factor for drop in reversed(schedule.drops) if step >= drop.from_step), 1.0)
        case "cosine":
            return schedule.final_factor + (1.0 - schedule.final_factor) * 0.5 * (1.0 + math.cos(math.pi * done))
