/* SPDX-License-Identifier: MIT */
#include <rfield/optimizer.h>

#include <math.h>

/* From `from` to `to` as half a cosine, at `step` of `steps`. */
static double eased(double from, double to, uint64_t step, uint64_t steps)
{
    const double pi = 3.14159265358979323846;
    if (step >= steps)
        return to;
    return to + (from - to) / 2 * (1 + cos(pi * (double)step / (double)steps));
}

static double one_cycle(const rf_schedule *schedule, uint64_t step)
{
    uint64_t peak = schedule->peak, after = schedule->steps > peak ? schedule->steps - peak : 0;
    if (step < peak)
        return eased(schedule->initial_rate, schedule->rate, step, peak);
    return eased(schedule->rate, schedule->final_rate, step - peak, after);
}

static double rate_after_warmup(const rf_schedule *schedule, uint64_t step)
{
    uint64_t interval = schedule->interval ? schedule->interval : 1;
    switch (schedule->kind) {
    case RF_SCHEDULE_CONSTANT:
        return schedule->rate;
    case RF_SCHEDULE_STEP:
        return schedule->rate * pow(schedule->factor, (double)(step / interval));
    case RF_SCHEDULE_EXPONENTIAL:
        return schedule->rate * pow(schedule->factor, (double)step / (double)interval);
    case RF_SCHEDULE_COSINE:
        return eased(schedule->rate, schedule->final_rate, step, schedule->steps);
    case RF_SCHEDULE_ONE_CYCLE:
        return one_cycle(schedule, step);
    default:
        return 0;
    }
}

double rf_schedule_rate(const rf_schedule *schedule, uint64_t step)
{
    if (step >= schedule->warmup)
        return rate_after_warmup(schedule, step - schedule->warmup);
    return rate_after_warmup(schedule, 0) * ((double)step + 1) / ((double)schedule->warmup + 1);
}
