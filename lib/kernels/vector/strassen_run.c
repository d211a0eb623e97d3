/* SPDX-License-Identifier: MIT */
/*
 * Runs Strassen's product, a block of pairs of pixels at a time: adds up the
 * halves of their inputs, multiplies at seven points for each panel of output
 * channels, and adds up the sums while they are still in cache.
 */
#include "kernels/vector/point_sums.h"
#include "kernels/vector/strassen_plan.h"

typedef struct block {
    const rf_strassen_plan *plan;
    const rf_kernel_call *call;
    int64_t begin;        /* pair */
    float *inputs;        /* in scratch */
    rf_point_sums points; /* of all panels: a row is a pair */
} block;

static block block_at(const rf_strassen_plan *plan, const rf_kernel_call *call, int64_t number)
{
    block at = {.plan = plan, .call = call, .inputs = call->scratch};
    at.begin = number * plan->pairs / plan->blocks;
    at.points = (rf_point_sums){
        .points = RF_STRASSEN_POINTS, .depth = plan->depth, .inputs = at.inputs, .input_step = plan->input_step,
        .sums = at.inputs + plan->input_step * RF_STRASSEN_POINTS, .sums_step = plan->sums_step,
        .zeros = (const float *)call->packed + rf_strassen_zeros(plan),
    };
    at.points.rows = (number + 1) * plan->pairs / plan->blocks - at.begin;
    at.points.chunks = rf_div_ceil(at.points.rows, plan->rows);
    return at;
}

/* ---- Inputs ------------------------------------------------------------------------------- */

/* One vector of channels of each half, of both pixels. */
RF_INLINE void write_points(rf_vec a11, rf_vec a12, rf_vec a21, rf_vec a22, float *to, int64_t step)
{
    const rf_vec s1 = a21 + a22, s2 = s1 - a11;
    rf_store(to, a11);
    rf_store(to + step, a12);
    rf_store(to + 2 * step, a12 - s2);
    rf_store(to + 3 * step, a22);
    rf_store(to + 4 * step, s1);
    rf_store(to + 5 * step, s2);
    rf_store(to + 6 * step, a11 - a21);
}

/* `to` is the pair's first lane; `rows` pairs lie between a vector and the next one. */
static void transform_pair(const block *at, const float *first, const float *second, float *to, int64_t rows)
{
    const int64_t depth = at->plan->depth, rest = at->plan->spec.channels - depth, step = at->plan->input_step;
    int64_t c = 0;
    for (; c + RF_LANES <= rest; c += RF_LANES)
        write_points(rf_load(first + c), rf_load(first + depth + c), rf_load(second + c), rf_load(second + depth + c),
                     to + c * rows, step);
    for (; c < depth; c += RF_LANES) {
        const int64_t some = rf_max(rest - c, 0);
        write_points(rf_load(first + c), rf_load_some(first + depth + c, some), rf_load(second + c),
                     rf_load_some(second + depth + c, some), to + c * rows, step);
    }
}

/* Where there is no second pixel, the last one stands for it. */
static void transform_inputs(const block *at)
{
    const rf_strassen_plan *plan = at->plan;
    const float *input = at->call->data[0];
    for (int64_t chunk = 0; chunk < at->points.chunks; chunk++) {
        int64_t begin = rf_point_chunk_begin(&at->points, chunk);
        int64_t rows = rf_point_chunk_begin(&at->points, chunk + 1) - begin;
        for (int64_t r = 0; r < rows; r++) {
            int64_t pair = at->begin + begin + r, second = rf_min(pair + plan->pairs, plan->pixels - 1);
            transform_pair(at, input + pair * plan->in_step, input + second * plan->in_step,
                           at->inputs + begin * plan->depth + r * RF_LANES, rows);
        }
    }
}

/* ---- Outputs ------------------------------------------------------------------------------ */

enum { MOST = RF_TILE_MAX_SUMS * RF_LANES };

