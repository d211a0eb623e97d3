/* SPDX-License-Identifier: MIT */
/* Runs pools: a window's rows one after the other, a mean's rows summed by themselves first. */
#include "kernels/vector/pool_plan.h"

#include "kernels/vector/epilogue.h"

enum { LAST = RF_POOL_AXES - 1 };

/* ---- Channels that are next to each other ------------------------------------------------ */

/* The larger, or NaN where either is. */
RF_INLINE rf_vec larger(rf_vec most, rf_vec x)
{
    return rf_vmax(x, most);
}

/* The first vector, or with few `lanes` the first part of it. */
RF_INLINE rf_vec load_lanes(const float *from, int64_t lanes)
{
    return lanes == RF_LANES ? rf_load(from) : rf_load_some(from, lanes);
}

/* Reduces one window of `vectors` vectors; at least one tap. */
RF_INLINE void reduce_window(const rf_pool_row *row, const float *input, const rf_reach *taps, int64_t step,
                             int64_t lanes, rf_vec *result, const int vectors, const bool average)
{
    for (int64_t z = 0; z < row->counts[0]; z++)
        for (int64_t y = 0; y < row->counts[1]; y++) {
            const float *from = input + z * row->steps[0] + y * row->steps[1];
            rf_vec line[RF_POOL_VECTORS];
            RF_UNROLL
            for (int v = 0; v < vectors; v++)
                line[v] = load_lanes(from + v * RF_LANES, lanes);
            for (int64_t x = 1; x < taps->count; x++) {
                RF_UNROLL
                for (int v = 0; v < vectors; v++) {
                    rf_vec next = load_lanes(from + x * step + v * RF_LANES, lanes);
                    line[v] = average ? line[v] + next : larger(line[v], next);
                }
            }
            RF_UNROLL
            for (int v = 0; v < vectors; v++)
                result[v] = average ? result[v] + line[v] : larger(result[v], line[v]);
        }
}

/* Those of RF_LANES, or fewer, lanes from `skip` on. */
RF_INLINE void store_lanes(float *to, rf_vec v, int64_t skip, int64_t lanes)
{
    if (lanes == RF_LANES && skip == 0) {
        rf_store(to, v);
        return;
    }
    float all[RF_LANES];
    rf_store(all, v);
    memcpy(to + skip, all + skip, (size_t)(lanes - skip) * sizeof *to);
}

/* Channels of one row; of those from `skip` to `lanes` are stored. Whole vectors have skip 0. */
RF_INLINE void pool_channels(const rf_pool_row *row, int64_t channel, int64_t skip, int64_t lanes,
                             const int vectors, const bool average)
{
    const rf_pool_plan *plan = row->plan;
    const rf_reach_axis *axis = &plan->axes[LAST];
    bool outer = row->counts[0] > 0 && row->counts[1] > 0;
    const int64_t step = rf_reach_step(axis, plan->input[LAST]);
    for (int64_t x = 0; x < axis->window.output; x++) {
        const rf_reach *taps = &axis->at[x];
        rf_vec result[RF_POOL_VECTORS];
        RF_UNROLL
        for (int v = 0; v < vectors; v++)
            result[v] = rf_set(average ? 0.0f : -INFINITY);
        if (outer && taps->count > 0) {
            const float *input = row->input + channel + taps->input * plan->input[LAST];
            reduce_window(row, input, taps, step, lanes, result, vectors, average);
            float divisor = row->divisor * (float)plan->divisors[LAST][x];
            RF_UNROLL
            for (int v = 0; v < vectors; v++)
                result[v] = average ? result[v] / rf_set(divisor) : result[v];
        }
        float *to = row->output + channel + x * plan->output[LAST];
        RF_UNROLL
        for (int v = 0; v < vectors; v++)
            store_lanes(to + v * RF_LANES, rf_map_vector(result[v], plan->map), skip, lanes);
    }
}

static void whole_block(const rf_pool_row *row)
{
    if (row->plan->average)
        pool_channels(row, 0, 0, RF_LANES, RF_POOL_VECTORS, true);
    else
        pool_channels(row, 0, 0, RF_LANES, RF_POOL_VECTORS, false);
}

static void whole_vector(const rf_pool_row *row, int64_t channel)
{
    if (row->plan->average)
        pool_channels(row, channel, 0, RF_LANES, 1, true);
    else
        pool_channels(row, channel, 0, RF_LANES, 1, false);
}

