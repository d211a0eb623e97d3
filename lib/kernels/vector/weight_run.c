/* SPDX-License-Identifier: MIT */
/* Runs weight gradients: sums of parts of a batch, then the sum of those. */
#include "kernels/vector/weight_gradient.h"

enum { LAST = RF_WEIGHT_AXES - 1 };

/* A unit: a part of the batch, a group's panel of output channels, and rows. */
typedef struct unit_of_sums {
    const rf_weight_plan *plan;
    const float *x, *dy; /* at the group's and the panel's first channel */
    float *sums;         /* of the panel: [tap][row][width] */
    float *packed;       /* scratch: a chunk of dL/dy */
    int64_t lanes;       /* channels of the panel that there are */
    int64_t vectors, width; /* that hold them */
    int64_t row, row_end;
    int64_t image, image_end;
} unit_of_sums;

/* ---- Taps and the pixels that they meet --------------------------------------------------- */

typedef struct span {
    int64_t first, end;
} span;

/* Positions of `all` at which tap `t` falls on the input: tap and position play the same part. */
static span run_of_tap(const rf_window *window, int64_t t, span all)
{
    const rf_window exchanged = {.input = window->input, .output = window->kernel, .kernel = window->output,
                                 .stride = window->dilation, .dilation = window->stride,
                                 .pad_begin = window->pad_begin};
    span run;
    rf_window_clip(&exchanged, t, &run.first, &run.end);
    return (span){rf_max(run.first, all.first), rf_min(run.end, all.end)};
}

static int64_t input_of(const rf_window *window, int64_t position, int64_t t)
{
    return position * window->stride + t * window->dilation - window->pad_begin;
}

/* Where a chunk's pixel lies in its packed copy, and in dL/dy where that is read as it is. */
typedef struct pixels {
    const float *first; /* of the chunk */
    int64_t image, line, column;
} pixels;

/* The tile for lines and columns that a tap meets; tap[LAST] is the first of the row's where wide. */
static rf_weight_tile tile_at(const unit_of_sums *unit, const rf_weight_chunk *chunk, const pixels *dy,
                              const int64_t tap[RF_WEIGHT_AXES], span lines, span columns)
{
    const rf_weight_plan *p = unit->plan;
    const rf_window *w = p->windows;
    return (rf_weight_tile){
        .x = unit->x + chunk->image * p->x_image + input_of(&w[0], chunk->z, tap[0]) * p->x[0]
             + input_of(&w[1], lines.first, tap[1]) * p->x[1] + input_of(&w[LAST], columns.first, tap[LAST]) * p->x[LAST],
        .dy = dy->first + (lines.first - chunk->y) * dy->line + (columns.first - chunk->x) * dy->column,
        .images = chunk->images, .lines = lines.end - lines.first, .columns = columns.end - columns.first,
        .x_image = p->x_image, .x_line = w[1].stride * p->x[1], .x_column = w[LAST].stride * p->x[LAST],
        .dy_image = dy->image, .dy_line = dy->line, .dy_column = dy->column,
    };
}

/* Rows first .. end - 1 of a tap, `sums` at its row 0. */
static void add_rows(const unit_of_sums *unit, rf_weight_tile tile, float *sums, int64_t first, int64_t end)
{
    const rf_weight_plan *p = unit->plan;
    const float *x = tile.x;
    for (int64_t row = first; row < end; row += p->tile_rows) {
        tile.x = x + row;
        tile.sums = sums + row * unit->width;
        RF_ISA_NAME(rf_weight_tile_of)(rf_min(end - row, p->tile_rows), unit->vectors)(&tile);
    }
}

/* Columns at which only some taps of a row fall on the input. */
static void add_border(const unit_of_sums *unit, const rf_weight_chunk *chunk, const pixels *dy,
                       const int64_t tap[RF_WEIGHT_AXES], span lines, span columns, float *sums)
{
    const rf_weight_plan *p = unit->plan;
    for (int64_t i = columns.first; i < columns.end; i++) {
        int64_t first, end;
        rf_window_clip(&p->windows[LAST], i, &first, &end);
        if (first == end)
            continue;
        const rf_weight_tile tile = tile_at(unit, chunk, dy, tap, lines, (span){i, i + 1});
        add_rows(unit, tile, sums, rf_max(unit->row, first * p->inputs), rf_min(unit->row_end, end * p->inputs));
    }
}

