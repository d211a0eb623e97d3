/* SPDX-License-Identifier: MIT */
/* A factor and a shift for each channel: the channel is a third operand whose elements count up. */
#include "kernels/vector/lines.h"

/* How a line lies: elements and channels in one piece, or elements of one channel, or neither. */
enum { CHANNELS, ONE_CHANNEL, SCATTERED };

typedef struct scale_plan {
    rf_tiles tiles; /* of input, channel, output */
    rf_line_map end;
    const float *scale, *shift;
    int way;
} scale_plan;

typedef struct scale_line {
    float *to;
    const float *from, *scale, *shift;
    int64_t count;
} scale_line;

RF_INLINE rf_vec scaled(const scale_line *l, int64_t i, bool one)
{
    rf_vec scale = one ? rf_set(*l->scale) : rf_load(l->scale + i);
    rf_vec shift = one ? rf_set(*l->shift) : rf_load(l->shift + i);
    return rf_load(l->from + i) * scale + shift;
}

static void scale_scattered(const scale_line *l, const int64_t *steps, const rf_line_map *end)
{
    for (int64_t i = 0; i < l->count; i += RF_LANES) {
        int64_t some = l->count - i < RF_LANES ? l->count - i : RF_LANES;
        rf_vec scale = rf_gather_any(l->scale + i * steps[1], steps[1], some, 0);
        rf_vec shift = rf_gather_any(l->shift + i * steps[1], steps[1], some, 0);
        rf_vec x = rf_gather_any(l->from + i * steps[0], steps[0], some, 0);
        rf_scatter_any(l->to + i * steps[2], steps[2], rf_line_limit(x * scale + shift, end), some);
    }
}

/* The last vector overlaps the one before; it is read before anything is written, for lines in place. */
RF_INLINE void scale_whole(const scale_line *l, const rf_line_map *end, bool one)
{
    int64_t at = l->count - RF_LANES;
    rf_vec last = rf_line_limit(scaled(l, at, one), end);
    for (int64_t i = 0; i < at; i += RF_LANES)
        rf_store(l->to + i, rf_line_limit(scaled(l, i, one), end));
    rf_store(l->to + at, last);
}

static void scale_row(const scale_plan *p, const scale_line *line)
{
    const int64_t *steps = p->tiles.steps;
    if (p->way == SCATTERED || line->count < RF_LANES)
        scale_scattered(line, steps, &p->end);
    else if (p->way == CHANNELS)
        scale_whole(line, &p->end, false);
    else
        scale_whole(line, &p->end, true);
    if (p->end.again)
        RF_ISA_NAME(rf_map_line)(line->to, steps[2], line->to, steps[2], line->count, p->end.map);
}

static void run(const void *plan, const rf_kernel_call *call)
{
    const scale_plan *p = plan;
    const int64_t *row_steps = p->tiles.row_steps;
    for (size_t unit = call->begin; unit < call->end; unit++) {
        rf_tile tile = rf_tiles_at(&p->tiles, unit);
        scale_line line = {.from = (const float *)call->data[0] + tile.offsets[0],
                           .to = (float *)call->data[1] + tile.offsets[2],
                           .scale = p->scale + tile.offsets[1], .shift = p->shift + tile.offsets[1],
                           .count = tile.count};
        for (int64_t row = 0; row < tile.rows; row++) {
            scale_row(p, &line);
            line.from += row_steps[0];
            line.scale += row_steps[1];
            line.shift += row_steps[1];
            line.to += row_steps[2];
        }
    }
}

static int way_of(const int64_t steps[RF_NEST_OPERANDS])
{
    if (steps[0] != 1 || steps[2] != 1)
        return SCATTERED;
    return steps[1] == 1 ? CHANNELS : steps[1] == 0 ? ONE_CHANNEL : SCATTERED;
}

static const float *copy_of(const float *from, int64_t count, rf_arena *arena)
{
    float *to = RF_TAKE(arena, float, (size_t)count);
    if (to && count)
        memcpy(to, from, (size_t)count * sizeof *to);
    return to;
}

bool RF_ISA_NAME(rf_make_scale)(const rf_scale_spec *spec, rf_arena *arena, rf_work *work)
{
    rf_nest nest;
    rf_strided channel = {.rank = spec->output.rank};
    const rf_strided *const operands[] = {&spec->input, &channel, &spec->output};
    if (channel.rank < 2 || channel.rank > RF_MAX_RANK || !spec->scale || !spec->shift
        || (unsigned)spec->map.function >= RF_MAP_FUNCTIONS)
        return false;
    channel.dims[1] = spec->output.dims[1];
    channel.strides[1] = 1;
    if (!rf_nest_make(&nest, 3, operands))
        return false;
    scale_plan *plan = RF_TAKE(arena, scale_plan, 1);
    if (!plan || !rf_tiles_make(&plan->tiles, &nest, RF_LINE_BLOCK))
        return false;
    plan->end = rf_line_map_of(spec->map);
    plan->way = way_of(plan->tiles.steps);
    plan->scale = copy_of(spec->scale, channel.dims[1], arena);
    plan->shift = copy_of(spec->shift, channel.dims[1], arena);
    *work = rf_tiled_work("channels", plan, run, &plan->tiles);
    return plan->scale && plan->shift;
}
