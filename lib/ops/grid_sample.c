/* SPDX-License-Identifier: MIT */
/*
 * Reading a picture at places that another tensor names.
 *
 * Counting, for an output element: linear 4 multiplications and 3 additions,
 * cubic 16 and 15, nearest nothing. Finding the places and weights is left out:
 * it is done once for all channels.
 */
#include <math.h>

#include "ops/doubles.h"
#include "ops/fold.h"
#include "ops/operands.h"
#include "ops/table.h"

typedef enum mode { MODE_LINEAR, MODE_NEAREST, MODE_CUBIC } mode;
typedef enum padding { PADDING_ZEROS, PADDING_BORDER, PADDING_REFLECTION } padding;

typedef struct grid_params {
    const char *mode, *padding;
    int64_t align_corners;
} grid_params;

typedef struct grid_state {
    mode chosen;
    padding around;
    bool align_corners;
} grid_state;

static const grid_params defaults = {.mode = NULL};

static const rf_attribute_spec attributes[] = {
    {"mode", RF_ATTRIBUTE_STRING, offsetof(grid_params, mode), false},
    {"padding_mode", RF_ATTRIBUTE_STRING, offsetof(grid_params, padding), false},
    {"align_corners", RF_ATTRIBUTE_INT, offsetof(grid_params, align_corners), false},
    {NULL, RF_ATTRIBUTE_NONE, 0, false},
};

/* Operator set 20 renamed the modes. */
static const char *const mode_names[] = {"bilinear", "nearest", "bicubic", "linear", "cubic", NULL};
static const mode modes[] = {MODE_LINEAR, MODE_NEAREST, MODE_CUBIC, MODE_LINEAR, MODE_CUBIC};
static const char *const padding_names[] = {"zeros", "border", "reflection", NULL};

/* ---- Shapes ----------------------------------------------------------------------------- */

static rf_status check_shapes(const rf_node *node)
{
    const rf_shape *x = &node->inputs[0]->shape, *grid = &node->inputs[1]->shape;
    if (x->rank == 5)
        return rf_node_fail(node, RF_ERROR_UNSUPPORTED, "3 spatial axes are not supported; 2 are");
    if (x->rank != 4 || x->dims[2] < 1 || x->dims[3] < 1)
        return rf_node_fail(node, RF_ERROR_SHAPE, "its input has shape %s, but [N,C,H,W] with pixels is needed",
                            rf_shape_print(x).text);
    if (grid->rank == 4 && grid->dims[0] == x->dims[0] && grid->dims[3] == 2)
        return RF_OK;
    return rf_node_fail(node, RF_ERROR_SHAPE, "its grid has shape %s, but [%lld,H,W,2] is needed",
                        rf_shape_print(grid).text, (long long)x->dims[0]);
}

static rf_status infer(rf_node *node)
{
    const grid_params *params = node->params;
    rf_value *grid;
    int chosen, around;
    RF_TRY(rf_node_require_real(node, 1, "its grid", &grid));
    RF_TRY(check_shapes(node));
    RF_TRY(rf_node_choice(node, "mode", params->mode, mode_names, &chosen));
    RF_TRY(rf_node_choice(node, "padding_mode", params->padding, padding_names, &around));
    grid_state *state = RF_TAKE(node->arena, grid_state, 1);
    if (!state)
        return rf_node_fail(node, RF_ERROR_MEMORY, "no memory for its modes");
    *state = (grid_state){modes[chosen], (padding)around, params->align_corners != 0};
    node->state = state;
    const rf_value *x = node->inputs[0];
    rf_shape output = RF_SHAPE(x->shape.dims[0], x->shape.dims[1], grid->shape.dims[1], grid->shape.dims[2]);
    rf_set_output(node, 0, x->dtype, &output);
    return RF_OK;
}

static void link_places(const rf_node *node, uint32_t output, uint32_t input, rf_link *links)
{
    rf_link_everything(node, output, input, links);
    rf_link_same(&links[0], 0);
    if (input == 0) {
        rf_link_same(&links[1], 1);
        return;
    }
    rf_link_same(&links[1], 2);
    rf_link_same(&links[2], 3);
}

static bool cost_places(const rf_node *node, rf_cost *cost)
{
    const grid_state *state = node->state;
    uint64_t outputs = rf_elements(&node->outputs[0]->shape);
    if (state->chosen == MODE_NEAREST)
        return true;
    if (!rf_checked_mul(outputs, state->chosen == MODE_CUBIC ? 16 : 4, &cost->dense.multiplications))
        return false;
    cost->dense.additions = cost->dense.multiplications - outputs;
    cost->valid = cost->dense;
    return true;
}

/* ---- One axis --------------------------------------------------------------------------- */

/* Pixels along an axis and their weights, those of weight 0 left out. */
typedef struct reading {
    int count;
    int64_t pixels[4];
    double weights[4];
} reading;

/* Between -1/2 and extent - 1/2, or where corners are aligned between the outer pixels' centres. */
static double reflect(double at, int64_t extent, bool align_corners)
{
    double begin = align_corners ? 0 : -0.5, span = (double)(align_corners ? extent - 1 : extent);
    if (span == 0)
        return 0;
    double way = fmod(fabs(at - begin), 2 * span);
    return begin + (way <= span ? way : 2 * span - way);
}

