/* SPDX-License-Identifier: MIT */
/* A gradient times the slope of a function: one loop for each function. */
#include "kernels/vector/lines.h"
#include "kernels/vector/vector_slope.h"

typedef struct slope_line {
    float *to;
    const float *dy, *x;
    const int64_t *steps; /* of dy, x and the output */
    int64_t count;
} slope_line;

typedef void (*slope_function)(const slope_line *line, rf_map map);

typedef struct slope_plan {
    rf_tiles tiles;
    rf_map map;
    slope_function function;
} slope_plan;

RF_INLINE rf_vec slope_of(rf_vec x, rf_map map, const bool of_output)
{
    return of_output ? rf_vslope_of_output(x, map) : rf_vslope(x, map);
}

/* 1 stands for lanes that there are none of: no function is slow there. */
RF_INLINE void slope_steps(const slope_line *l, rf_map map, const bool of_output)
{
    for (int64_t i = 0; i < l->count; i += RF_LANES) {
        int64_t some = l->count - i < RF_LANES ? l->count - i : RF_LANES;
        rf_vec dy = rf_gather_any(l->dy + i * l->steps[0], l->steps[0], some, 1);
        rf_vec x = rf_gather_any(l->x + i * l->steps[1], l->steps[1], some, 1);
        rf_scatter_any(l->to + i * l->steps[2], l->steps[2], dy * slope_of(x, map, of_output), some);
    }
}

/* The last vector overlaps the one before; it is read before anything is written, for lines in place. */
RF_INLINE void slope_any(const slope_line *l, rf_map map, const bool of_output)
{
    const int64_t at = l->count - RF_LANES;
    if (l->steps[0] != 1 || l->steps[1] != 1 || l->steps[2] != 1 || at < 0) {
        slope_steps(l, map, of_output);
        return;
    }
    rf_vec last = rf_load(l->dy + at) * slope_of(rf_load(l->x + at), map, of_output);
    for (int64_t i = 0; i < at; i += RF_LANES)
        rf_store(l->to + i, rf_load(l->dy + i) * slope_of(rf_load(l->x + i), map, of_output));
    rf_store(l->to + at, last);
}

#define EACH_SLOPE(X)                                                                            \
    X(NONE) X(RELU) X(CLIP) X(LEAKY_RELU) X(SIGMOID) X(TANH) X(HARD_SIGMOID) X(HARD_SWISH)       \
    X(SILU) X(ELU) X(SELU) X(CELU) X(GELU) X(GELU_TANH) X(SOFTPLUS) X(SOFTSIGN) X(MISH)          \
    X(THRESHOLD) X(ERF) X(EXP) X(LOG) X(SQRT) X(RECIPROCAL) X(ABS) X(NEGATE) X(FLOOR) X(CEIL)    \
    X(ROUND) X(SIGN) X(SIN) X(COS) X(AFFINE)

#define SLOPE_LINE(name)                                                                         \
    static void slope_##name(const slope_line *line, rf_map map)                                 \
    {                                                                                            \
        slope_any(line, (rf_map){RF_MAP_##name, map.a, map.b}, false);                           \
    }
EACH_SLOPE(SLOPE_LINE)

#define SLOPE_ROW(name) [RF_MAP_##name] = slope_##name,
static const slope_function functions[RF_MAP_FUNCTIONS] = {EACH_SLOPE(SLOPE_ROW)};

static void slope_of_sigmoid_output(const slope_line *line, rf_map map)
{
    slope_any(line, (rf_map){RF_MAP_SIGMOID, map.a, map.b}, true);
}

static void slope_of_tanh_output(const slope_line *line, rf_map map)
{
    slope_any(line, (rf_map){RF_MAP_TANH, map.a, map.b}, true);
}

static void run(const void *plan, const rf_kernel_call *call)
{
    const slope_plan *p = plan;
    const rf_tiles *t = &p->tiles;
    for (size_t unit = call->begin; unit < call->end; unit++) {
        rf_tile tile = rf_tiles_at(t, unit);
        slope_line line = {.dy = (const float *)call->data[0] + tile.offsets[0],
                           .x = (const float *)call->data[1] + tile.offsets[1],
                           .to = (float *)call->data[2] + tile.offsets[2],
                           .steps = t->steps, .count = tile.count};
        for (int64_t row = 0; row < tile.rows; row++) {
            p->function(&line, p->map);
            line.dy += t->row_steps[0];
            line.x += t->row_steps[1];
            line.to += t->row_steps[2];
        }
    }
}

bool RF_ISA_NAME(rf_make_slope)(const rf_slope_spec *spec, rf_arena *arena, rf_work *work)
{
    enum { MOST_INSTRUCTIONS = 16 }; /* of a vector, about, to weigh the work */
    rf_nest nest;
    const rf_strided *const operands[] = {&spec->gradient, &spec->x, &spec->output};
    const rf_map_function function = spec->map.function;
    if ((unsigned)function >= RF_MAP_FUNCTIONS || !rf_nest_make(&nest, 3, operands)
        || (spec->of_output && function != RF_MAP_SIGMOID && function != RF_MAP_TANH))
        return false;
    slope_plan *plan = RF_TAKE(arena, slope_plan, 1);
    if (!plan || !rf_tiles_make(&plan->tiles, &nest, RF_LINE_BLOCK))
        return false;
    plan->map = spec->map;
    plan->function = !spec->of_output              ? functions[function]
                     : function == RF_MAP_SIGMOID ? slope_of_sigmoid_output
                                                   : slope_of_tanh_output;
    *work = rf_tiled_work("elements", plan, run, &plan->tiles);
    if (function > RF_MAP_LEAKY_RELU && function != RF_MAP_THRESHOLD && !spec->of_output)
        work->operations *= MOST_INSTRUCTIONS;
    return true;
}
