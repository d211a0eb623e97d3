/* SPDX-License-Identifier: MIT */
/*
 * NonMaxSuppression: of each class, boxes by falling score, less those that
 * overlap a box already taken. How many are compared depends on the elements.
 *
 * Boxes wait in a heap, so that only as many are sorted as are asked for; the
 * boxes taken are read back from the output.
 */
#include "ops/table.h"

#include <stddef.h>

#include "ops/checks.h"
#include "ops/fold.h"
#include "ops/operands.h"

typedef struct suppression_params {
    int64_t center_point_box;
} suppression_params;

static const suppression_params defaults = {.center_point_box = 0};
static const rf_attribute_spec attributes[] = {
    {"center_point_box", RF_ATTRIBUTE_INT, offsetof(suppression_params, center_point_box), false},
    {.name = NULL},
};

enum { BOXES, SCORES, MOST, OVERLAP, LEAST_SCORE };

static rf_status check_inputs(const rf_node *node)
{
    static const char *const names[] = {
        [MOST] = "max_output_boxes_per_class", [OVERLAP] = "iou_threshold", [LEAST_SCORE] = "score_threshold",
    };
    const suppression_params *params = node->params;
    const rf_shape *boxes = &node->inputs[BOXES]->shape, *scores = &node->inputs[SCORES]->shape;
    rf_value *ignored;
    RF_TRY(rf_node_require_real(node, BOXES, "the boxes", &ignored));
    RF_TRY(rf_node_require_real(node, SCORES, "the scores", &ignored));
    if (boxes->rank != 3 || scores->rank != 3 || boxes->dims[2] != 4 || boxes->dims[0] != scores->dims[0]
        || boxes->dims[1] != scores->dims[2])
        return rf_node_fail(node, RF_ERROR_SHAPE, "boxes of shape %s and scores of shape %s must be [n,m,4] and [n,c,m]",
                            rf_shape_print(boxes).text, rf_shape_print(scores).text);
    RF_TRY(rf_check_dtype(node, MOST, RF_INT64));
    for (uint32_t i = MOST; i <= LEAST_SCORE; i++) {
        RF_TRY(rf_check_single(node, i, names[i]));
        if (i != MOST && rf_input(node, i))
            RF_TRY(rf_node_require_real(node, i, names[i], &ignored));
    }
    if (params->center_point_box == 0 || params->center_point_box == 1)
        return RF_OK;
    return rf_node_fail(node, RF_ERROR_FORMAT, "center_point_box is %lld, but must be 0 or 1",
                        (long long)params->center_point_box);
}

/* Boxes of a class that may be taken: without the input, none. */
static int64_t most_boxes(const rf_node *node)
{
    const rf_value *most = rf_input(node, MOST);
    int64_t boxes = node->inputs[BOXES]->shape.dims[1];
    if (!most)
        return 0;
    return most->data ? rf_max(0, rf_min(rf_value_int(most, 0), boxes)) : boxes;
}

static rf_status infer(rf_node *node)
{
    RF_TRY(check_inputs(node));
    const rf_shape *scores = &node->inputs[SCORES]->shape;
    rf_shape most = {.rank = 3, .dims = {scores->dims[0], scores->dims[1], most_boxes(node)}};
    uint64_t rows;
    RF_TRY(rf_node_elements(node, &most, &rows));
    rf_shape out = {.rank = 2, .dims = {(int64_t)rows, 3}};
    rf_set_output(node, 0, RF_INT64, &out);
    if (rf_output(node, 0))
        node->outputs[0]->ragged = true;
    return RF_OK;
}

static bool scratch(const rf_node *node, uint64_t *bytes)
{
    return rf_checked_mul((uint64_t)node->inputs[BOXES]->shape.dims[1], sizeof(int64_t), bytes);
}

/* ---- Boxes ------------------------------------------------------------------------------ */

typedef struct box {
    double top, left, bottom, right;
} box;

static box read_box(const rf_node *node, uint64_t i)
{
    const suppression_params *params = node->params;
    double at[4];
    for (uint64_t k = 0; k < 4; k++)
        at[k] = rf_value_float(node->inputs[BOXES], 4 * i + k);
    if (params->center_point_box)
        return (box){at[1] - at[3] / 2, at[0] - at[2] / 2, at[1] + at[3] / 2, at[0] + at[2] / 2};
    return (box){
        at[0] < at[2] ? at[0] : at[2], at[1] < at[3] ? at[1] : at[3],
        at[0] < at[2] ? at[2] : at[0], at[1] < at[3] ? at[3] : at[1],
    };
}

static double area(const box *of)
{
    return of->bottom > of->top && of->right > of->left ? (of->bottom - of->top) * (of->right - of->left) : 0;
}

/* Intersection over union; 0 where a box is empty. */
static double overlap(const box *a, const box *b)
{
    box both = {
        a->top > b->top ? a->top : b->top, a->left > b->left ? a->left : b->left,
        a->bottom < b->bottom ? a->bottom : b->bottom, a->right < b->right ? a->right : b->right,
    };
    double of_a = area(a), of_b = area(b), shared = area(&both);
    return of_a > 0 && of_b > 0 ? shared / (of_a + of_b - shared) : 0;
}

