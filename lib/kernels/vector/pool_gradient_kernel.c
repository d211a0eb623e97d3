/* SPDX-License-Identifier: MIT */
/*
 * Gradients by a pool's input. A unit is some channels of an image: it clears
 * them and then goes through the windows in their order, so that what windows
 * which overlap hand to an element is always added up alike.
 */
#include "kernels/vector/makers.h"

#include <math.h>

#include "base/checked.h"
#include "kernels/reach.h"

enum { AXES = 3, LAST = AXES - 1, VECTORS = 4 };

typedef struct gradient_plan {
    rf_reach_axis axes[AXES];      /* those that the pool lacks come first */
    const int64_t *divisors[AXES]; /* of a mean: taps that count at each output index */
    int64_t x[AXES], dy[AXES], to[AXES]; /* strides */
    int64_t x_image, dy_image, to_image;
    int64_t channels, x_channel, dy_channel, to_channel;
    int64_t lanes, blocks;         /* channels of a unit, and units of an image */
    bool average;
    bool apart;                    /* no element is in two windows */
    bool filled;                   /* and every one is in one: nothing need be cleared */
} gradient_plan;

/* A window of some vectors of channels: its first taps, and the strides from tap to tap. */
typedef struct window_at {
    const float *x;
    float *to;
    int64_t counts[AXES], x_steps[AXES], to_steps[AXES];
} window_at;

/* What is read and written of one image, from a first channel on. */
typedef struct channels_at {
    const gradient_plan *plan;
    const float *x, *dy;
    float *to;
    int64_t lanes; /* of the last vector */
} channels_at;

RF_INLINE rf_vec load_lanes(const float *from, int64_t lanes, const bool whole)
{
    return whole ? rf_load(from) : rf_load_some(from, lanes);
}

RF_INLINE void store_lanes(float *to, rf_vec v, int64_t lanes, const bool whole)
{
    if (whole)
        rf_store(to, v);
    else
        rf_store_some(to, v, lanes);
}

/* ---- Windows ----------------------------------------------------------------------------- */

/* Visits the taps of a window in row-major order: x and `to` are at each. */
#define EACH_TAP(window_, x_, to_)                                                                       \
    for (int64_t z_ = 0; z_ < (window_)->counts[0]; z_++)                                                \
        for (int64_t y_ = 0; y_ < (window_)->counts[1]; y_++)                                            \
            for (int64_t t_ = 0,                                                                         \
                 x_ = z_ * (window_)->x_steps[0] + y_ * (window_)->x_steps[1],                           \
                 to_ = z_ * (window_)->to_steps[0] + y_ * (window_)->to_steps[1];                        \
                 t_ < (window_)->counts[LAST];                                                           \
                 t_++, x_ += (window_)->x_steps[LAST], to_ += (window_)->to_steps[LAST])

/* The same for a square of 2 or 3 by as many taps that are all on the input, as most are. */
RF_INLINE void give_square(const window_at *window, const rf_vec *dy, const int side, const bool apart,
                           const int vectors)
{
    RF_UNROLL
    for (int v = 0; v < vectors; v++) {
        rf_vec elements[9], most = rf_set(-INFINITY);
        rf_ivec open = ~(rf_ivec){0};
        RF_UNROLL
        for (int t = 0; t < side * side; t++) {
            elements[t] = rf_load(window->x + t / side * window->x_steps[1] + t % side * window->x_steps[LAST]
                                  + v * RF_LANES);
            most = rf_vmax(elements[t], most);
        }
        RF_UNROLL
        for (int t = 0; t < side * side; t++) {
            float *at = window->to + t / side * window->to_steps[1] + t % side * window->to_steps[LAST] + v * RF_LANES;
            rf_ivec hit = open & ((elements[t] == most) | (elements[t] != elements[t]));
            rf_vec given = (rf_vec)(hit & (rf_ivec)dy[v]);
            open &= ~hit;
            rf_store(at, apart ? given : rf_load(at) + given);
        }
    }
}

/* False where the window is another one. */
RF_INLINE bool give_known(const window_at *window, const rf_vec *dy, bool apart, const int vectors)
{
    int64_t side = window->counts[LAST];
    if (window->counts[0] != 1 || window->counts[1] != side || side < 2 || side > 3)
        return false;
    if (side == 2 && apart)
        give_square(window, dy, 2, true, vectors);
    else if (side == 2)
        give_square(window, dy, 2, false, vectors);
    else if (apart)
        give_square(window, dy, 3, true, vectors);
    else
        give_square(window, dy, 3, false, vectors);
    return true;
}

