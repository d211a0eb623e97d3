/* SPDX-License-Identifier: MIT */
/* One loop for each function of two elements and each usual way to broadcast. */
#include "kernels/vector/lines.h"

/* What is left of a power whose exponent is known to be 2, 3 or 1/2. */
enum { SQUARE = RF_PAIR_PRELU + 1, CUBE, ROOT, FUNCTIONS };

/* How the inputs of a line lie; the output is in one piece but for SCATTERED. */
enum { BOTH, ONE_SECOND, ONE_FIRST, SCATTERED, WAYS };

typedef struct pair_line {
    float *to;
    const float *first, *second;
    const int64_t *steps; /* of first, second and the output */
    int64_t count;
} pair_line;

typedef void (*pair_function)(const pair_line *line, const rf_line_map *end);

typedef struct pair_plan {
    rf_tiles tiles;
    rf_line_map end;
    int function, way;
} pair_plan;

static rf_vec power(rf_vec x, rf_vec y)
{
    float bases[RF_LANES], exponents[RF_LANES];
    rf_store(bases, x);
    rf_store(exponents, y);
    for (int i = 0; i < RF_LANES; i++)
        bases[i] = powf(bases[i], exponents[i]);
    return rf_load(bases);
}

/* As pow has it: +0 for -0, infinity for both infinities. */
RF_INLINE rf_vec root(rf_vec x)
{
    return rf_select(x == rf_set(-INFINITY), rf_set(INFINITY), rf_vsqrt(x) + 0.0f);
}

RF_INLINE rf_vec pair(rf_vec x, rf_vec y, int function)
{
    switch (function) {
    case RF_PAIR_ADD: return x + y;
    case RF_PAIR_SUB: return x - y;
    case RF_PAIR_MUL: return x * y;
    case RF_PAIR_DIV: return x / y;
    case RF_PAIR_MIN: return rf_vmin(x, y);
    case RF_PAIR_MAX: return rf_vmax(x, y);
    case RF_PAIR_POW: return power(x, y);
    case RF_PAIR_PRELU: return rf_select(x < rf_set(0), x * y, x);
    case SQUARE: return x * x;
    case CUBE: return x * x * x;
    default: return root(x);
    }
}

RF_INLINE rf_vec operand(const float *from, int64_t i, bool one)
{
    return one ? rf_set(*from) : rf_load(from + i);
}

RF_INLINE void pair_scattered(const pair_line *l, const rf_line_map *end, int function)
{
    for (int64_t i = 0; i < l->count; i += RF_LANES) {
        int64_t some = l->count - i < RF_LANES ? l->count - i : RF_LANES;
        rf_vec x = rf_gather_any(l->first + i * l->steps[0], l->steps[0], some, 1);
        rf_vec y = rf_gather_any(l->second + i * l->steps[1], l->steps[1], some, 1);
        rf_scatter_any(l->to + i * l->steps[2], l->steps[2], rf_line_limit(pair(x, y, function), end), some);
    }
}

/* The last vector overlaps the one before; it is read before anything is written, for lines in place. */
RF_INLINE void pair_any(const pair_line *l, const rf_line_map *end, int function, int way)
{
    bool one_first = way == ONE_FIRST, one_second = way == ONE_SECOND;
    int64_t at = l->count - RF_LANES;
    if (way == SCATTERED || at < 0) {
        pair_scattered(l, end, function);
        return;
    }
    rf_vec x = operand(l->first, at, one_first), y = operand(l->second, at, one_second);
    rf_vec last = rf_line_limit(pair(x, y, function), end);
    for (int64_t i = 0; i < at; i += RF_LANES) {
        x = operand(l->first, i, one_first);
        y = operand(l->second, i, one_second);
        rf_store(l->to + i, rf_line_limit(pair(x, y, function), end));
    }
    rf_store(l->to + at, last);
}

