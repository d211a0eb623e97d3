/* SPDX-License-Identifier: MIT */
/*
 * Functions of quantised numbers, by way of float32 from the integers read to
 * those written: quantising and the way back among them.
 */
#include "kernels/vector/int8_vector.h"
#include "kernels/vector/lines.h"
#include "kernels/vector/makers.h"

/* How elements of an operand are read or written. A signed integer is read as if 128 were added to it. */
typedef struct port {
    float scale, zero;
    uint8_t flip;
} port;

typedef struct levels_plan {
    rf_tiles tiles;
    rf_pair_function function;
    port first, second, output;
    float low, high;        /* of the map */
    float least, most;      /* levels less the zero point */
    size_t bytes[3];        /* of an element */
    void (*line)(const struct levels_plan *plan, const char *const from[2], char *to, int64_t count);
} levels_plan;

RF_INLINE rf_vec as_floats(rf_some_bytes bytes, const port *by)
{
    rf_ivec integers = __builtin_convertvector(bytes ^ (uint8_t)by->flip, rf_ivec);
    return (__builtin_convertvector(integers, rf_vec) - rf_set(by->zero)) * rf_set(by->scale);
}

/* A vector's elements, or fewer of them. */
RF_INLINE rf_vec read(const char *from, int64_t count, const port *by, const bool bytes)
{
    rf_some_bytes some = {0};
    if (!bytes)
        return count == RF_LANES ? rf_load((const float *)(const void *)from)
                                 : rf_load_some((const float *)(const void *)from, count);
    if (count == RF_LANES)
        memcpy(&some, from, sizeof some);
    else
        memcpy(&some, from, (size_t)count);
    return as_floats(some, by);
}

/* NaN is written as the integer 0. */
RF_INLINE rf_some_bytes as_levels(const levels_plan *plan, rf_vec x)
{
    rf_vec level = x / rf_set(plan->output.scale);
    level = rf_at_most(rf_at_least(level, rf_set(plan->least)), rf_set(plan->most));
    /* The sum's lower bits are those of the nearest integer. */
    rf_uvec nearest = (rf_uvec)(level + rf_set(12582912.0f)) + rf_uset((uint32_t)(int32_t)plan->output.zero);
    return __builtin_convertvector(nearest & (rf_uvec)(level == level), rf_some_bytes);
}

RF_INLINE void write(const levels_plan *plan, char *to, rf_vec x, int64_t count, const bool bytes)
{
    if (!bytes && count == RF_LANES)
        rf_store((float *)(void *)to, x);
    else if (!bytes)
        rf_store_some((float *)(void *)to, x, count);
    if (!bytes)
        return;
    rf_some_bytes levels = as_levels(plan, x);
    if (count == RF_LANES)
        memcpy(to, &levels, sizeof levels);
    else
        memcpy(to, &levels, (size_t)count);
}

RF_INLINE rf_vec join(rf_vec a, rf_vec b, rf_pair_function function)
{
    return function == RF_PAIR_ADD ? a + b : function == RF_PAIR_SUB ? a - b : a * b;
}

/* Sources: 0 for none, 1 for floats, 2 for integers. */
RF_INLINE void go_along(const levels_plan *given, const char *const from[2], char *to, int64_t count,
                        const int first, const int second, const int output)
{
    const levels_plan copy = *given, *plan = &copy; /* bytes that are written could be of the other one */
    const char *a = from[0], *b = from[1];
    for (int64_t left = count; left > 0; left -= RF_LANES) {
        int64_t some = left < RF_LANES ? left : RF_LANES;
        rf_vec x = read(a, some, &plan->first, first == 2);
        if (second)
            x = join(x, read(b, some, &plan->second, second == 2), plan->function);
        x = rf_at_most(rf_at_least(x, rf_set(plan->low)), rf_set(plan->high));
        write(plan, to, x, some, output == 2);
        a += first == 2 ? RF_LANES : RF_VECTOR_BYTES;
        b += second == 2 ? RF_LANES : second ? RF_VECTOR_BYTES : 0;
        to += output == 2 ? RF_LANES : RF_VECTOR_BYTES;
    }
}

#define LINE(first_, second_, output_)                                                               \
    static void line_##first_##second_##output_(const levels_plan *plan, const char *const from[2],  \
                                                char *to, int64_t count)                             \
    {                                                                                                \
        go_along(plan, from, to, count, first_, second_, output_);                                   \
    }
#define EACH_LINE(X) \
    X(1, 0, 1) X(1, 0, 2) X(2, 0, 1) X(2, 0, 2) X(1, 1, 1) X(1, 1, 2) X(2, 1, 1) X(2, 1, 2) \
    X(1, 2, 1) X(1, 2, 2) X(2, 2, 1) X(2, 2, 2)
EACH_LINE(LINE)

#define LINE_ENTRY(first_, second_, output_) [(first_) - 1][second_][(output_) - 1] = line_##first_##second_##output_,
static void (*const lines[2][3][2])(const levels_plan *, const char *const[2], char *, int64_t) = {
    EACH_LINE(LINE_ENTRY)};

/* ---- Elements that do not lie next to each other ------------------------------------------ */

enum { CHUNK = 64 };