static void part_of_vector(const rf_pool_row *row, int64_t channel, int64_t skip, int64_t lanes)
{
    if (row->plan->average)
        pool_channels(row, channel, skip, lanes, 1, true);
    else
        pool_channels(row, channel, skip, lanes, 1, false);
}

/* `count` channels of a row that begins at channel `first` of all. Where a whole vector ends with
 * the last channel, its lanes that were done before are not stored again. */
static void pool_row(const rf_pool_row *row, int64_t first, int64_t count)
{
    if (count == RF_POOL_BLOCK) {
        whole_block(row);
        return;
    }
    int64_t channel = 0;
    for (; count - channel >= RF_LANES; channel += RF_LANES)
        whole_vector(row, channel);
    int64_t left = count - channel, skip = RF_LANES - left;
    if (left == 0)
        return;
    if (first + count >= RF_LANES)
        part_of_vector(row, channel - skip, skip, RF_LANES);
    else
        part_of_vector(row, channel, 0, left);
}

void RF_ISA_NAME(rf_pool_run_vectors)(const void *given, const rf_kernel_call *call)
{
    const rf_pool_plan *plan = given;
    int64_t height = plan->axes[1].window.output, depth = plan->axes[0].window.output;
    for (size_t unit = call->begin; unit < call->end; unit++) {
        int64_t first = (int64_t)unit % plan->blocks * RF_POOL_BLOCK, place = (int64_t)unit / plan->blocks;
        int64_t y = place % height, z = place / height % depth, batch = place / height / depth;
        rf_pool_row row = rf_pool_row_at(plan, call->data, batch, first, z, y);
        pool_row(&row, first, rf_min(plan->channels - first, RF_POOL_BLOCK));
    }
}

/* ---- Any layout -------------------------------------------------------------------------- */

static float plain_line(const float *from, int64_t count, int64_t step, bool average)
{
    float result = *from;
    for (int64_t x = 1; x < count; x++) {
        float next = from[x * step];
        if (average)
            result += next;
        else if (next > result || next != next)
            result = next;
    }
    return result;
}

static float plain_window(const rf_pool_row *row, int64_t x, int64_t step)
{
    const rf_pool_plan *plan = row->plan;
    const rf_reach *taps = &plan->axes[LAST].at[x];
    float result = plan->average ? 0.0f : -INFINITY;
    if (row->counts[0] == 0 || row->counts[1] == 0 || taps->count == 0)
        return result;
    const float *input = row->input + taps->input * plan->input[LAST];
    for (int64_t z = 0; z < row->counts[0]; z++)
        for (int64_t y = 0; y < row->counts[1]; y++) {
            const float *from = input + z * row->steps[0] + y * row->steps[1];
            float line = plain_line(from, taps->count, step, plan->average);
            if (plan->average)
                result += line;
            else if (line > result || line != line)
                result = line;
        }
    return plan->average ? result / (row->divisor * (float)plan->divisors[LAST][x]) : result;
}

static void plain_row(const rf_pool_row *row)
{
    const rf_pool_plan *plan = row->plan;
    const int64_t step = rf_reach_step(&plan->axes[LAST], plan->input[LAST]);
    for (int64_t x = 0; x < plan->axes[LAST].window.output; x += RF_LANES) {
        float lanes[RF_LANES] = {0};
        int64_t count = rf_min(plan->axes[LAST].window.output - x, RF_LANES);
        for (int64_t i = 0; i < count; i++)
            lanes[i] = plain_window(row, x + i, step);
        rf_store(lanes, rf_map_vector(rf_load(lanes), plan->map));
        for (int64_t i = 0; i < count; i++)
            row->output[(x + i) * plan->output[LAST]] = lanes[i];
    }
}

void RF_ISA_NAME(rf_pool_run_plain)(const void *given, const rf_kernel_call *call)
{
    const rf_pool_plan *plan = given;
    int64_t height = plan->axes[1].window.output, depth = plan->axes[0].window.output;
    for (size_t unit = call->begin; unit < call->end; unit++) {
        int64_t place = (int64_t)unit, y = place % height, z = place / height % depth;
        place /= height * depth;
        rf_pool_row row = rf_pool_row_at(plan, call->data, place / plan->channels, place % plan->channels, z, y);
        plain_row(&row);
    }
}
