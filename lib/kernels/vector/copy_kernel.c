/* SPDX-License-Identifier: MIT */
/* Moving elements: runs where both sides lie in one piece, turns where they lie across, steps else. */
#include "kernels/vector/lines.h"
#include "kernels/vector/turn.h"

/* Whole cache lines of 4-byte elements on both sides. */
enum { TURN_BLOCK = 16 };

typedef void (*turn_function)(const rf_turn *turn);
typedef void (*step_function)(void *to, int64_t to_step, const void *from, int64_t from_step, int64_t count);

typedef struct copy_plan {
    rf_tiles tiles;
    int64_t element_bytes;
    step_function step; /* NULL for runs */
} copy_plan;

typedef struct turn_plan {
    rf_nest outer;
    uint64_t outer_count;
    int64_t a, b, to_step, from_step;
    int64_t a_block, b_block;
    size_t a_blocks, b_blocks, together; /* positions of `outer` in a unit, where one block is small */
    int64_t element_bytes;
    turn_function turn;
} turn_plan;

/* ---- Steps ------------------------------------------------------------------------------ */

#define STEP(type)                                                                               \
    static void step_##type(void *to, int64_t to_step, const void *from, int64_t from_step,      \
                            int64_t count)                                                       \
    {                                                                                            \
        for (int64_t i = 0; i < count; i++)                                                      \
            ((type *)to)[i * to_step] = ((const type *)from)[i * from_step];                     \
    }
#define EACH_TYPE(X) X(rf_raw1) X(rf_raw2) X(rf_raw4) X(rf_raw8) X(rf_raw16)
EACH_TYPE(STEP)

static void run_lines(const void *plan, const rf_kernel_call *call)
{
    const copy_plan *p = plan;
    const rf_tiles *t = &p->tiles;
    int64_t bytes = p->element_bytes;
    for (size_t unit = call->begin; unit < call->end; unit++) {
        rf_tile tile = rf_tiles_at(t, unit);
        const char *from = (const char *)call->data[0] + tile.offsets[0] * bytes;
        char *to = (char *)call->data[1] + tile.offsets[1] * bytes;
        for (int64_t row = 0; row < tile.rows; row++) {
            if (p->step)
                p->step(to, t->steps[1], from, t->steps[0], tile.count);
            else
                memcpy(to, from, (size_t)(tile.count * bytes));
            from += t->row_steps[0] * bytes;
            to += t->row_steps[1] * bytes;
        }
    }
}

/* ---- Turns ------------------------------------------------------------------------------ */

EACH_TYPE(RF_TURN_PLAIN)

/* Two or three elements one after the other on a side: compilers know how to interleave. */
#define TURN_FEW(type)                                                                           \
    RF_INLINE void interleave_##type(const rf_turn *t, int64_t ways)                             \
    {                                                                                            \
        type *restrict to = t->to;                                                               \
        const type *from = t->from;                                                              \
        const int64_t count = t->b_count, step = t->from_step;                                   \
        for (int64_t b = 0; b < count; b++)                                                      \
            for (int64_t a = 0; a < ways; a++)                                                   \
                to[b * ways + a] = from[a * step + b];                                           \
    }                                                                                            \
    RF_INLINE void deinterleave_##type(const rf_turn *t, int64_t ways)                           \
    {                                                                                            \
        type *restrict to = t->to;                                                               \
        const type *from = t->from;                                                              \
        const int64_t count = t->a_count, step = t->to_step;                                     \
        for (int64_t a = 0; a < count; a++)                                                      \
            for (int64_t b = 0; b < ways; b++)                                                   \
                to[b * step + a] = from[a * ways + b];                                           \
    }                                                                                            \
    static bool turn_few_##type(const rf_turn *t)                                                \
    {                                                                                            \
        bool few_out = t->to_step == t->a_count, few_in = t->from_step == t->b_count;            \
        if (few_out && t->a_count == 2)                                                          \
            interleave_##type(t, 2);                                                             \
        else if (few_out && t->a_count == 3)                                                     \
            interleave_##type(t, 3);                                                             \
        else if (few_in && t->b_count == 2)                                                      \
            deinterleave_##type(t, 2);                                                           \
        else if (few_in && t->b_count == 3)                                                      \
            deinterleave_##type(t, 3);                                                           \
        else                                                                                     \
            return false;                                                                        \
        return true;                                                                             \
    }
