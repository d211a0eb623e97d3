/* SPDX-License-Identifier: MIT */
/* One value everywhere: runs are written from a pattern of many copies of it. */
#include "kernels/vector/lines.h"

enum { PATTERN = 256 };

typedef struct fill_plan {
    rf_tiles tiles;
    size_t element_bytes;
    unsigned char pattern[PATTERN]; /* the value over and over */
} fill_plan;

static void fill_run(unsigned char *to, const unsigned char *pattern, size_t bytes)
{
    for (; bytes >= PATTERN; bytes -= PATTERN, to += PATTERN)
        memcpy(to, pattern, PATTERN);
    memcpy(to, pattern, bytes);
}

static void fill_line(const fill_plan *p, unsigned char *to, int64_t count)
{
    int64_t step = p->tiles.steps[0] * (int64_t)p->element_bytes;
    if (p->tiles.steps[0] == 1) {
        fill_run(to, p->pattern, (size_t)count * p->element_bytes);
        return;
    }
    for (int64_t i = 0; i < count; i++)
        memcpy(to + i * step, p->pattern, p->element_bytes);
}

static void run(const void *plan, const rf_kernel_call *call)
{
    const fill_plan *p = plan;
    int64_t bytes = (int64_t)p->element_bytes;
    for (size_t unit = call->begin; unit < call->end; unit++) {
        rf_tile tile = rf_tiles_at(&p->tiles, unit);
        unsigned char *to = (unsigned char *)call->data[0] + tile.offsets[0] * bytes;
        for (int64_t row = 0; row < tile.rows; row++)
            fill_line(p, to + row * p->tiles.row_steps[0] * bytes, tile.count);
    }
}

bool RF_ISA_NAME(rf_make_fill)(const rf_fill_spec *spec, rf_arena *arena, rf_work *work)
{
    rf_nest nest;
    const rf_strided *const operands[] = {&spec->output};
    size_t bytes = spec->element_bytes;
    if (bytes == 0 || bytes > sizeof spec->value || PATTERN % bytes != 0 || !rf_nest_make(&nest, 1, operands))
        return false;
    fill_plan *plan = RF_TAKE(arena, fill_plan, 1);
    if (!plan || !rf_tiles_make(&plan->tiles, &nest, RF_LINE_BLOCK))
        return false;
    plan->element_bytes = bytes;
    for (size_t i = 0; i < PATTERN; i++)
        plan->pattern[i] = spec->value[i % bytes];
    *work = rf_tiled_work("runs", plan, run, &plan->tiles);
    return true;
}