/* To the first of the largest, or the first NaN where there is one. */
RF_INLINE void give_largest(const window_at *window, const rf_vec *dy, int64_t lanes, const int vectors,
                            const bool whole)
{
    rf_vec most[VECTORS];
    rf_ivec open[VECTORS]; /* lanes whose gradient is still to be given */
    RF_UNROLL
    for (int v = 0; v < vectors; v++) {
        most[v] = rf_set(-INFINITY);
        open[v] = ~(rf_ivec){0};
    }
    EACH_TAP(window, x, to) {
        (void)to;
        RF_UNROLL
        for (int v = 0; v < vectors; v++)
            most[v] = rf_vmax(load_lanes(window->x + x + v * RF_LANES, lanes, whole), most[v]);
    }
    EACH_TAP(window, x, to) {
        RF_UNROLL
        for (int v = 0; v < vectors; v++) {
            float *at = window->to + to + v * RF_LANES;
            rf_vec element = load_lanes(window->x + x + v * RF_LANES, lanes, whole);
            rf_ivec hit = open[v] & ((element == most[v]) | (element != element));
            rf_vec given = (rf_vec)(hit & (rf_ivec)dy[v]);
            open[v] &= ~hit;
            store_lanes(at, load_lanes(at, lanes, whole) + given, lanes, whole);
        }
    }
}

RF_INLINE void give_all(const window_at *window, const rf_vec *dy, int64_t lanes, const int vectors, const bool whole)
{
    EACH_TAP(window, x, to) {
        (void)x;
        RF_UNROLL
        for (int v = 0; v < vectors; v++) {
            float *at = window->to + to + v * RF_LANES;
            store_lanes(at, load_lanes(at, lanes, whole) + dy[v], lanes, whole);
        }
    }
}

/* One row of windows, the taps of whose outer axes are set. */
RF_INLINE void give_row(const channels_at *c, window_at *window, const float *dy, float divisor, const int vectors,
                        const bool whole, const bool average)
{
    const gradient_plan *p = c->plan;
    const float *x = window->x;
    float *to = window->to;
    for (int64_t i = 0; i < p->axes[LAST].window.output; i++, dy += p->dy[LAST]) {
        const rf_reach *taps = &p->axes[LAST].at[i];
        rf_vec given[VECTORS];
        window->counts[LAST] = taps->count;
        window->to = to + taps->input * p->to[LAST];
        if (taps->count == 0)
            continue;
        const rf_vec divided = rf_set(average ? divisor * (float)p->divisors[LAST][i] : 1);
        RF_UNROLL
        for (int v = 0; v < vectors; v++)
            given[v] = load_lanes(dy + v * RF_LANES, c->lanes, whole) / divided;
        if (average) {
            give_all(window, given, c->lanes, vectors, whole);
            continue;
        }
        window->x = x + taps->input * p->x[LAST];
        if (!whole || !give_known(window, given, p->apart, vectors))
            give_largest(window, given, c->lanes, vectors, whole);
    }
}

/* All windows of the channels of one image. */
RF_INLINE void give_image(const channels_at *c, const int vectors, const bool whole, const bool average)
{
    const gradient_plan *p = c->plan;
    window_at window = {.x = NULL};
    for (int k = 0; k < AXES; k++) {
        window.x_steps[k] = average ? 0 : rf_reach_step(&p->axes[k], p->x[k]);
        window.to_steps[k] = rf_reach_step(&p->axes[k], p->to[k]);
    }
    for (int64_t z = 0; z < p->axes[0].window.output; z++)
        for (int64_t y = 0; y < p->axes[1].window.output; y++) {
            const rf_reach *planes = &p->axes[0].at[z], *lines = &p->axes[1].at[y];
            window.counts[0] = planes->count;
            window.counts[1] = lines->count;
            if (planes->count == 0 || lines->count == 0)
                continue;
            window.to = c->to + planes->input * p->to[0] + lines->input * p->to[1];
            if (!average)
                window.x = c->x + planes->input * p->x[0] + lines->input * p->x[1];
            float divisor = average ? (float)p->divisors[0][z] * (float)p->divisors[1][y] : 1;
            give_row(c, &window, c->dy + z * p->dy[0] + y * p->dy[1], divisor, vectors, whole, average);
        }
}

/* Sets all of the channels to 0. */
static void clear(const channels_at *c, int64_t channels)
{
    const gradient_plan *p = c->plan;
    for (int64_t z = 0; z < p->axes[0].window.input; z++)
        for (int64_t y = 0; y < p->axes[1].window.input; y++) {
            float *line = c->to + z * p->to[0] + y * p->to[1];
            for (int64_t x = 0; x < p->axes[LAST].window.input; x++, line += p->to[LAST])
                memset(line, 0, (size_t)channels * sizeof *line);
        }
}

/* ---- Units ------------------------------------------------------------------------------- */

RF_INLINE void give_channels(const channels_at *c, int64_t channels, const bool average)
{
    channels_at at = *c;
    while (channels > 0) {
        int64_t vectors = channels >= VECTORS * RF_LANES ? VECTORS : channels >= 2 * RF_LANES ? 2 : 1;
        at.lanes = rf_min(channels, RF_LANES);
        if (vectors == VECTORS)
            give_image(&at, VECTORS, true, average);
        else if (vectors == 2)
            give_image(&at, 2, true, average);
        else if (at.lanes == RF_LANES)
            give_image(&at, 1, true, average);
        else
            give_image(&at, 1, false, average);
        channels -= vectors * RF_LANES;
        at.x = average ? NULL : at.x + vectors * RF_LANES;
        at.dy += vectors * RF_LANES;
        at.to += vectors * RF_LANES;
    }
}