static double padded(const grid_state *state, double at, int64_t extent)
{
    if (state->around == PADDING_ZEROS)
        return at;
    if (state->around == PADDING_REFLECTION)
        at = reflect(at, extent, state->align_corners);
    return fmin(fmax(at, 0), (double)(extent - 1));
}

/* Adds the pixel at a whole position; zeros outside are not read. */
static void add_pixel(reading *got, double position, int64_t extent, double weight)
{
    if (weight == 0 || !(position >= 0 && position <= (double)(extent - 1)))
        return;
    got->pixels[got->count] = (int64_t)position;
    got->weights[got->count++] = weight;
}

static double cubic(double distance)
{
    const double a = -0.75, d = fabs(distance);
    return d <= 1 ? ((a + 2) * d - (a + 3)) * d * d + 1 : ((a * d - 5 * a) * d + 8 * a) * d - 4 * a;
}

static reading read_axis(const grid_state *state, double place, int64_t extent)
{
    reading got = {.count = 0};
    double length = (double)extent;
    double at = state->align_corners ? (place + 1) / 2 * (length - 1) : ((place + 1) * length - 1) / 2;
    if (state->chosen == MODE_CUBIC) {
        double whole = floor(at);
        for (int t = -1; t <= 2; t++)
            add_pixel(&got, padded(state, whole + t, extent), extent, cubic(at - whole - t));
        return got;
    }
    at = padded(state, at, extent);
    if (state->chosen == MODE_NEAREST) {
        add_pixel(&got, nearbyint(at), extent, 1);
        return got;
    }
    double whole = floor(at);
    add_pixel(&got, whole, extent, 1 - (at - whole));
    add_pixel(&got, whole + 1, extent, at - whole);
    return got;
}

/* ---- Running ---------------------------------------------------------------------------- */

static double sum_pixels(const rf_node *node, uint64_t plane, const reading *rows, const reading *columns)
{
    const rf_value *x = node->inputs[0];
    double sum = 0;
    for (int i = 0; i < rows->count; i++) {
        uint64_t row = plane + (uint64_t)(rows->pixels[i] * x->shape.dims[3]);
        for (int j = 0; j < columns->count; j++)
            sum += rows->weights[i] * columns->weights[j] * rf_value_float(x, row + (uint64_t)columns->pixels[j]);
    }
    return sum;
}

static void tally(const rf_node *node, const reading *rows, const reading *columns)
{
    const grid_state *state = node->state;
    uint64_t products = (uint64_t)rows->count * (uint64_t)columns->count * (uint64_t)node->inputs[0]->shape.dims[1];
    if (!node->tally || products == 0 || state->chosen == MODE_NEAREST)
        return;
    node->tally->multiplications += products;
    node->tally->additions += products - (uint64_t)node->inputs[0]->shape.dims[1];
}

/* All channels of image `n` at element `at` of an output plane of `places`. A place that is no number,
 * or infinitely far from a mirror, gives none. */
static void sample(const rf_node *node, int64_t n, uint64_t at, uint64_t places)
{
    const grid_state *state = node->state;
    const rf_value *x = node->inputs[0], *grid = node->inputs[1];
    uint64_t plane = (uint64_t)(x->shape.dims[2] * x->shape.dims[3]), from = 2 * ((uint64_t)n * places + at);
    double across = rf_value_float(grid, from), down = rf_value_float(grid, from + 1);
    bool lost = across != across || down != down
        || (state->around == PADDING_REFLECTION && (isinf(across) || isinf(down)));
    reading rows = read_axis(state, down, x->shape.dims[2]);
    reading columns = read_axis(state, across, x->shape.dims[3]);
    for (int64_t c = 0; c < x->shape.dims[1]; c++) {
        uint64_t channel = (uint64_t)(n * x->shape.dims[1] + c);
        double element = lost ? (double)NAN : sum_pixels(node, channel * plane, &rows, &columns);
        rf_doubles_write(node->outputs[0], channel * places + at, 1, &element);
    }
    tally(node, &rows, &columns);
}

static rf_status evaluate(rf_node *node)
{
    const rf_shape *out = &node->outputs[0]->shape;
    if (!rf_fold_ready(node))
        return rf_fold_refuse(node);
    if (rf_elements(out) == 0)
        return RF_OK;
    uint64_t places = (uint64_t)(out->dims[2] * out->dims[3]);
    for (int64_t n = 0; n < out->dims[0]; n++)
        for (uint64_t at = 0; at < places; at++)
            sample(node, n, at, places);
    return RF_OK;
}

const rf_op rf_op_GridSample = {
    .type = "GridSample",
    .class = RF_CLASS_OTHER,
    .min_inputs = 2,
    .max_inputs = 2,
    .min_outputs = 1,
    .max_outputs = 1,
    .attributes = attributes,
    .defaults = &defaults,
    .params_size = sizeof(grid_params),
    .infer = infer,
    .link = link_places,
    .cost = cost_places,
    .evaluate = evaluate,
};