TURN_FEW(rf_raw1)
TURN_FEW(rf_raw4)

static void turn_rf_raw1(const rf_turn *turn)
{
    if (!turn_few_rf_raw1(turn))
        rf_turn_rf_raw1(turn, 0, 0);
}

#define TURN_BLOCKS(type)                                                                        \
    static void turn_##type(const rf_turn *turn)                                                 \
    {                                                                                            \
        rf_turn_##type(turn, 0, 0);                                                              \
    }
TURN_BLOCKS(rf_raw2)
TURN_BLOCKS(rf_raw8)
TURN_BLOCKS(rf_raw16)

/* Squares of 4, in an order that stays within TURN_BLOCK lines on both sides; then what is left. */
static void turn_rf_raw4(const rf_turn *t)
{
    int64_t a_end = t->a_count / 4 * 4, b_end = t->b_count / 4 * 4;
    /* Lines a multiple of 2 KiB apart share a few places in the first cache: no more than 4 of them. */
    int64_t block = t->to_step % 512 == 0 ? 4 : TURN_BLOCK;
    if (turn_few_rf_raw4(t))
        return;
    for (int64_t b_block = 0; b_block < b_end; b_block += block)
        for (int64_t a = 0; a < a_end; a += 4)
            for (int64_t b = b_block; b < b_end && b < b_block + block; b += 4)
                rf_turn_quad((rf_raw4 *)t->to + b * t->to_step + a, t->to_step,
                             (const rf_raw4 *)t->from + a * t->from_step + b, t->from_step);
    rf_turn_rf_raw4(t, 0, b_end);
    rf_turn left = *t;
    left.b_count = b_end;
    rf_turn_rf_raw4(&left, a_end, 0);
}

static void turn_one(const turn_plan *p, const rf_kernel_call *call, uint64_t position, int64_t a, int64_t b)
{
    int64_t from = rf_nest_offset(&p->outer, 0, position) + a * p->from_step + b;
    int64_t to = rf_nest_offset(&p->outer, 1, position) + b * p->to_step + a;
    rf_turn turn = {.from = (const char *)call->data[0] + from * p->element_bytes,
                    .to = (char *)call->data[1] + to * p->element_bytes,
                    .from_step = p->from_step, .to_step = p->to_step,
                    .a_count = p->a - a < p->a_block ? p->a - a : p->a_block,
                    .b_count = p->b - b < p->b_block ? p->b - b : p->b_block};
    p->turn(&turn);
}

static void run_turns(const void *plan, const rf_kernel_call *call)
{
    const turn_plan *p = plan;
    for (size_t unit = call->begin; unit < call->end; unit++) {
        int64_t a = (int64_t)(unit % p->a_blocks) * p->a_block;
        size_t rest = unit / p->a_blocks;
        int64_t b = (int64_t)(rest % p->b_blocks) * p->b_block;
        uint64_t first = rest / p->b_blocks * (uint64_t)p->together;
        for (uint64_t i = first; i < first + p->together && i < p->outer_count; i++)
            turn_one(p, call, i, a, b);
    }
}

/* The axis that is in one piece in the input, or -1. */
static int32_t find_input_axis(const rf_nest *nest)
{
    int32_t inner = nest->rank - 1;
    if (inner < 1 || nest->strides[1][inner] != 1 || nest->strides[0][inner] == 1)
        return -1;
    for (int32_t k = inner - 1; k >= 0; k--)
        if (nest->strides[0][k] == 1)
            return k;
    return -1;
}

static int64_t ceil_to(int64_t value, int64_t step)
{
    return (value + step - 1) / step * step;
}