static void give_maxima(const channels_at *c, int64_t channels)
{
    give_channels(c, channels, false);
}

static void give_means(const channels_at *c, int64_t channels)
{
    give_channels(c, channels, true);
}

static void run(const void *plan, const rf_kernel_call *call)
{
    const gradient_plan *p = plan;
    for (size_t unit = call->begin; unit < call->end; unit++) {
        int64_t image = (int64_t)unit / p->blocks, first = (int64_t)unit % p->blocks * p->lanes;
        int64_t channels = rf_min(p->channels - first, p->lanes);
        channels_at c = {.plan = p};
        c.dy = (const float *)call->data[0] + image * p->dy_image + first * p->dy_channel;
        c.to = (float *)call->data[p->average ? 1 : 2] + image * p->to_image + first * p->to_channel;
        if (!p->average)
            c.x = (const float *)call->data[1] + image * p->x_image + first * p->x_channel;
        if (!p->filled)
            clear(&c, channels);
        if (p->average)
            give_means(&c, channels);
        else
            give_maxima(&c, channels);
    }
}

/* ---- Making ------------------------------------------------------------------------------ */

static bool make_axes(const rf_pool_gradient_spec *spec, rf_arena *arena, gradient_plan *plan)
{
    const int32_t first = AXES - spec->axes;
    if (!rf_reach_make_all(spec->windows, spec->axes, false, arena, plan->axes, AXES))
        return false;
    for (int32_t k = 0; k < AXES; k++) {
        if (spec->average && !rf_reach_divisors(&plan->axes[k], spec->count_include_pad, arena, &plan->divisors[k]))
            return false;
        if (k < first)
            continue;
        plan->dy[k] = spec->gradient.strides[2 + k - first];
        plan->to[k] = spec->output.strides[2 + k - first];
        plan->x[k] = spec->average ? 0 : spec->input.strides[2 + k - first];
    }
    return true;
}

/* Whether windows share elements, or miss some. */
static void look_at_windows(gradient_plan *plan)
{
    plan->apart = plan->filled = true;
    for (int32_t k = 0; k < AXES; k++) {
        const rf_window *window = &plan->axes[k].window;
        plan->apart &= window->stride >= rf_window_extent(window) || window->output <= 1;
        plan->filled &= window->dilation == 1 && window->pad_begin == 0 && window->kernel == window->stride
                        && window->input % window->stride == 0 && window->output == window->input / window->stride;
    }
    /* All others add to what is there. */
    const int64_t side = plan->axes[LAST].window.kernel;
    plan->filled &= !plan->average && plan->lanes > 1 && plan->channels % RF_LANES == 0
                    && plan->axes[0].window.kernel == 1 && plan->axes[1].window.kernel == side && side >= 2 && side <= 3;
}

/* False where channels are not next to each other. */
static bool make_channels(const rf_pool_gradient_spec *spec, gradient_plan *plan)
{
    plan->average = spec->average;
    plan->channels = spec->output.dims[1];
    plan->dy_image = spec->gradient.strides[0];
    plan->dy_channel = spec->gradient.strides[1];
    plan->to_image = spec->output.strides[0];
    plan->to_channel = spec->output.strides[1];
    plan->x_image = spec->average ? 0 : spec->input.strides[0];
    plan->x_channel = spec->average ? 1 : spec->input.strides[1];
    /* One channel need not be next to anything. */
    bool side_by_side = plan->dy_channel == 1 && plan->to_channel == 1 && plan->x_channel == 1;
    plan->lanes = side_by_side ? VECTORS * RF_LANES : 1;
    plan->blocks = rf_div_ceil(plan->channels, plan->lanes);
    return side_by_side || plan->channels <= 1;
}

bool RF_ISA_NAME(rf_make_pool_gradient)(const rf_pool_gradient_spec *spec, rf_arena *arena, rf_work *work)
{
    if (spec->axes < 1 || spec->axes > AXES)
        return false;
    gradient_plan *plan = RF_TAKE(arena, gradient_plan, 1);
    if (!plan || !make_axes(spec, arena, plan) || !make_channels(spec, plan))
        return false;
    look_at_windows(plan);
    uint64_t elements = 1;
    for (int32_t k = 0; k < spec->output.rank; k++)
        elements *= (uint64_t)spec->output.dims[k];
    *work = (rf_work){
        .algorithm = plan->lanes > 1 ? "vectors of channels" : "one by one", .plan = plan, .run = run,
        .units = elements ? (size_t)(spec->output.dims[0] * plan->blocks) : 0, .operations = 4 * elements,
    };
    work->grain = work->units ? (size_t)(16384 / (elements / work->units + 1) + 1) : 1;
    return true;
}