static void copy_steps(char *to, int64_t to_step, const char *from, int64_t from_step, size_t bytes, int64_t count)
{
    for (int64_t i = 0; i < count; i++, to += to_step, from += from_step)
        memcpy(to, from, bytes);
}

static void go_by_chunks(const levels_plan *p, const char *const from[2], char *to, const int64_t steps[3],
                         int64_t count)
{
    char near[3][CHUNK * sizeof(float)];
    const char *const gathered[2] = {near[0], near[1]};
    const int64_t width[3] = {(int64_t)p->bytes[0], (int64_t)p->bytes[1], (int64_t)p->bytes[2]};
    for (int64_t i = 0; i < count; i += CHUNK) {
        int64_t some = count - i < CHUNK ? count - i : CHUNK;
        for (int k = 0; k < 2; k++)
            if (p->bytes[k])
                copy_steps(near[k], width[k], from[k] + i * steps[k], steps[k], p->bytes[k], some);
        p->line(p, gathered, near[2], some);
        copy_steps(to + i * steps[2], steps[2], near[2], width[2], p->bytes[2], some);
    }
}

static void run(const void *of, const rf_kernel_call *call)
{
    const levels_plan *p = of;
    const int last = p->bytes[1] ? 2 : 1; /* operand that is the output */
    const int64_t steps[3] = {p->tiles.steps[0] * (int64_t)p->bytes[0], p->tiles.steps[1] * (int64_t)p->bytes[1],
                              p->tiles.steps[last] * (int64_t)p->bytes[2]};
    const bool near = p->tiles.steps[0] == 1 && p->tiles.steps[last] == 1 && (last == 1 || p->tiles.steps[1] == 1);
    for (size_t unit = call->begin; unit < call->end; unit++) {
        rf_tile tile = rf_tiles_at(&p->tiles, unit);
        for (int64_t row = 0; row < tile.rows; row++) {
            const char *from[2] = {NULL, NULL};
            for (int k = 0; k < last; k++)
                from[k] = (const char *)call->data[k]
                          + (tile.offsets[k] + row * p->tiles.row_steps[k]) * (int64_t)p->bytes[k];
            char *to = (char *)call->data[last]
                       + (tile.offsets[last] + row * p->tiles.row_steps[last]) * (int64_t)p->bytes[2];
            if (near)
                p->line(p, from, to, tile.count);
            else
                go_by_chunks(p, from, to, steps, tile.count);
        }
    }
}

/* ---- The maker ---------------------------------------------------------------------------- */

static port port_of(const rf_levels *levels)
{
    bool is_signed = levels->dtype == RF_INT8;
    return (port){.scale = levels->scale, .zero = (float)(levels->zero + (is_signed ? 128 : 0)),
                  .flip = is_signed ? 128 : 0};
}

static bool is_known(const rf_levels *levels)
{
    return levels->dtype == RF_FLOAT32 || levels->dtype == RF_INT8 || levels->dtype == RF_UINT8;
}

static bool set_functions(const rf_levels_spec *spec, levels_plan *plan)
{
    const rf_line_map map = rf_line_map_of(spec->map);
    const rf_levels *output = &spec->levels[2];
    const int first = spec->levels[0].dtype == RF_FLOAT32 ? 1 : 2, last = output->dtype == RF_FLOAT32 ? 1 : 2;
    const int second = !spec->paired ? 0 : spec->levels[1].dtype == RF_FLOAT32 ? 1 : 2;
    if (map.again || !is_known(&spec->levels[0]) || !is_known(output)
        || (spec->paired && (!is_known(&spec->levels[1]) || spec->function > RF_PAIR_MUL)))
        return false;
    plan->function = spec->function;
    plan->first = port_of(&spec->levels[0]);
    plan->second = port_of(&spec->levels[1]);
    plan->output = (port){.scale = output->scale, .zero = (float)output->zero};
    plan->low = map.low;
    plan->high = map.high;
    plan->least = (float)((output->dtype == RF_INT8 ? -128 : 0) - output->zero);
    plan->most = (float)((output->dtype == RF_INT8 ? 127 : 255) - output->zero);
    plan->bytes[0] = first == 2 ? 1 : sizeof(float);
    plan->bytes[1] = second == 2 ? 1 : second ? sizeof(float) : 0;
    plan->bytes[2] = last == 2 ? 1 : sizeof(float);
    plan->line = lines[first - 1][second][last - 1];
    return true;
}

bool RF_ISA_NAME(rf_make_levels)(const rf_levels_spec *spec, rf_arena *arena, rf_work *work)
{
    rf_nest nest;
    const rf_strided *const both[] = {&spec->first, &spec->second, &spec->output};
    const rf_strided *const one[] = {&spec->first, &spec->output};
    if (!rf_nest_make(&nest, spec->paired ? 3 : 2, spec->paired ? both : one))
        return false;
    levels_plan *plan = RF_TAKE(arena, levels_plan, 1);
    if (!plan || !set_functions(spec, plan) || !rf_tiles_make(&plan->tiles, &nest, RF_LINE_BLOCK))
        return false;
    *work = rf_tiled_work("levels", plan, run, &plan->tiles);
    return true;
}