/* Outputs of some pairs: [pixel][outputs' half]. */
typedef struct quarters {
    float at[2][2][MOST];
} quarters;

RF_INLINE void add_points(const block *at, const float *sums, const float *bias, int64_t half, int64_t i, quarters *to)
{
    const int64_t step = at->plan->sums_step;
    const rf_vec m1 = rf_load(sums), m2 = rf_load(sums + step), m3 = rf_load(sums + 2 * step);
    const rf_vec m4 = rf_load(sums + 3 * step), m5 = rf_load(sums + 4 * step), m6 = rf_load(sums + 5 * step);
    const rf_vec u2 = m1 + m6, u3 = u2 + rf_load(sums + 6 * step);
    const rf_vec b1 = rf_load(bias), b2 = rf_load(bias + half);
    rf_store(to->at[0][0] + i, m1 + m2 + b1);
    rf_store(to->at[0][1] + i, u2 + m5 + m3 + b2);
    rf_store(to->at[1][0] + i, u3 - m4 + b1);
    rf_store(to->at[1][1] + i, u3 + m5 + b2);
}

static void store_quarter(const block *at, const float *sums, int64_t pixel, int64_t rows, int64_t output,
                          int64_t outputs, int64_t lanes)
{
    const rf_strassen_plan *plan = at->plan;
    const rf_tile_rows_out to = {
        .rows = rows, .outputs = outputs, .lanes = lanes,
        .output = (float *)at->call->data[1] + pixel * plan->out_step + output, .output_step = plan->out_step,
        .residual = plan->spec.epilogue.residual
                        ? (const float *)at->call->data[2] + pixel * plan->residual_step + output : NULL,
        .residual_step = plan->residual_step, .map = plan->spec.epilogue.map,
    };
    if (rows > 0 && outputs > 0)
        RF_ISA_NAME(rf_tile_finish)(&to, sums);
}

static void transform_sums(const block *at, const rf_strassen_panel *panel)
{
    const rf_strassen_plan *plan = at->plan;
    const int64_t lanes = panel->vectors * RF_LANES, halves[2] = {rf_min(lanes, panel->outputs), panel->outputs - lanes};
    const float *bias = (const float *)at->call->packed + panel->begin;
    quarters made;
    for (int64_t chunk = 0; chunk < at->points.chunks; chunk++) {
        int64_t begin = rf_point_chunk_begin(&at->points, chunk);
        int64_t rows = rf_point_chunk_begin(&at->points, chunk + 1) - begin, pair = at->begin + begin;
        for (int64_t i = 0; i < rows * lanes; i += RF_LANES)
            add_points(at, at->points.sums + begin * lanes + i, bias + i % lanes, lanes, i, &made);
        for (int half = 0; half < 2; half++) {
            int64_t output = panel->begin + half * lanes, second = pair + plan->pairs;
            store_quarter(at, made.at[0][half], pair, rows, output, halves[half], lanes);
            store_quarter(at, made.at[1][half], second, rf_min(rows, plan->pixels - second), output, halves[half], lanes);
        }
    }
}

void RF_ISA_NAME(rf_strassen_run)(const void *given, const rf_kernel_call *call)
{
    const rf_strassen_plan *plan = given;
    const size_t panels = (size_t)plan->panels;
    block at = {.plan = plan};
    for (size_t unit = call->begin; unit < call->end; unit++) {
        const int64_t number = (int64_t)(unit % panels);
        const rf_strassen_panel panel = rf_strassen_panel_at(plan, number);
        if (unit == call->begin || number == 0) {
            at = block_at(plan, call, (int64_t)(unit / panels));
            transform_inputs(&at);
        }
        at.points.vectors = panel.vectors;
        at.points.weights = (const float *)call->packed + rf_strassen_weights(plan, number);
        at.points.last = number + 1 == plan->panels;
        RF_ISA_NAME(rf_sum_points)(&at.points);
        transform_sums(&at, &panel);
    }
}