/* ---- The heap --------------------------------------------------------------------------- */

/* Boxes of one class that wait, the best on top: each child comes after its parent. */
typedef struct queue {
    const rf_value *scores;
    uint64_t first; /* element that is the score of box 0 */
    int64_t *boxes, count;
} queue;

static bool comes_before(const queue *of, int64_t a, int64_t b)
{
    double score_a = rf_value_float(of->scores, of->first + (uint64_t)a);
    double score_b = rf_value_float(of->scores, of->first + (uint64_t)b);
    return score_a != score_b ? score_a > score_b : a < b;
}

static void sink(queue *of, int64_t at)
{
    int64_t sunk = of->boxes[at];
    for (;;) {
        int64_t child = 2 * at + 1;
        if (child >= of->count)
            break;
        if (child + 1 < of->count && comes_before(of, of->boxes[child + 1], of->boxes[child]))
            child++;
        if (comes_before(of, sunk, of->boxes[child]))
            break;
        of->boxes[at] = of->boxes[child];
        at = child;
    }
    of->boxes[at] = sunk;
}

/* Boxes whose score is a number, and above the threshold where there is one. */
static void fill(queue *of, int64_t boxes, const rf_value *threshold)
{
    double least = threshold ? rf_value_float(threshold, 0) : 0;
    of->count = 0;
    for (int64_t i = 0; i < boxes; i++) {
        double score = rf_value_float(of->scores, of->first + (uint64_t)i);
        if (threshold ? score > least : score == score)
            of->boxes[of->count++] = i;
    }
    for (int64_t at = of->count / 2; at-- > 0;)
        sink(of, at);
}

static int64_t take(queue *of)
{
    int64_t best = of->boxes[0];
    of->boxes[0] = of->boxes[--of->count];
    if (of->count)
        sink(of, 0);
    return best;
}

/* ---- Evaluation ------------------------------------------------------------------------- */

static bool overlaps_any(const rf_node *node, uint64_t first_box, int64_t candidate, uint64_t begin, uint64_t end,
                         double most)
{
    const rf_value *out = node->outputs[0];
    box of = read_box(node, first_box + (uint64_t)candidate);
    for (uint64_t row = begin; row < end; row++) {
        box taken = read_box(node, first_box + (uint64_t)rf_value_int(out, 3 * row + 2));
        if (overlap(&of, &taken) > most)
            return true;
    }
    return false;
}

/* Adds the rows of one class, from row `row` on; returns the row after them. */
static uint64_t add_class(const rf_node *node, uint64_t batch, uint64_t class, double most, uint64_t row)
{
    const rf_shape *scores = &node->inputs[SCORES]->shape;
    void *data = rf_fold_data(node->outputs[0]);
    uint64_t boxes = (uint64_t)scores->dims[2], end = row + (uint64_t)most_boxes(node), begin = row;
    queue waiting = {
        .scores = node->inputs[SCORES],
        .first = (batch * (uint64_t)scores->dims[1] + class) * boxes,
        .boxes = node->scratch,
    };
    fill(&waiting, (int64_t)boxes, rf_input(node, LEAST_SCORE));
    while (waiting.count && row < end) {
        int64_t best = take(&waiting);
        if (overlaps_any(node, batch * boxes, best, begin, row, most))
            continue;
        rf_store_int(data, RF_INT64, 3 * row, (int64_t)batch);
        rf_store_int(data, RF_INT64, 3 * row + 1, (int64_t)class);
        rf_store_int(data, RF_INT64, 3 * row + 2, best);
        row++;
    }
    return row;
}

static rf_status evaluate(rf_node *node)
{
    const rf_shape *scores = &node->inputs[SCORES]->shape;
    const rf_value *threshold = rf_input(node, OVERLAP);
    rf_value *out = rf_output(node, 0);
    double most = threshold ? rf_value_float(threshold, 0) : 0;
    uint64_t row = 0;
    if (!out)
        return RF_OK;
    if (!(most >= 0 && most <= 1))
        return rf_node_fail(node, RF_ERROR_SHAPE, "iou_threshold is %g, but must be in 0..1", most);
    bool todo = scores->dims[2] > 0 && most_boxes(node) > 0;
    for (uint64_t batch = 0; todo && batch < (uint64_t)scores->dims[0]; batch++)
        for (uint64_t class = 0; class < (uint64_t)scores->dims[1]; class++)
            row = add_class(node, batch, class, most, row);
    rf_settle_shape(out, &(rf_shape){.rank = 2, .dims = {(int64_t)row, 3}});
    return RF_OK;
}

const rf_op rf_op_NonMaxSuppression = {
    .type = "NonMaxSuppression", .class = RF_CLASS_OTHER,
    .min_inputs = 2, .max_inputs = 5, .min_outputs = 1, .max_outputs = 1,
    .attributes = attributes, .defaults = &defaults, .params_size = sizeof(suppression_params),
    .infer = infer, .link = rf_link_everything, .evaluate = evaluate, .scratch = scratch,
};
