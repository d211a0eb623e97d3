/* SPDX-License-Identifier: MIT */
/*
 * Multiplies by a matrix that is packed as it is used: a block of rows of a
 * panel at a time, so that scratch stays small however large the matrices are.
 */
#include "kernels/vector/dynamic_matmul.h"

#include "base/checked.h"
#include "kernels/vector/block_copy.h"
#include "kernels/vector/gemm_tile.h"

enum { BLOCK_DEPTH = 256, BLOCK_TILES = 12 };
enum { CACHE_WAY = 4096 / sizeof(float) };     /* floats after which a cache begins again */
enum { WORTH_STAGING = 64 };                   /* columns that make good for copying rows that lie together */
enum { MOST_STAGED = 512 * 1024 / sizeof(float) }; /* floats of rows that stay in a level 2 cache for all panels */

typedef struct product {
    rf_matmul_spec spec;
    int64_t m, n, k;
    int64_t vectors, panels, blocks; /* blocks of rows */
    int64_t rows_of_block;           /* at most */
    bool staged;                     /* rows of a are copied, so that elements along k lie together */
    bool kept;                       /* whole rows, for all panels one after the other; else a block's depth */
    int64_t staged_step;             /* floats from a copied row to the next */
} product;

/* The parts of a worker's scratch. */
typedef struct scratch_room {
    float *panel, *bias, *sums, *rows;
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
    bool whole;    /* tiles can store the panel's outputs, and no more */
} unit;

/* Products of one unit. */
typedef struct stretch {
    int64_t begin, depth;
    bool first, last;
} stretch;

static int64_t stride_at(const rf_strided *tensor, int32_t from_last)
{
    return tensor->strides[tensor->rank - from_last];
}

/* ---- Copies ----------------------------------------------------------------------------- */

/* alpha and the scales of columns, multiplied in double. */
static void scale_panel(const unit *at, int64_t depth)
{
    double factors[RF_TILE_MAX_VECTORS * RF_LANES] = {0};
    for (int64_t lane = 0; lane < at->outputs; lane++)
        factors[lane] = (double)at->plan->spec.alpha * (at->scale ? (double)at->scale[lane] : 1);
    float *row = at->room.panel;
    for (int64_t k = 0; k < depth; k++, row += at->lanes)
        for (int64_t lane = 0; lane < at->outputs; lane++)
            row[lane] = (float)((double)row[lane] * factors[lane]);
}

static void pack_panel(const unit *at, const stretch *some)
{
    const rf_matmul_spec *spec = &at->plan->spec;
    const rf_block_copy copy = {
        .to = at->room.panel, .to_step = at->lanes, .row = stride_at(&spec->b, 2), .column = stride_at(&spec->b, 1),
        .from = at->b + some->begin * stride_at(&spec->b, 2) * (int64_t)sizeof(float),
        .rows = some->depth, .columns = at->outputs,
    };
    RF_ISA_NAME(rf_copy_block)(&copy);
    if (at->scale || spec->alpha != 1.0f)
        scale_panel(at, some->depth);
}

static void stage_rows(const unit *at, int64_t begin, int64_t depth)
{
    int64_t row = stride_at(&at->plan->spec.a, 2), column = stride_at(&at->plan->spec.a, 1);
    const rf_block_copy copy = {
        .to = at->room.rows, .to_step = at->plan->staged_step, .from = (const char *)(at->a + begin * column),
        .row = row, .column = column, .rows = at->rows, .columns = depth,
    };
    RF_ISA_NAME(rf_copy_block)(&copy);
}

static void copy_bias(const unit *at)
{
    for (int64_t lane = 0; lane < at->lanes; lane++)
        at->room.bias[lane] = at->bias && lane < at->outputs ? at->bias[lane] : 0.0f;
}

/* ---- Products --------------------------------------------------------------------------- */

