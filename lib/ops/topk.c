/* SPDX-License-Identifier: MIT */
/*
 * The k largest or smallest elements of an axis, found by a tournament: of n
 * elements the first takes n - 1 comparisons, and each other replays the games
 * of the one before, as many as there are rounds, the logarithm of n to base 2
 * rounded up.
 */
#include <stddef.h>

#include "ops/checks.h"
#include "ops/fold.h"
#include "ops/lanes.h"
#include "ops/order_key.h"
#include "ops/table.h"

/* K is an attribute up to operator set 9 and then input 1. */
typedef struct topk_params {
    int64_t axis, k, largest, sorted;
} topk_params;

static const topk_params topk_defaults = {.axis = -1, .k = -1, .largest = 1, .sorted = 1};
static const rf_attribute_spec topk_attributes[] = {
    {"axis", RF_ATTRIBUTE_INT, offsetof(topk_params, axis), false},
    {"k", RF_ATTRIBUTE_INT, offsetof(topk_params, k), false},
    {"largest", RF_ATTRIBUTE_INT, offsetof(topk_params, largest), false},
    {"sorted", RF_ATTRIBUTE_INT, offsetof(topk_params, sorted), false},
    {NULL, RF_ATTRIBUTE_NONE, 0, false},
};

/* What `infer` leaves. */
typedef struct topk {
    int32_t axis, rounds;
    uint64_t k;
} topk;

static rf_status read_k(const rf_node *node, int64_t *k)
{
    const topk_params *params = node->params;
    const rf_ints attribute = {params->k >= 0, &params->k};
    rf_ints ints;
    RF_TRY(rf_check_single(node, 1, "k"));
    RF_TRY(rf_node_ints(node, 1, &attribute, "k", &ints));
    if (ints.count != 1)
        return rf_node_fail(node, RF_ERROR_GRAPH, "it needs k, as its second input or an attribute of 0 or more");
    *k = ints.at[0];
    return RF_OK;
}

static rf_status infer_topk(rf_node *node)
{
    const topk_params *params = node->params;
    rf_shape shape = node->inputs[0]->shape;
    int64_t k = 0;
    topk *made = RF_TAKE(node->arena, topk, 1);
    if (!made)
        return rf_node_fail(node, RF_ERROR_MEMORY, "no memory for its axis");
    node->state = made;
    RF_TRY(rf_node_axis(node, "axis", params->axis, shape.rank, &made->axis));
    RF_TRY(read_k(node, &k));
    int64_t extent = shape.dims[made->axis];
    if (k < 0 || k > extent)
        return rf_node_fail(node, RF_ERROR_SHAPE, "k is %lld, but axis %d has %lld elements", (long long)k,
                            (int)made->axis, (long long)extent);
    made->k = (uint64_t)k;
    while (made->rounds < 62 && INT64_C(1) << made->rounds < extent)
        made->rounds++;
    shape.dims[made->axis] = k;
    rf_set_output(node, 0, node->inputs[0]->dtype, &shape);
    rf_set_output(node, 1, RF_INT64, &shape);
    return RF_OK;
}

static void link_topk(const rf_node *node, uint32_t output, uint32_t input, rf_link *links)
{
    const topk *made = node->state;
    (void)output;
    for (int32_t axis = 0; axis < node->inputs[input]->shape.rank; axis++) {
        if (input == 1)
            rf_link_nothing(&links[axis]);
        else if (axis == made->axis)
            rf_link_all(&links[axis]);
        else
            rf_link_same(&links[axis], axis);
    }
}

static rf_lanes lanes_of(const rf_node *node)
{
    const topk *made = node->state;
    return rf_lanes_make(&node->inputs[0]->shape, made->axis, made->axis + 1);
}

static bool cost_topk(const rf_node *node, rf_cost *cost)
{
    const topk *made = node->state;
    rf_lanes lanes = lanes_of(node);
    uint64_t each = lanes.length - 1;
    if (made->k == 0 || lanes.count == 0)
        return true;
    if (!rf_add_product(&each, made->k - 1, (uint64_t)made->rounds)
        || !rf_checked_mul(lanes.count, each, &cost->dense.comparisons))
        return false;
    cost->valid = cost->dense;
    return true;
}

