/* SPDX-License-Identifier: MIT */
/*
 * Multiplies by a matrix that is packed as it is used: a block of rows of a
 * panel at a time, so that scratch stays small however large the matrices are.
 */
#include "kernels/vector/dynamic_matmul.h"

#include "base/checked.h"
#include "kernels/vector/gemm_tile.h"

enum { BLOCK_DEPTH = 256, BLOCK_TILES = 12 };

typedef struct product {
    rf_matmul_spec spec;
    int64_t m, n, k;
    int64_t vectors, panels, blocks; /* blocks of rows */
    int64_t rows_of_block;           /* at most */
    bool staged;                     /* a's elements along k are copied together */
} product;

/* The parts of a worker's scratch. */
typedef struct scratch_room {
    float *panel, *sums, *rows;
} scratch_room;

/* One unit: some rows by one panel in one batch. */
typedef struct unit {
    const product *plan;
    scratch_room room;
    const float *a;
    const char *b; /* of the panel's first column, at any alignment */
    const float *scale, *bias; /* of the panel's columns, or NULL */
    float *output;
    const float *residual;
    int64_t rows, outputs, vectors, lanes;
} unit;

static int64_t stride_at(const rf_strided *tensor, int32_t from_last)
{
    return tensor->strides[tensor->rank - from_last];
}

static void pack_row(const unit *at, const char *from, float *to)
{
    const rf_matmul_spec *spec = &at->plan->spec;
    int64_t stride = stride_at(&spec->b, 1) * (int64_t)sizeof(float);
    for (int64_t lane = 0; lane < at->outputs; lane++)
        memcpy(to + lane, from + lane * stride, sizeof *to);
    for (int64_t lane = at->outputs; lane < at->lanes; lane++)
        to[lane] = 0.0f;
    if (!at->scale && spec->alpha == 1.0f)
        return;
    for (int64_t lane = 0; lane < at->outputs; lane++) {
        double factor = at->scale ? (double)spec->alpha * (double)at->scale[lane] : (double)spec->alpha;
        to[lane] = (float)((double)to[lane] * factor);
    }
}

static void pack_panel(const unit *at, int64_t k0, int64_t depth)
{
    int64_t stride = stride_at(&at->plan->spec.b, 2) * (int64_t)sizeof(float);
    for (int64_t k = 0; k < depth; k++)
        pack_row(at, at->b + (k0 + k) * stride, at->room.panel + k * at->lanes);
}

static void stage_rows(const unit *at, int64_t k0, int64_t depth)
{
    int64_t row = stride_at(&at->plan->spec.a, 2), column = stride_at(&at->plan->spec.a, 1);
    for (int64_t k = 0; k < depth; k++)
        for (int64_t r = 0; r < at->rows; r++)
            at->room.rows[r * BLOCK_DEPTH + k] = at->a[r * row + (k0 + k) * column];
}

/* Adds `depth` products to the sums of all rows of the unit. */
static void add_products(const unit *at, int64_t k0, int64_t depth)
{
    rf_tile tile = {.weights = at->room.panel, .length = depth, .step = stride_at(&at->plan->spec.a, 2)};
    const float *input = at->a + k0;
    if (at->plan->staged) {
        stage_rows(at, k0, depth);
        input = at->room.rows;
        tile.step = BLOCK_DEPTH;
    }
    for (int32_t k = 0; k < RF_TILE_LEVELS; k++)
        tile.levels[k].count = 1;
    pack_panel(at, k0, depth);
    int64_t tiles = rf_div_ceil(at->rows, RF_ISA_NAME(rf_tile_rows)(at->plan->vectors));
    for (int64_t i = 0; i < tiles; i++) {
        int64_t r0 = i * at->rows / tiles, r1 = (i + 1) * at->rows / tiles;
        tile.input = input + r0 * tile.step;
        tile.sums = at->room.sums + r0 * at->lanes;
        tile.start = tile.sums;
        tile.start_step = at->lanes;
        RF_ISA_NAME(rf_tile_of)(r1 - r0, at->vectors)(&tile);
    }
}

static void start_sums(const unit *at)
{
    for (int64_t r = 0; r < at->rows; r++)
        for (int64_t lane = 0; lane < at->lanes; lane++)
            at->room.sums[r * at->lanes + lane] = at->bias && lane < at->outputs ? at->bias[lane] : 0.0f;
}

static void run_unit(const unit *at)
{
    const rf_matmul_spec *spec = &at->plan->spec;
    start_sums(at);
    for (int64_t k = 0; k < at->plan->k; k += BLOCK_DEPTH)
        add_products(at, k, rf_min(BLOCK_DEPTH, at->plan->k - k));
    const rf_tile_rows_out to = {
        .rows = at->rows, .outputs = at->outputs, .lanes = at->lanes,
        .output = at->output, .output_step = stride_at(&spec->output, 2), .residual = at->residual,
        .residual_step = at->residual ? stride_at(&spec->residual, 2) : 0, .map = spec->epilogue.map,
    };
    RF_ISA_NAME(rf_tile_finish)(&to, at->room.sums);
}

