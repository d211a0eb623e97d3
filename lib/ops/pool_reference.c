/* SPDX-License-Identifier: MIT */
/*
 * The reference of all pools: each window is cut to the input and its elements
 * are read in row-major order.
 *
 * A window that lies on padding alone yields the least there is for a maximum
 * and 0 for a mean or a norm; it has no index, which is -1. Gradients go the same
 * way back: to the element that the window would have chosen, or to all of them.
 */
#include "ops/pooling.h"

#include <math.h>

#include "ops/doubles.h"
#include "ops/fold.h"

/* The part of a window that lies on the input. Axes that the pool lacks come first. */
typedef struct part {
    int64_t first[RF_MAX_SPATIAL]; /* positions on the input */
    int64_t taps[RF_MAX_SPATIAL];
    double counted;                /* taps that a mean divides by */
} part;

typedef struct pool_call {
    const rf_pool_params *params;
    rf_window windows[RF_MAX_SPATIAL];
    const double *plane;
    rf_counts *tally; /* never NULL */
} pool_call;

/* Reduces a window with at least one element. *where receives the element that was chosen, if any. */
typedef double reduce_function(const pool_call *pool, const part *box, int64_t *where);

static const rf_window lacking = {.input = 1, .output = 1, .kernel = 1, .stride = 1, .dilation = 1};

/* ---- One window ------------------------------------------------------------------------- */

static uint64_t taps_in(const part *box)
{
    return (uint64_t)box->taps[0] * (uint64_t)box->taps[1] * (uint64_t)box->taps[2];
}

/* Element of the plane at the row of taps z, y of a part. */
static int64_t row_of(const pool_call *pool, const part *box, int64_t z, int64_t y)
{
    const rf_window *windows = pool->windows;
    return ((box->first[0] + z * windows[0].dilation) * windows[1].input + box->first[1] + y * windows[1].dilation)
        * windows[2].input + box->first[2];
}

static double largest(const pool_call *pool, const part *box, int64_t *where)
{
    const int64_t step = pool->windows[2].dilation;
    double best = -(double)INFINITY;
    for (int64_t z = 0; z < box->taps[0]; z++)
        for (int64_t y = 0; y < box->taps[1]; y++) {
            int64_t row = row_of(pool, box, z, y);
            for (int64_t x = 0; x < box->taps[2]; x++) {
                double element = pool->plane[row + x * step];
                if (*where >= 0 && !(element > best) && !(element != element && best == best))
                    continue;
                best = element;
                *where = row + x * step;
            }
        }
    pool->tally->comparisons += taps_in(box) - 1;
    return best;
}

static double mean(const pool_call *pool, const part *box, int64_t *where)
{
    const int64_t step = pool->windows[2].dilation;
    double sum = 0;
    (void)where;
    for (int64_t z = 0; z < box->taps[0]; z++)
        for (int64_t y = 0; y < box->taps[1]; y++) {
            const double *row = pool->plane + row_of(pool, box, z, y);
            for (int64_t x = 0; x < box->taps[2]; x++)
                sum += row[x * step];
        }
    pool->tally->additions += taps_in(box) - 1;
    pool->tally->divisions++;
    return sum / box->counted;
}

static double power(double element, int64_t p)
{
    if (p == 1)
        return fabs(element);
    return p == 2 ? element * element : pow(fabs(element), (double)p);
}

static double norm(const pool_call *pool, const part *box, int64_t *where)
{
    const int64_t step = pool->windows[2].dilation, p = pool->params->p;
    double sum = 0;
    (void)where;
    for (int64_t z = 0; z < box->taps[0]; z++)
        for (int64_t y = 0; y < box->taps[1]; y++) {
            const double *row = pool->plane + row_of(pool, box, z, y);
            for (int64_t x = 0; x < box->taps[2]; x++)
                sum += power(row[x * step], p);
        }
    pool->tally->additions += taps_in(box) - 1;
    if (p == 1)
        return sum;
    if (p == 2) {
        pool->tally->multiplications += taps_in(box);
        pool->tally->square_roots++;
        return sqrt(sum);
    }
    pool->tally->exponentials += taps_in(box) + 1;
    return pow(sum, 1 / (double)p);
}

/* ---- All windows ------------------------------------------------------------------------ */

static double taps_with_padding(const rf_window *window, int64_t i)
{
    rf_window padded = *window;
    int64_t first, end;
    padded.input += window->pad_begin + window->pad_end;
    padded.pad_begin = padded.pad_end = 0;
    rf_window_clip(&padded, i, &first, &end);
    return (double)(end - first);
}

