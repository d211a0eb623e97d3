/* SPDX-License-Identifier: MIT */
/* One loop for each function of an element, so that none asks which it is. */
#include "kernels/vector/lines.h"
#include "kernels/vector/vector_map.h"

typedef void (*map_line)(float *to, int64_t to_step, const float *from, int64_t from_step,
                         int64_t count, rf_map map);

typedef struct map_plan {
    rf_tiles tiles;
    rf_map map;
    map_line line;
} map_plan;

RF_INLINE void map_steps(float *to, int64_t to_step, const float *from, int64_t from_step,
                         int64_t count, rf_map map)
{
    for (int64_t i = 0; i < count; i += RF_LANES) {
        int64_t some = count - i < RF_LANES ? count - i : RF_LANES;
        rf_vec x = rf_gather_any(from + i * from_step, from_step, some, 0);
        rf_scatter_any(to + i * to_step, to_step, rf_vmap(x, map), some);
    }
}

/* The last vector overlaps the one before; it is read before anything is written, for lines in place. */
RF_INLINE void map_any(float *to, int64_t to_step, const float *from, int64_t from_step,
                       int64_t count, rf_map map)
{
    if (to_step != 1 || from_step != 1 || count < RF_LANES) {
        map_steps(to, to_step, from, from_step, count, map);
        return;
    }
    rf_vec last = rf_vmap(rf_load(from + count - RF_LANES), map);
    for (int64_t i = 0; i + RF_LANES < count; i += RF_LANES)
        rf_store(to + i, rf_vmap(rf_load(from + i), map));
    rf_store(to + count - RF_LANES, last);
}

#define RF_EACH_MAP(X)                                                                           \
    X(NONE) X(RELU) X(CLIP) X(LEAKY_RELU) X(SIGMOID) X(TANH) X(HARD_SIGMOID) X(HARD_SWISH)       \
    X(SILU) X(ELU) X(SELU) X(CELU) X(GELU) X(GELU_TANH) X(SOFTPLUS) X(SOFTSIGN) X(MISH)          \
    X(THRESHOLD) X(ERF) X(EXP) X(LOG) X(SQRT) X(RECIPROCAL) X(ABS) X(NEGATE) X(FLOOR) X(CEIL)    \
    X(ROUND) X(SIGN) X(SIN) X(COS) X(AFFINE)

#define MAP_LINE(name)                                                                           \
    static void map_##name(float *to, int64_t to_step, const float *from, int64_t from_step,     \
                           int64_t count, rf_map map)                                            \
    {                                                                                            \
        map_any(to, to_step, from, from_step, count, (rf_map){RF_MAP_##name, map.a, map.b});     \
    }
RF_EACH_MAP(MAP_LINE)

#define MAP_ROW(name) [RF_MAP_##name] = map_##name,
static const map_line lines[RF_MAP_FUNCTIONS] = {RF_EACH_MAP(MAP_ROW)};

void RF_ISA_NAME(rf_map_line)(float *to, int64_t to_step, const float *from, int64_t from_step,
                              int64_t count, rf_map map)
{
    lines[map.function](to, to_step, from, from_step, count, map);
}

static void run(const void *plan, const rf_kernel_call *call)
{
    const map_plan *p = plan;
    for (size_t unit = call->begin; unit < call->end; unit++) {
        rf_tile tile = rf_tiles_at(&p->tiles, unit);
        const float *from = (const float *)call->data[0] + tile.offsets[0];
        float *to = (float *)call->data[1] + tile.offsets[1];
        for (int64_t row = 0; row < tile.rows; row++)
            p->line(to + row * p->tiles.row_steps[1], p->tiles.steps[1],
                    from + row * p->tiles.row_steps[0], p->tiles.steps[0], tile.count, p->map);
    }
}

/* About how many instructions a vector takes, to weigh the work. */
static uint64_t cost_of(rf_map_function function)
{
    bool simple = function <= RF_MAP_LEAKY_RELU || function == RF_MAP_HARD_SIGMOID
                  || function == RF_MAP_HARD_SWISH
                  || (function >= RF_MAP_RECIPROCAL && function != RF_MAP_SIN && function != RF_MAP_COS);
    return simple ? 1 : 16;
}

bool RF_ISA_NAME(rf_make_map)(const rf_map_spec *spec, rf_arena *arena, rf_work *work)
{
    rf_nest nest;
    const rf_strided *const operands[] = {&spec->input, &spec->output};
    if ((unsigned)spec->map.function >= RF_MAP_FUNCTIONS || !rf_nest_make(&nest, 2, operands))
        return false;
    map_plan *plan = RF_TAKE(arena, map_plan, 1);
    if (!plan || !rf_tiles_make(&plan->tiles, &nest, RF_LINE_BLOCK))
        return false;
    plan->map = spec->map;
    plan->line = lines[spec->map.function];
    *work = rf_tiled_work("elements", plan, run, &plan->tiles);
    work->operations *= cost_of(spec->map.function);
    return true;
}