/* Where a tile's rows from r0 on begin and end. */
static void point(const unit *at, const stretch *some, int64_t r0, rf_tile *tile)
{
    const rf_matmul_spec *spec = &at->plan->spec;
    float *sums = at->room.sums + r0 * at->lanes;
    tile->start = some->first ? at->room.bias : sums;
    tile->start_step = some->first ? 0 : at->lanes;
    if (!some->last || !at->whole) {
        tile->output = sums;
        tile->output_step = at->lanes;
        return;
    }
    tile->output = at->output + r0 * stride_at(&spec->output, 2);
    tile->output_step = stride_at(&spec->output, 2);
    tile->absent = at->lanes - at->outputs;
    tile->map = spec->epilogue.map;
    if (!at->residual)
        return;
    tile->residual = at->residual + r0 * stride_at(&spec->residual, 2);
    tile->residual_step = stride_at(&spec->residual, 2);
}

static rf_tile tile_of(const unit *at, const stretch *some)
{
    rf_tile tile = {
        .input = at->a + some->begin, .step = stride_at(&at->plan->spec.a, 2), .weights = at->room.panel,
        .length = some->depth,
    };
    if (at->plan->staged) {
        tile.input = at->room.rows + (at->plan->kept ? some->begin : 0);
        tile.step = at->plan->staged_step;
    }
    for (int32_t k = 0; k < RF_TILE_LEVELS; k++)
        tile.levels[k].count = 1;
    return tile;
}

/* Adds products to the sums of all rows of the unit. */
static void add_products(const unit *at, const stretch *some)
{
    rf_tile tile = tile_of(at, some);
    const float *input = tile.input;
    if (at->plan->staged && !at->plan->kept)
        stage_rows(at, some->begin, some->depth);
    pack_panel(at, some);
    int64_t tiles = rf_div_ceil(at->rows, RF_ISA_NAME(rf_tile_rows)(at->plan->vectors));
    for (int64_t i = 0; i < tiles; i++) {
        int64_t r0 = i * at->rows / tiles, r1 = (i + 1) * at->rows / tiles;
        tile.input = input + r0 * tile.step;
        point(at, some, r0, &tile);
        RF_ISA_NAME(rf_tile_of)(r1 - r0, at->vectors)(&tile);
    }
}

static void finish(const unit *at)
{
    const rf_matmul_spec *spec = &at->plan->spec;
    const rf_tile_rows_out to = {
        .rows = at->rows, .outputs = at->outputs, .lanes = at->lanes,
        .output = at->output, .output_step = stride_at(&spec->output, 2), .residual = at->residual,
        .residual_step = at->residual ? stride_at(&spec->residual, 2) : 0, .map = spec->epilogue.map,
    };
    RF_ISA_NAME(rf_tile_finish)(&to, at->room.sums);
}

/* Without any product, sums are the bias. */
static void run_unit(const unit *at)
{
    const int64_t all = at->plan->k;
    copy_bias(at);
    for (int64_t k = 0; k == 0 || k < all; k += BLOCK_DEPTH) {
        const stretch some = {k, rf_min(BLOCK_DEPTH, all - k), k == 0, all - k <= BLOCK_DEPTH};
        add_products(at, &some);
    }
    if (!at->whole)
        finish(at);
}

/* ---- Units ------------------------------------------------------------------------------ */

static int64_t padded(int64_t floats)
{
    return rf_div_ceil(floats, 16) * 16;
}