#define EACH_PAIR(X)                                                                             \
    X(RF_PAIR_ADD) X(RF_PAIR_SUB) X(RF_PAIR_MUL) X(RF_PAIR_DIV) X(RF_PAIR_MIN) X(RF_PAIR_MAX)    \
    X(RF_PAIR_POW) X(RF_PAIR_PRELU) X(SQUARE) X(CUBE) X(ROOT)

#define PAIR_LINE(function, way)                                                                 \
    static void function##_##way(const pair_line *line, const rf_line_map *end)                  \
    {                                                                                            \
        pair_any(line, end, function, way);                                                      \
    }
#define PAIR_LINES(function)                                                                     \
    PAIR_LINE(function, BOTH)                                                                    \
    PAIR_LINE(function, ONE_SECOND)                                                              \
    PAIR_LINE(function, ONE_FIRST)                                                               \
    PAIR_LINE(function, SCATTERED)
EACH_PAIR(PAIR_LINES)

#define PAIR_ROW(function)                                                                       \
    [function] = {function##_BOTH, function##_ONE_SECOND, function##_ONE_FIRST, function##_SCATTERED},
static const pair_function functions[FUNCTIONS][WAYS] = {EACH_PAIR(PAIR_ROW)};

/* The function for a line: a power asks what its exponent is. */
static pair_function choose(const pair_plan *p, const float *second)
{
    int function = p->function;
    if (function == RF_PAIR_POW && p->tiles.steps[1] == 0)
        function = *second == 2 ? SQUARE : *second == 3 ? CUBE : *second == 0.5f ? ROOT : RF_PAIR_POW;
    return functions[function][p->way];
}

static void run(const void *plan, const rf_kernel_call *call)
{
    const pair_plan *p = plan;
    const rf_tiles *t = &p->tiles;
    for (size_t unit = call->begin; unit < call->end; unit++) {
        rf_tile tile = rf_tiles_at(t, unit);
        pair_line line = {.first = (const float *)call->data[0] + tile.offsets[0],
                          .second = (const float *)call->data[1] + tile.offsets[1],
                          .to = (float *)call->data[2] + tile.offsets[2],
                          .steps = t->steps, .count = tile.count};
        for (int64_t row = 0; row < tile.rows; row++) {
            choose(p, line.second)(&line, &p->end);
            if (p->end.again)
                RF_ISA_NAME(rf_map_line)(line.to, t->steps[2], line.to, t->steps[2], line.count, p->end.map);
            line.first += t->row_steps[0];
            line.second += t->row_steps[1];
            line.to += t->row_steps[2];
        }
    }
}

static int way_of(const int64_t steps[RF_NEST_OPERANDS])
{
    if (steps[2] != 1)
        return SCATTERED;
    if (steps[0] == 1 && steps[1] == 1)
        return BOTH;
    if (steps[0] == 1 && steps[1] == 0)
        return ONE_SECOND;
    return steps[0] == 0 && steps[1] == 1 ? ONE_FIRST : SCATTERED;
}

bool RF_ISA_NAME(rf_make_pair)(const rf_pair_spec *spec, rf_arena *arena, rf_work *work)
{
    rf_nest nest;
    const rf_strided *const operands[] = {&spec->first, &spec->second, &spec->output};
    if ((unsigned)spec->function > RF_PAIR_PRELU || (unsigned)spec->map.function >= RF_MAP_FUNCTIONS)
        return false;
    if (!rf_nest_make(&nest, 3, operands))
        return false;
    pair_plan *plan = RF_TAKE(arena, pair_plan, 1);
    if (!plan || !rf_tiles_make(&plan->tiles, &nest, RF_LINE_BLOCK))
        return false;
    plan->end = rf_line_map_of(spec->map);
    plan->function = (int)spec->function;
    plan->way = way_of(plan->tiles.steps);
    *work = rf_tiled_work("elements", plan, run, &plan->tiles);
    work->operations *= spec->function == RF_PAIR_POW || plan->end.again ? 16 : 1;
    return true;
}