static int64_t padded(int64_t floats)
{
    return rf_div_ceil(floats, 16) * 16;
}

static scratch_room room_of(const product *plan, float *scratch)
{
    int64_t lanes = plan->vectors * RF_LANES;
    scratch_room room = {.panel = scratch};
    room.sums = room.panel + padded(BLOCK_DEPTH * lanes);
    room.rows = room.sums + padded(plan->rows_of_block * lanes);
    return room;
}

/* Moves the operands to a batch. */
static void enter_batch(unit *at, int64_t batch)
{
    const rf_matmul_spec *spec = &at->plan->spec;
    for (int32_t k = spec->output.rank - 3; k >= 0; k--) {
        int64_t i = batch % spec->output.dims[k];
        batch /= spec->output.dims[k];
        at->a += i * spec->a.strides[k];
        at->b += i * spec->b.strides[k] * (int64_t)sizeof(float);
        at->output += i * spec->output.strides[k];
        if (at->residual)
            at->residual += i * spec->residual.strides[k];
    }
}

static unit unit_of(const product *plan, const rf_kernel_call *call, int64_t number)
{
    const rf_matmul_spec *spec = &plan->spec;
    int64_t width = plan->vectors * RF_LANES, block = number % plan->blocks, rest = number / plan->blocks;
    int64_t column = rest % plan->panels * width;
    int64_t r0 = block * plan->m / plan->blocks, r1 = (block + 1) * plan->m / plan->blocks;
    unit at = {.plan = plan, .room = room_of(plan, call->scratch), .rows = r1 - r0};
    at.outputs = rf_min(width, plan->n - column);
    at.vectors = rf_div_ceil(at.outputs, RF_LANES);
    at.lanes = at.vectors * RF_LANES;
    at.scale = spec->scale ? spec->scale + column : NULL;
    at.bias = spec->bias ? spec->bias + column : NULL;
    at.a = (const float *)call->data[0] + r0 * stride_at(&spec->a, 2);
    at.b = spec->constant ? spec->constant : call->data[spec->epilogue.residual ? 3 : 2];
    at.b += column * stride_at(&spec->b, 1) * (int64_t)sizeof(float);
    at.output = (float *)call->data[1] + r0 * stride_at(&spec->output, 2) + column;
    if (spec->epilogue.residual)
        at.residual = (const float *)call->data[2] + r0 * stride_at(&spec->residual, 2) + column;
    enter_batch(&at, rest / plan->panels);
    return at;
}

static void run(const void *plan, const rf_kernel_call *call)
{
    for (size_t i = call->begin; i < call->end; i++) {
        const unit at = unit_of(plan, call, (int64_t)i);
        run_unit(&at);
    }
}

static bool set_sizes(product *plan, const rf_matmul_spec *spec)
{
    int32_t rank = spec->output.rank;
    double cycles;
    int64_t last;
    plan->spec = *spec;
    plan->m = spec->output.dims[rank - 2];
    plan->n = spec->output.dims[rank - 1];
    plan->k = spec->a.dims[rank - 1];
    plan->vectors = RF_ISA_NAME(rf_tile_choose)(plan->m, plan->n, plan->k, &cycles);
    plan->panels = rf_div_ceil(plan->n, plan->vectors * RF_LANES);
    int64_t most = RF_ISA_NAME(rf_tile_rows)(plan->vectors) * BLOCK_TILES;
    plan->blocks = rf_div_ceil(plan->m, most);
    plan->rows_of_block = rf_div_ceil(plan->m, plan->blocks);
    plan->staged = stride_at(&spec->a, 1) != 1 && plan->k > 1;
    return rf_checked_mul(plan->m, plan->blocks, &last);
}

bool RF_ISA_NAME(rf_make_dynamic_matmul)(const rf_matmul_spec *spec, rf_arena *arena, rf_work *work)
{
    product *made = RF_TAKE(arena, product, 1);
    if (!made || !set_sizes(made, spec))
        return false;
    uint64_t units = (uint64_t)made->panels;
    if (!rf_checked_mul(units, (uint64_t)made->blocks, &units))
        return false;
    for (int32_t k = 0; k < spec->output.rank - 2; k++)
        if (!rf_checked_mul(units, (uint64_t)spec->output.dims[k], &units))
            return false;
    int64_t lanes = made->vectors * RF_LANES;
    int64_t floats = padded(BLOCK_DEPTH * lanes) + padded(made->rows_of_block * lanes)
                     + (made->staged ? made->rows_of_block * BLOCK_DEPTH : 0);
    double products = (double)units * (double)made->rows_of_block * (double)lanes * (double)made->k;
    double grain = 1e5 * (double)units / (products + 1);
    *work = (rf_work){.algorithm = "product of blocks", .plan = made, .run = run, .units = (size_t)units};
    work->grain = grain < 1 ? 1 : grain < (double)units ? (size_t)grain : (size_t)units;
    work->scratch_bytes = (uint64_t)floats * sizeof(float);
    work->operations = products < 1e18 ? (uint64_t)products : UINT64_C(1000000000000000000);
    return true;
}