static scratch_room room_of(const product *plan, float *scratch)
{
    int64_t lanes = plan->vectors * RF_LANES;
    scratch_room room = {.panel = scratch};
    room.bias = room.panel + padded(BLOCK_DEPTH * lanes);
    room.sums = room.bias + padded(lanes);
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

/* Which block of rows of which batch a unit is of. */
static int64_t rows_number(const product *plan, int64_t number)
{
    int64_t batch = number / (plan->blocks * plan->panels);
    int64_t block = plan->kept ? number / plan->panels % plan->blocks : number % plan->blocks;
    return batch * plan->blocks + block;
}

/* Neighbours share a panel, or rows that are kept for them. */
static unit unit_of(const product *plan, const rf_kernel_call *call, int64_t number)
{
    const rf_matmul_spec *spec = &plan->spec;
    int64_t width = plan->vectors * RF_LANES, block = rows_number(plan, number) % plan->blocks;
    int64_t column = (plan->kept ? number : number / plan->blocks) % plan->panels * width;
    int64_t r0 = block * plan->m / plan->blocks, r1 = (block + 1) * plan->m / plan->blocks;
    unit at = {.plan = plan, .room = room_of(plan, call->scratch), .rows = r1 - r0};
    at.outputs = rf_min(width, plan->n - column);
    at.vectors = rf_div_ceil(at.outputs, RF_LANES);
    at.lanes = at.vectors * RF_LANES;
    at.whole = RF_HAS_MASKS || at.outputs == at.lanes;
    at.scale = spec->scale ? spec->scale + column : NULL;
    at.bias = spec->bias ? spec->bias + column : NULL;
    at.a = (const float *)call->data[0] + r0 * stride_at(&spec->a, 2);
    at.b = spec->constant ? spec->constant : call->data[spec->epilogue.residual ? 3 : 2];
    at.b += column * stride_at(&spec->b, 1) * (int64_t)sizeof(float);
    at.output = (float *)call->data[1] + r0 * stride_at(&spec->output, 2) + column;
    if (spec->epilogue.residual)
        at.residual = (const float *)call->data[2] + r0 * stride_at(&spec->residual, 2) + column;
    enter_batch(&at, number / (plan->blocks * plan->panels));
    return at;
}

static void run(const void *given, const rf_kernel_call *call)
{
    const product *plan = given;
    int64_t staged = -1; /* rows that are in scratch */
    for (size_t i = call->begin; i < call->end; i++) {
        const unit at = unit_of(plan, call, (int64_t)i);
        if (plan->kept && rows_number(plan, (int64_t)i) != staged) {
            staged = rows_number(plan, (int64_t)i);
            stage_rows(&at, 0, plan->k);
        }
        run_unit(&at);
    }
}

/* ---- The plan --------------------------------------------------------------------------- */

/* Rows that all fall into the same set of the level 1 cache have no room there. */
static void set_staging(product *plan)
{
    const rf_strided *a = &plan->spec.a;
    bool crowded = stride_at(a, 2) % CACHE_WAY == 0 && plan->n >= WORTH_STAGING && plan->m > 1;
    plan->staged = plan->k > 1 && (stride_at(a, 1) != 1 || crowded);
    plan->staged_step = padded(rf_min(plan->k, MOST_STAGED));
    plan->staged_step += plan->staged_step % CACHE_WAY == 0 ? RF_TILE_LINE : 0;
    plan->kept = plan->staged && plan->rows_of_block * plan->staged_step <= MOST_STAGED;
    if (!plan->kept)
        plan->staged_step = BLOCK_DEPTH;
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
    set_staging(plan);
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
    int64_t floats = padded(BLOCK_DEPTH * lanes) + padded(lanes) + padded(made->rows_of_block * lanes)
                     + (made->staged ? made->rows_of_block * made->staged_step : 0);
    double products = (double)units * (double)made->rows_of_block * (double)lanes * (double)made->k;
    double grain = 1e5 * (double)units / (products + 1);
    *work = (rf_work){.algorithm = "product of blocks", .plan = made, .run = run, .units = (size_t)units};
    work->grain = grain < 1 ? 1 : grain < (double)units ? (size_t)grain : (size_t)units;
    work->scratch_bytes = (uint64_t)floats * sizeof(float);
    work->operations = products < 1e18 ? (uint64_t)products : UINT64_C(1000000000000000000);
    return true;
}
