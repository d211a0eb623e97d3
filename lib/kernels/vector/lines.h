/* SPDX-License-Identifier: MIT */
/* Vectors of elements that lie a step apart, and what else loops over lines share. */
#ifndef RF_KERNELS_VECTOR_LINES_H
#define RF_KERNELS_VECTOR_LINES_H

#include "kernels/nest.h"
#include "kernels/vector/makers.h"
#include "kernels/vector/vector_math.h"

/* Elements of a unit of element-wise work: 16 KiB a float operand, which stays in the first cache. */
enum { RF_LINE_BLOCK = 4096 };

/* The first `count` lanes from elements `step` apart, `other` in the rest. Out of line: it is for
 * what no loop spends its time in. */
static __attribute__((noinline, unused)) rf_vec rf_gather(const float *from, int64_t step, int64_t count,
                                                          float other)
{
    float lanes[RF_LANES];
    rf_store(lanes, rf_set(other));
    if (step == 1)
        memcpy(lanes, from, (size_t)count * sizeof *from);
    else
        for (int64_t i = 0; i < count; i++)
            lanes[i] = from[i * step];
    return rf_load(lanes);
}

static __attribute__((noinline, unused)) void rf_scatter(float *to, int64_t step, rf_vec v, int64_t count)
{
    float lanes[RF_LANES];
    rf_store(lanes, v);
    if (step == 1)
        memcpy(to, lanes, (size_t)count * sizeof *to);
    else
        for (int64_t i = 0; i < count; i++)
            to[i * step] = lanes[i];
}

/* The same, with the step's common cases told apart. */
RF_INLINE rf_vec rf_gather_any(const float *from, int64_t step, int64_t count, float other)
{
    if (count == RF_LANES && step <= 1 && step >= 0)
        return step ? rf_load(from) : rf_set(*from);
    return rf_gather(from, step, count, other);
}

RF_INLINE void rf_scatter_any(float *to, int64_t step, rf_vec v, int64_t count)
{
    if (step == 1 && count == RF_LANES)
        rf_store(to, v);
    else
        rf_scatter(to, step, v, count);
}

/* map() of `count` elements; the two lines may be the same. In map_kernel.c. */
void RF_ISA_NAME(rf_map_line)(float *to, int64_t to_step, const float *from, int64_t from_step,
                              int64_t count, rf_map map);

/* A map at the end of another kernel's line: limits that cost next to nothing, or a second look at
 * a line that is still in the cache. */
typedef struct rf_line_map {
    float low, high;
    bool again;
    rf_map map;
} rf_line_map;

static inline rf_line_map rf_line_map_of(rf_map map)
{
    rf_line_map end = {.low = -INFINITY, .high = INFINITY, .map = map};
    if (map.function == RF_MAP_RELU)
        end.low = 0;
    else if (map.function == RF_MAP_CLIP)
        end.low = map.a, end.high = map.b;
    else
        end.again = map.function != RF_MAP_NONE;
    return end;
}

RF_INLINE rf_vec rf_line_limit(rf_vec x, const rf_line_map *end)
{
    return rf_at_most(rf_at_least(x, rf_set(end->low)), rf_set(end->high));
}

/* Work that needs no scratch and no weights. */
static inline rf_work rf_plain_work(const char *algorithm, const void *plan,
                                    void (*run)(const void *plan, const rf_kernel_call *call))
{
    return (rf_work){.algorithm = algorithm, .plan = plan, .run = run, .grain = 1};
}

/* The same, shared out by tiles. */
static inline rf_work rf_tiled_work(const char *algorithm, const void *plan,
                                    void (*run)(const void *plan, const rf_kernel_call *call),
                                    const rf_tiles *tiles)
{
    rf_work work = rf_plain_work(algorithm, plan, run);
    work.units = tiles->units;
    work.grain = tiles->grain;
    work.operations = tiles->elements;
    return work;
}

#endif