/* Cuts axis `axis` of the window at output index `i`. The axes before it must have been cut. */
static void cut(const pool_call *pool, int32_t axis, int64_t i, part *box)
{
    const rf_window *window = &pool->windows[axis];
    int64_t first, end;
    rf_window_clip(window, i, &first, &end);
    box->first[axis] = window->stride * i - window->pad_begin + first * window->dilation;
    box->taps[axis] = end - first;
}

static double counted(const pool_call *pool, const int64_t at[RF_MAX_SPATIAL], const part *box)
{
    double product = 1;
    if (!pool->params->count_include_pad)
        return (double)taps_in(box);
    for (int32_t axis = 0; axis < RF_MAX_SPATIAL; axis++)
        product *= taps_with_padding(&pool->windows[axis], at[axis]);
    return product;
}

/* Element `where` of a plane, counted with the first axis fastest where storage_order asks for it. */
static int64_t index_of(const pool_call *pool, int64_t where)
{
    const rf_window *windows = pool->windows;
    if (where < 0 || !pool->params->storage_order)
        return where;
    int64_t x = where % windows[2].input, rest = where / windows[2].input;
    int64_t y = rest % windows[1].input, z = rest / windows[1].input;
    return (x * windows[1].input + y) * windows[0].input + z;
}

/* One row of outputs, and their indices where those are wanted. */
static void reduce_row(const pool_call *pool, reduce_function *reduce, double nothing, int64_t at[RF_MAX_SPATIAL],
                       part *box, double *row, int64_t *indices)
{
    for (at[2] = 0; at[2] < pool->windows[2].output; at[2]++) {
        int64_t where = -1;
        cut(pool, 2, at[2], box);
        row[at[2]] = nothing;
        if (taps_in(box)) {
            box->counted = counted(pool, at, box);
            row[at[2]] = reduce(pool, box, &where);
        }
        indices[at[2]] = index_of(pool, where);
    }
}

static uint64_t plane_elements(const rf_pool *state)
{
    uint64_t elements = 1;
    for (int32_t i = 0; i < state->axes; i++)
        elements *= (uint64_t)state->windows[i].input;
    return elements;
}

static pool_call start_call(const rf_node *node, rf_counts *untold)
{
    const rf_pool *state = node->state;
    pool_call pool = {.params = node->params, .plane = node->scratch, .tally = node->tally ? node->tally : untold};
    for (int32_t i = 0; i < RF_MAX_SPATIAL; i++)
        pool.windows[i] = i < RF_MAX_SPATIAL - state->axes ? lacking
                                                           : state->windows[i + state->axes - RF_MAX_SPATIAL];
    return pool;
}

static void store_indices(const rf_value *value, uint64_t at, int64_t base, const int64_t *indices, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        rf_store_int(rf_fold_data(value), value->dtype, at + (uint64_t)i, indices[i] < 0 ? -1 : base + indices[i]);
}

/* A plane, and a row of outputs and of their indices. */
bool rf_pool_scratch(const rf_node *node, uint64_t *bytes)
{
    const rf_pool *state = node->state;
    uint64_t row = (uint64_t)state->windows[state->axes - 1].output, rows, count;
    return rf_checked_mul(row, 2, &rows) && rf_checked_add(rows, plane_elements(state), &count)
        && rf_doubles_bytes(count, 0, bytes);
}

static void pool_plane(const rf_node *node, const pool_call *pool, reduce_function *reduce, double nothing,
                       uint64_t plane)
{
    const rf_window *windows = pool->windows;
    const rf_value *out = rf_output(node, 0), *places = rf_output(node, 1);
    uint64_t inputs = plane_elements(node->state);
    int64_t width = windows[2].output;
    uint64_t done = plane * (uint64_t)(windows[0].output * windows[1].output * width);
    double *row = (double *)node->scratch + inputs;
    int64_t *indices = (int64_t *)(row + width);
    int64_t at[RF_MAX_SPATIAL];
    part box;
    for (at[0] = 0; at[0] < windows[0].output; at[0]++) {
        cut(pool, 0, at[0], &box);
        for (at[1] = 0; at[1] < windows[1].output; at[1]++, done += (uint64_t)width) {
            cut(pool, 1, at[1], &box);
            reduce_row(pool, reduce, nothing, at, &box, row, indices);
            if (out)
                rf_doubles_write(out, done, (uint64_t)width, row);
            if (places)
                store_indices(places, done, (int64_t)(plane * inputs), indices, width);
        }
    }
}