static void cut_turn(turn_plan *plan)
{
    plan->a_block = plan->a < 4 * TURN_BLOCK ? plan->a : 4 * TURN_BLOCK;
    plan->b_block = plan->b < 4 * TURN_BLOCK ? plan->b : 4 * TURN_BLOCK;
    /* Where one side is narrow, the other is long. */
    if (plan->a_block < TURN_BLOCK)
        plan->b_block = ceil_to(RF_LINE_BLOCK / plan->a_block, TURN_BLOCK);
    else if (plan->b_block < TURN_BLOCK)
        plan->a_block = ceil_to(RF_LINE_BLOCK / plan->b_block, TURN_BLOCK);
    plan->a_blocks = (size_t)((plan->a - 1) / plan->a_block + 1);
    plan->b_blocks = (size_t)((plan->b - 1) / plan->b_block + 1);
    plan->together = 1;
    if (plan->a_blocks == 1 && plan->b_blocks == 1 && plan->a * plan->b < RF_LINE_BLOCK)
        plan->together = (size_t)(RF_LINE_BLOCK / (plan->a * plan->b));
}

static bool make_turn(const rf_nest *nest, int32_t input_axis, size_t bytes, rf_arena *arena, rf_work *work)
{
    static const turn_function turns[17] = {
        [1] = turn_rf_raw1, [2] = turn_rf_raw2, [4] = turn_rf_raw4, [8] = turn_rf_raw8, [16] = turn_rf_raw16};
    uint64_t elements;
    turn_plan *plan = RF_TAKE(arena, turn_plan, 1);
    if (!plan || !rf_nest_elements(nest, &elements))
        return false;
    int32_t inner = nest->rank - 1;
    plan->a = nest->dims[inner];
    plan->b = nest->dims[input_axis];
    plan->from_step = nest->strides[0][inner];
    plan->to_step = nest->strides[1][input_axis];
    plan->element_bytes = (int64_t)bytes;
    plan->turn = turns[bytes];
    for (int32_t k = 0; k < inner; k++) {
        int64_t strides[RF_NEST_OPERANDS] = {nest->strides[0][k], nest->strides[1][k]};
        if (k != input_axis)
            rf_nest_axis(&plan->outer, nest->dims[k], strides);
    }
    *work = rf_plain_work("turns", plan, run_turns);
    if (!elements || !rf_nest_elements(&plan->outer, &plan->outer_count))
        return !elements;
    cut_turn(plan);
    work->units = (size_t)((plan->outer_count - 1) / plan->together + 1) * plan->a_blocks * plan->b_blocks;
    work->grain = 4;
    work->operations = elements;
    return true;
}

bool RF_ISA_NAME(rf_make_copy)(const rf_copy_spec *spec, rf_arena *arena, rf_work *work)
{
    static const step_function steps[17] = {
        [1] = step_rf_raw1, [2] = step_rf_raw2, [4] = step_rf_raw4, [8] = step_rf_raw8, [16] = step_rf_raw16};
    rf_nest nest;
    const rf_strided *const operands[] = {&spec->input, &spec->output};
    size_t bytes = spec->element_bytes;
    if (bytes > 16 || !steps[bytes] || !rf_nest_make(&nest, 2, operands))
        return false;
    int32_t input_axis = find_input_axis(&nest);
    if (input_axis >= 0)
        return make_turn(&nest, input_axis, bytes, arena, work);
    copy_plan *plan = RF_TAKE(arena, copy_plan, 1);
    if (!plan || !rf_tiles_make(&plan->tiles, &nest, RF_LINE_BLOCK))
        return false;
    bool runs = plan->tiles.steps[0] == 1 && plan->tiles.steps[1] == 1;
    plan->element_bytes = (int64_t)bytes;
    plan->step = runs ? NULL : steps[bytes];
    *work = rf_tiled_work(runs ? "runs" : "steps", plan, run_lines, &plan->tiles);
    return true;
}