/* A row of taps and its channels: what all taps meet at once, then what lies before and behind. */
static void add_wide(const unit_of_sums *unit, const rf_weight_chunk *chunk, const pixels *dy,
                     const int64_t tap[RF_WEIGHT_AXES], span lines, float *sums)
{
    const rf_weight_plan *p = unit->plan;
    const rf_window *window = &p->windows[LAST];
    const span all = {chunk->x, chunk->x_end};
    span whole = {run_of_tap(window, 0, all).first, run_of_tap(window, window->kernel - 1, all).end};
    if (whole.first >= whole.end) {
        add_border(unit, chunk, dy, tap, lines, all, sums);
        return;
    }
    add_rows(unit, tile_at(unit, chunk, dy, tap, lines, whole), sums, unit->row, unit->row_end);
    add_border(unit, chunk, dy, tap, lines, (span){all.first, whole.first}, sums);
    add_border(unit, chunk, dy, tap, lines, (span){whole.end, all.end}, sums);
}

static void add_tap(const unit_of_sums *unit, const rf_weight_chunk *chunk, const pixels *dy,
                    const int64_t tap[RF_WEIGHT_AXES], float *sums)
{
    const rf_weight_plan *p = unit->plan;
    const span plane = run_of_tap(&p->windows[0], tap[0], (span){chunk->z, chunk->z + 1});
    const span lines = run_of_tap(&p->windows[1], tap[1], (span){chunk->y, chunk->y_end});
    if (plane.first >= plane.end || lines.first >= lines.end)
        return;
    if (p->wide) {
        add_wide(unit, chunk, dy, tap, lines, sums);
        return;
    }
    const span columns = run_of_tap(&p->windows[LAST], tap[LAST], (span){chunk->x, chunk->x_end});
    if (columns.first >= columns.end)
        return;
    rf_weight_tile tile = tile_at(unit, chunk, dy, tap, lines, columns);
    if (!p->depthwise) {
        add_rows(unit, tile, sums, unit->row, unit->row_end);
        return;
    }
    tile.last = unit->lanes - (unit->vectors - 1) * RF_LANES;
    tile.sums = sums;
    RF_ISA_NAME(rf_weight_depthwise_of)(unit->vectors, tile.last == RF_LANES)(&tile);
}

/* ---- Chunks ------------------------------------------------------------------------------ */

/* Copies a chunk's vectors of dL/dy next to each other; lanes that there are none of are 0. */
static pixels pack_chunk(const unit_of_sums *unit, const rf_weight_chunk *chunk, const float *from)
{
    const rf_weight_plan *p = unit->plan;
    const int64_t columns = chunk->x_end - chunk->x, lines = chunk->y_end - chunk->y;
    float *to = unit->packed;
    for (int64_t n = 0; n < chunk->images; n++)
        for (int64_t y = 0; y < lines; y++) {
            const float *line = from + n * p->dy_image + y * p->dy[1];
            for (int64_t i = 0; i < columns; i++, line += p->dy[LAST])
                for (int64_t v = 0; v < unit->width; v += RF_LANES, to += RF_LANES) {
                    int64_t some = unit->lanes - v;
                    rf_store(to, some >= RF_LANES ? rf_load(line + v) : rf_load_some(line + v, some));
                }
        }
    return (pixels){unit->packed, lines * columns * unit->width, columns * unit->width, unit->width};
}

static void add_chunk(const unit_of_sums *unit, const rf_weight_chunk *chunk)
{
    const rf_weight_plan *p = unit->plan;
    const float *from = unit->dy + chunk->image * p->dy_image + chunk->z * p->dy[0] + chunk->y * p->dy[1]
        + chunk->x * p->dy[LAST];
    const pixels dy = p->depthwise ? (pixels){from, p->dy_image, p->dy[1], p->dy[LAST]}
                                   : pack_chunk(unit, chunk, from);
    float *sums = unit->sums;
    int64_t tap[RF_WEIGHT_AXES];
    for (tap[0] = 0; tap[0] < p->taps[0]; tap[0]++)
        for (tap[1] = 0; tap[1] < p->taps[1]; tap[1]++)
            for (tap[2] = 0; tap[2] < p->taps[2]; tap[2]++, sums += p->rows * unit->width)
                add_tap(unit, chunk, &dy, tap, sums);
}