/* ---- Running ---------------------------------------------------------------------------- */

/* Nobody: an element that is taken already, or a place without one. */
#define NOBODY UINT64_MAX

/* Game g is between the winners of 2g and 2g + 1; the elements play at `leaves` and after. */
typedef struct tournament {
    uint64_t leaves;
    uint64_t *keys, *winners;
    uint64_t comparisons;
} tournament;

static bool scratch_topk(const rf_node *node, uint64_t *bytes)
{
    const topk *made = node->state;
    uint64_t games = UINT64_C(2) << made->rounds, count;
    *bytes = 0;
    if (lanes_of(node).count == 0)
        return true;
    return rf_checked_add(games, (uint64_t)node->inputs[0]->shape.dims[made->axis], &count)
        && rf_checked_mul(count, sizeof(uint64_t), bytes);
}

/* Of equals the one before wins. */
static void play(tournament *games, uint64_t game)
{
    uint64_t left = games->winners[2 * game], right = games->winners[2 * game + 1];
    if (left == NOBODY || right == NOBODY)
        games->winners[game] = left == NOBODY ? right : left;
    else
        games->winners[game] = games->keys[right] > games->keys[left] ? right : left;
}

static void play_all(tournament *games, uint64_t count)
{
    for (uint64_t i = 0; i < games->leaves; i++)
        games->winners[games->leaves + i] = i < count ? i : NOBODY;
    for (uint64_t game = games->leaves - 1; game > 0; game--)
        play(games, game);
    games->comparisons += count - 1;
}

/* Takes the winner out and plays its games again. */
static void replay(tournament *games, uint64_t winner)
{
    uint64_t game = games->leaves + winner;
    games->winners[game] = NOBODY;
    for (game /= 2; game > 0; game /= 2) {
        play(games, game);
        games->comparisons++;
    }
}

static void take_best(const rf_node *node, tournament *games, rf_lane from, rf_lane to)
{
    const topk_params *params = node->params;
    const rf_value *x = node->inputs[0], *values = rf_output(node, 0), *places = rf_output(node, 1);
    for (uint64_t i = 0; i < from.count; i++)
        games->keys[i] = rf_order_key(x, from.at + i * from.step, !params->largest);
    play_all(games, from.count);
    for (uint64_t i = 0; i < to.count; i++) {
        if (i > 0)
            replay(games, games->winners[1]);
        uint64_t winner = games->winners[1], at = to.at + i * to.step;
        if (values)
            rf_fold_move(rf_fold_data(values), at, x->data, from.at + winner * from.step,
                         rf_dtype_bits(x->dtype) / 8);
        if (places)
            rf_store_int(rf_fold_data(places), RF_INT64, at, (int64_t)winner);
    }
}

static rf_status evaluate_topk(rf_node *node)
{
    const topk *made = node->state;
    if (!rf_order_knows(node->inputs[0]->dtype))
        return rf_fold_refuse(node);
    rf_lanes lanes = lanes_of(node), best = lanes;
    best.length = made->k;
    tournament games = {.leaves = UINT64_C(1) << made->rounds};
    games.winners = node->scratch;
    games.keys = games.winners + 2 * games.leaves;
    for (uint64_t k = 0; made->k && k < lanes.count; k++)
        take_best(node, &games, rf_lanes_at(&lanes, k), rf_lanes_at(&best, k));
    if (node->tally)
        node->tally->comparisons += games.comparisons;
    return RF_OK;
}

const rf_op rf_op_TopK = {
    .type = "TopK",
    .class = RF_CLASS_OTHER,
    .min_inputs = 1,
    .max_inputs = 2,
    .min_outputs = 1,
    .max_outputs = 2,
    .attributes = topk_attributes,
    .defaults = &topk_defaults,
    .params_size = sizeof(topk_params),
    .infer = infer_topk,
    .link = link_topk,
    .cost = cost_topk,
    .evaluate = evaluate_topk,
    .scratch = scratch_topk,
};
