/* SPDX-License-Identifier: MIT */
/* Chooses how a weight's gradient is computed: from shapes and strides alone, so that bits follow from them. */
#include "kernels/vector/makers.h"

#include "kernels/vector/gemm_tile.h"
#include "kernels/vector/weight_gradient.h"

enum {
    LAST = RF_WEIGHT_AXES - 1,
    FEW_INPUTS = 8,          /* below so many, taps make rows too */
    UNIT_FLOATS = 1 << 16,   /* of a unit's sums: a quarter of a second cache */
    ENOUGH_UNITS = 32,       /* for as many workers as there may be, and to share work out evenly */
    MOST_FLOATS = 1 << 22    /* of the sums of all parts, where there are several */
};

static void set_axes(const rf_weight_gradient_spec *spec, rf_weight_plan *plan)
{
    const int32_t lacking = RF_WEIGHT_AXES - spec->axes;
    for (int32_t k = 0; k < RF_WEIGHT_AXES; k++) {
        if (k < lacking) {
            plan->windows[k] = (rf_window){.input = 1, .output = 1, .kernel = 1, .stride = 1, .dilation = 1};
            continue;
        }
        plan->windows[k] = spec->windows[k - lacking];
        plan->x[k] = spec->input.strides[2 + k - lacking];
        plan->dy[k] = spec->gradient.strides[2 + k - lacking];
        plan->to[k] = spec->output.strides[2 + k - lacking];
    }
}

static void set_channels(const rf_weight_gradient_spec *spec, rf_weight_plan *plan)
{
    const rf_window *row = &plan->windows[LAST];
    plan->batch = spec->input.dims[0];
    plan->groups = spec->groups;
    plan->inputs = spec->input.dims[1] / spec->groups;
    plan->outputs = spec->gradient.dims[1] / spec->groups;
    plan->x_image = spec->input.strides[0];
    plan->x_channel = spec->input.strides[1];
    plan->dy_image = spec->gradient.strides[0];
    plan->dy_channel = spec->gradient.strides[1];
    plan->to_channel = spec->output.strides[0];
    plan->to_input = spec->output.strides[1];
    plan->depthwise = spec->groups > 1 && plan->inputs == 1 && plan->outputs == 1;
    if (plan->depthwise) {
        plan->outputs = spec->groups;
        plan->groups = 1;
    }
    plan->wide = !plan->depthwise && plan->inputs < FEW_INPUTS && row->kernel > 1 && row->dilation == 1
        && plan->x[LAST] == plan->inputs;
}

/* False where the sums' rows are more than can be counted. */
static bool set_rows(rf_weight_plan *plan)
{
    plan->tap_count = 1;
    plan->rows = plan->inputs;
    for (int32_t k = 0; k < RF_WEIGHT_AXES; k++) {
        bool in_rows = plan->wide && k == LAST;
        plan->taps[k] = in_rows ? 1 : plan->windows[k].kernel;
        if (!rf_checked_mul(plan->tap_count, plan->taps[k], &plan->tap_count)
            || (in_rows && !rf_checked_mul(plan->rows, plan->windows[k].kernel, &plan->rows)))
            return false;
    }
    return true;
}

/* Tiles as even as possible, and as many of them to a unit as the second cache holds the sums of. */
static void set_tiles(rf_weight_plan *plan)
{
    double cycles;
    plan->vectors = plan->depthwise
        ? rf_min(rf_div_ceil(plan->outputs, RF_LANES), RF_TILE_MAX_VECTORS)
        : RF_ISA_NAME(rf_tile_choose)(plan->rows, plan->outputs, RF_WEIGHT_PIXELS, &cycles);
    plan->width = plan->vectors * RF_LANES;
    plan->panels = rf_div_ceil(plan->outputs, plan->width);
    int64_t tiles = rf_div_ceil(plan->rows, RF_ISA_NAME(rf_tile_rows)(plan->vectors));
    plan->tile_rows = rf_div_ceil(plan->rows, tiles);
    int64_t most = UNIT_FLOATS / plan->width / plan->tap_count / plan->tile_rows;
    plan->blocks = rf_div_ceil(tiles, rf_max(most, 1));
    plan->block_rows = rf_div_ceil(tiles, plan->blocks) * plan->tile_rows;
    plan->blocks = rf_div_ceil(plan->rows, plan->block_rows);
}