static rf_status evaluate(rf_node *node, reduce_function *reduce, double nothing)
{
    const rf_pool *state = node->state;
    rf_counts untold = {0};
    const pool_call pool = start_call(node, &untold);
    uint64_t elements = plane_elements(state);
    for (uint64_t plane = 0; plane < state->planes; plane++) {
        rf_doubles_read(node->inputs[0], plane * elements, elements, node->scratch);
        pool_plane(node, &pool, reduce, nothing, plane);
    }
    return RF_OK;
}

rf_status rf_pool_max(rf_node *node)
{
    return evaluate(node, largest, -(double)INFINITY);
}

rf_status rf_pool_average(rf_node *node)
{
    return evaluate(node, mean, 0);
}

rf_status rf_pool_lp(rf_node *node)
{
    return evaluate(node, norm, 0);
}

/* ---- Gradients -------------------------------------------------------------------------- */

/* Hands a window's gradient on to what it read. */
typedef void give_function(const pool_call *pool, const part *box, double gradient, double *to);

static void give_largest(const pool_call *pool, const part *box, double gradient, double *to)
{
    int64_t where = -1;
    largest(pool, box, &where);
    to[where] += gradient;
    pool->tally->additions++;
}

static void give_all(const pool_call *pool, const part *box, double gradient, double *to)
{
    const int64_t step = pool->windows[2].dilation;
    gradient /= box->counted;
    for (int64_t z = 0; z < box->taps[0]; z++)
        for (int64_t y = 0; y < box->taps[1]; y++) {
            double *row = to + row_of(pool, box, z, y);
            for (int64_t x = 0; x < box->taps[2]; x++)
                row[x * step] += gradient;
        }
    pool->tally->additions += taps_in(box);
    pool->tally->divisions++;
}

static uint64_t plane_windows(const rf_pool *state)
{
    uint64_t windows = 1;
    for (int32_t i = 0; i < state->axes; i++)
        windows *= (uint64_t)state->windows[i].output;
    return windows;
}

/* The planes of the pool's input and of its gradient, and one of the gradient by its output. */
bool rf_pool_gradient_scratch(const rf_node *node, uint64_t *bytes)
{
    uint64_t planes, count;
    return rf_checked_mul(plane_elements(node->state), 2, &planes)
        && rf_checked_add(planes, plane_windows(node->state), &count) && rf_doubles_bytes(count, 0, bytes);
}

static void give_plane(const pool_call *pool, give_function *give, const double *gradients, double *to)
{
    const rf_window *windows = pool->windows;
    int64_t at[RF_MAX_SPATIAL];
    part box;
    for (at[0] = 0; at[0] < windows[0].output; at[0]++) {
        cut(pool, 0, at[0], &box);
        for (at[1] = 0; at[1] < windows[1].output; at[1]++) {
            cut(pool, 1, at[1], &box);
            for (at[2] = 0; at[2] < windows[2].output; at[2]++, gradients++) {
                cut(pool, 2, at[2], &box);
                if (!taps_in(&box))
                    continue;
                box.counted = counted(pool, at, &box);
                give(pool, &box, *gradients, to);
            }
        }
    }
}

/* `x` is NULL where what the windows read doesn't matter. */
static rf_status evaluate_gradient(rf_node *node, give_function *give, const rf_value *x)
{
    const rf_pool *state = node->state;
    const uint64_t elements = plane_elements(state), windows = plane_windows(state);
    rf_counts untold = {0};
    const pool_call pool = start_call(node, &untold);
    double *to = (double *)node->scratch + elements, *gradients = to + elements;
    for (uint64_t plane = 0; plane < state->planes; plane++) {
        if (x)
            rf_doubles_read(x, plane * elements, elements, node->scratch);
        rf_doubles_read(node->inputs[0], plane * windows, windows, gradients);
        for (uint64_t i = 0; i < elements; i++)
            to[i] = 0;
        give_plane(&pool, give, gradients, to);
        rf_doubles_write(node->outputs[0], plane * elements, elements, to);
    }
    return RF_OK;
}

rf_status rf_pool_max_gradient(rf_node *node)
{
    return evaluate_gradient(node, give_largest, node->inputs[1]);
}

rf_status rf_pool_average_gradient(rf_node *node)
{
    return evaluate_gradient(node, give_all, NULL);
}