static void add_images(const unit_of_sums *unit, int64_t image, int64_t images)
{
    const rf_weight_plan *p = unit->plan;
    const rf_window *w = p->windows;
    rf_weight_chunk chunk = {.image = image, .images = images};
    for (chunk.z = 0; chunk.z < w[0].output; chunk.z++)
        for (chunk.y = 0; chunk.y < w[1].output; chunk.y = chunk.y_end) {
            chunk.y_end = rf_min(chunk.y + p->lines, w[1].output);
            for (chunk.x = 0; chunk.x < w[LAST].output; chunk.x = chunk.x_end) {
                chunk.x_end = rf_min(chunk.x + p->columns, w[LAST].output);
                add_chunk(unit, &chunk);
            }
        }
}

static void sum_unit(const unit_of_sums *unit)
{
    const rf_weight_plan *p = unit->plan;
    for (int64_t t = 0; t < p->tap_count; t++)
        memset(unit->sums + (t * p->rows + unit->row) * unit->width, 0,
               (size_t)((unit->row_end - unit->row) * unit->width) * sizeof(float));
    for (int64_t n = unit->image; n < unit->image_end; n += p->images)
        add_images(unit, n, rf_min(p->images, unit->image_end - n));
}

void RF_ISA_NAME(rf_weight_sum)(const void *plan, const rf_kernel_call *call)
{
    const rf_weight_plan *p = plan;
    for (size_t k = call->begin; k < call->end; k++) {
        int64_t at = (int64_t)k, block = at % p->blocks, part = at / p->blocks / p->panels / p->groups;
        int64_t panel = at / p->blocks % p->panels, group = at / p->blocks / p->panels % p->groups;
        int64_t channel = group * p->outputs + panel * p->width;
        unit_of_sums unit = {
            .plan = p,
            .x = (const float *)call->data[0] + (p->depthwise ? channel : group * p->inputs) * p->x_channel,
            .dy = (const float *)call->data[1] + channel * p->dy_channel,
            .sums = (float *)call->data[2] + part * p->part_floats
                + (group * p->panels + panel) * p->tap_count * p->rows * p->width,
            .packed = call->scratch,
            .lanes = rf_min(p->outputs - panel * p->width, p->width),
            .row = block * p->block_rows, .row_end = rf_min((block + 1) * p->block_rows, p->rows),
            .image = p->batch * part / p->parts, .image_end = p->batch * (part + 1) / p->parts,
        };
        unit.vectors = rf_div_ceil(unit.lanes, RF_LANES);
        unit.width = unit.vectors * RF_LANES;
        sum_unit(&unit);
    }
}

/* ---- Joining ----------------------------------------------------------------------------- */

/* Vectors of one tap and input channel, from all parts. */
static void join_vectors(const rf_weight_plan *p, const float *sums, float *to, int64_t lanes)
{
    for (int64_t v = 0; v < lanes; v += RF_LANES) {
        float all[RF_LANES];
        rf_vec sum = rf_load(sums + v);
        for (int64_t part = 1; part < p->parts; part++)
            sum += rf_load(sums + part * p->part_floats + v);
        rf_store(all, sum);
        for (int64_t lane = 0; lane < rf_min(lanes - v, RF_LANES); lane++)
            to[(v + lane) * p->to_channel] = all[lane];
    }
}

/* All taps of an input channel, whose sums are of `lanes` output channels. */
static void join_channel(const rf_weight_plan *p, const float *sums, float *to, int64_t channel, int64_t lanes)
{
    const rf_window *w = p->windows;
    const int64_t width = rf_div_ceil(lanes, RF_LANES) * RF_LANES;
    for (int64_t z = 0; z < w[0].kernel; z++)
        for (int64_t y = 0; y < w[1].kernel; y++)
            for (int64_t x = 0; x < w[LAST].kernel; x++) {
                int64_t row = ((z * w[1].kernel + y) * w[LAST].kernel + x) * p->inputs + channel;
                join_vectors(p, sums + row * width, to + z * p->to[0] + y * p->to[1] + x * p->to[LAST], lanes);
            }
}

void RF_ISA_NAME(rf_weight_join)(const void *plan, const rf_kernel_call *call)
{
    const rf_weight_plan *p = plan;
    for (size_t k = call->begin; k < call->end; k++) {
        int64_t at = (int64_t)k, channel = at % p->inputs, panel = at / p->inputs % p->panels;
        int64_t group = at / p->inputs / p->panels, output = group * p->outputs + panel * p->width;
        const float *sums = (const float *)call->data[0]
            + (group * p->panels + panel) * p->tap_count * p->rows * p->width;
        float *to = (float *)call->data[1] + output * p->to_channel + channel * p->to_input;
        join_channel(p, sums, to, channel, rf_min(p->outputs - panel * p->width, p->width));
    }
}