static void set_chunks(rf_weight_plan *plan)
{
    const int64_t width = rf_max(plan->windows[LAST].output, 1), height = rf_max(plan->windows[1].output, 1);
    plan->columns = rf_min(width, RF_WEIGHT_PIXELS);
    plan->lines = rf_min(height, RF_WEIGHT_PIXELS / plan->columns);
    bool whole = plan->columns == width && plan->lines == height;
    plan->images = whole ? RF_WEIGHT_PIXELS / (width * height) : 1;
}

/* False where the sums are more than can be counted. */
static bool set_parts(rf_weight_plan *plan, int64_t *units)
{
    int64_t floats, others;
    if (!rf_checked_mul(plan->groups, plan->panels, &others)
        || !rf_checked_mul(plan->tap_count, plan->rows, &floats) || !rf_checked_mul(floats, plan->width, &floats)
        || !rf_checked_mul(floats, others, &plan->part_floats) || !rf_checked_mul(others, plan->blocks, &others))
        return false;
    int64_t most = rf_min(ENOUGH_UNITS / others, MOST_FLOATS / plan->part_floats);
    plan->parts = rf_max(rf_min(most, plan->batch), 1);
    return rf_checked_mul(others, plan->parts, units) && plan->part_floats <= INT64_MAX / 4 / plan->parts;
}

/* Multiply-adds of all, as far as they can be counted. */
static uint64_t operations(const rf_weight_plan *plan)
{
    uint64_t product = (uint64_t)plan->part_floats;
    const int64_t factors[] = {plan->batch, plan->windows[0].output, plan->windows[1].output,
                               plan->windows[LAST].output};
    for (int k = 0; k < 4; k++)
        if (!rf_checked_mul(product, (uint64_t)factors[k], &product))
            return UINT64_MAX;
    return product;
}

static bool is_empty(const rf_strided *form)
{
    for (int32_t k = 0; k < form->rank; k++)
        if (form->dims[k] == 0)
            return true;
    return false;
}

/* Channels of a group must lie next to each other; of a depthwise convolution, all of them. */
static bool fits(const rf_weight_gradient_spec *spec)
{
    int64_t inputs = spec->input.dims[1] / spec->groups, outputs = spec->gradient.dims[1] / spec->groups;
    bool depthwise = spec->groups > 1 && inputs == 1 && outputs == 1;
    return ((inputs == 1 && !depthwise) || spec->input.strides[1] == 1)
        && ((outputs == 1 && !depthwise) || spec->gradient.strides[1] == 1);
}

bool RF_ISA_NAME(rf_make_weight_gradient)(const rf_weight_gradient_spec *spec, rf_arena *arena,
                                          rf_weight_gradient_work *work)
{
    int64_t units;
    *work = (rf_weight_gradient_work){.partial_floats = 0};
    if (is_empty(&spec->output))
        return true;
    if (spec->axes < 1 || spec->axes > RF_WEIGHT_AXES || !fits(spec))
        return false;
    rf_weight_plan *plan = RF_TAKE(arena, rf_weight_plan, 1);
    if (!plan)
        return false;
    set_axes(spec, plan);
    set_channels(spec, plan);
    if (!set_rows(plan))
        return false;
    set_tiles(plan);
    set_chunks(plan);
    if (!set_parts(plan, &units))
        return false;
    work->partial_floats = plan->part_floats * plan->parts;
    work->sum = (rf_work){
        .algorithm = plan->depthwise ? "depthwise" : plan->wide ? "rows of taps" : "channels", .plan = plan,
        .run = RF_ISA_NAME(rf_weight_sum), .units = (size_t)units, .grain = 1,
        .scratch_bytes = (uint64_t)(RF_WEIGHT_PIXELS * plan->width) * sizeof(float),
        .operations = operations(plan),
    };
    work->join = (rf_work){
        .algorithm = "joined", .plan = plan, .run = RF_ISA_NAME(rf_weight_join),
        .units = (size_t)(plan->groups * plan->panels * plan->inputs), .grain = 1,
        .operations = (uint64_t)work->partial_floats,
    };
    work->join.grain = (size_t)(4096 / (work->join.operations / work->join.units + 1) + 1);
    return true;
}
