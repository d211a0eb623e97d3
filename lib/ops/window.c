/* SPDX-License-Identifier: MIT */
#include "ops/window.h"

#include "ops/operands.h"

/*
 * Kernels, strides, dilations, pads and dilated kernels reach at most this
 * far, and inputs at most its square: then no position of a window overflows.
 */
static const int64_t longest = INT32_MAX;
static const int64_t longest_input = INT64_C(1) << 60;

typedef enum auto_pad { PAD_NOTSET, PAD_SAME_UPPER, PAD_SAME_LOWER, PAD_VALID } auto_pad;

static const char *const auto_pad_names[] = {"NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID", NULL};

int64_t rf_window_extent(const rf_window *window)
{
    return window->dilation * (window->kernel - 1) + 1;
}

/* ---- From attributes -------------------------------------------------------------------- */

/* A list has one entry for each spatial axis, or for each of their ends, or is absent. */
static rf_status check_list(const rf_node *node, const char *what, const rf_ints *list, int32_t count,
                            int64_t least)
{
    if (list->count == 0)
        return RF_OK;
    if (list->count != (size_t)count)
        return rf_node_fail(node, RF_ERROR_SHAPE, "%s has %zu entries, but %d are needed", what, list->count,
                            (int)count);
    for (int32_t i = 0; i < count; i++)
        if (list->at[i] < least || list->at[i] > longest)
            return rf_node_fail(node, RF_ERROR_SHAPE, "%s[%d] is %lld, outside %lld..%lld", what, (int)i,
                                (long long)list->at[i], (long long)least, (long long)longest);
    return RF_OK;
}

static rf_status check_input(const rf_node *node, const rf_shape *input)
{
    if (input->rank < 3)
        return rf_node_fail(node, RF_ERROR_SHAPE, "its input has shape %s, but [N,C,spatial...] is needed",
                            rf_shape_print(input).text);
    if (input->rank > 2 + RF_MAX_SPATIAL)
        return rf_node_fail(node, RF_ERROR_UNSUPPORTED, "%d spatial axes are not supported; at most %d are",
                            (int)input->rank - 2, RF_MAX_SPATIAL);
    for (int32_t i = 2; i < input->rank; i++)
        if (input->dims[i] > longest_input)
            return rf_node_fail(node, RF_ERROR_OVERFLOW, "axis %d of its input, %lld long, is too long",
                                (int)i, (long long)input->dims[i]);
    return RF_OK;
}

static rf_status check_kernel(const rf_node *node, const rf_ints *shape, const int64_t *kernel, int32_t axes)
{
    RF_TRY(check_list(node, "kernel_shape", shape, axes, 1));
    if (!kernel)
        return shape->count ? RF_OK : rf_node_fail(node, RF_ERROR_FORMAT, "kernel_shape is required");
    rf_ints weight = {(size_t)axes, kernel};
    RF_TRY(check_list(node, "the weight tensor's kernel", &weight, axes, 1));
    for (size_t i = 0; i < shape->count; i++)
        if (shape->at[i] != kernel[i])
            return rf_node_fail(node, RF_ERROR_SHAPE, "kernel_shape[%zu] is %lld, but the weight tensor has %lld",
                                i, (long long)shape->at[i], (long long)kernel[i]);
    return RF_OK;
}

/* Fills in all but pads and output. */
static rf_status begin_windows(const rf_node *node, const rf_window_params *params, const rf_shape *input,
                               const int64_t *kernel, rf_window *windows, int32_t *axes, auto_pad *mode)
{
    int choice;
    RF_TRY(check_input(node, input));
    *axes = input->rank - 2;
    RF_TRY(check_kernel(node, &params->kernel_shape, kernel, *axes));
    RF_TRY(check_list(node, "strides", &params->strides, *axes, 1));
    RF_TRY(check_list(node, "dilations", &params->dilations, *axes, 1));
    RF_TRY(check_list(node, "pads", &params->pads, 2 * *axes, 0));
    RF_TRY(rf_node_choice(node, "auto_pad", params->auto_pad, auto_pad_names, &choice));
    *mode = (auto_pad)choice;
    for (int32_t i = 0; i < *axes; i++) {
        rf_window *window = &windows[i];
        window->input = input->dims[2 + i];
        window->kernel = kernel ? kernel[i] : params->kernel_shape.at[i];
        window->stride = params->strides.count ? params->strides.at[i] : 1;
        window->dilation = params->dilations.count ? params->dilations.at[i] : 1;
        if (rf_window_extent(window) > longest)
            return rf_node_fail(node, RF_ERROR_SHAPE, "kernel %lld with dilation %lld spans more than %lld",
                                (long long)window->kernel, (long long)window->dilation, (long long)longest);
    }
    return RF_OK;
}

/* The odd one of `total` pads goes where `odd_first` says. */
static void split_pads(rf_window *window, int64_t total, bool odd_first)
{
    int64_t smaller = total / 2;
    window->pad_begin = odd_first ? total - smaller : smaller;
    window->pad_end = total - window->pad_begin;
}

/* Explicit pads, or those that `mode` makes of `same_total`. Both may be given where they agree. */
static rf_status set_pads(const rf_node *node, const rf_window_params *params, auto_pad mode,
                          int64_t same_total, int32_t axes, int32_t axis, rf_window *window)
{
    const rf_ints *pads = &params->pads;
    if (mode == PAD_NOTSET) {
        window->pad_begin = pads->count ? pads->at[axis] : 0;
        window->pad_end = pads->count ? pads->at[axes + axis] : 0;
        return RF_OK;
    }
    split_pads(window, mode == PAD_VALID ? 0 : rf_max(same_total, 0), mode == PAD_SAME_LOWER);
    bool given = pads->count && (pads->at[axis] || pads->at[axes + axis]);
    if (given && (pads->at[axis] != window->pad_begin || pads->at[axes + axis] != window->pad_end))
        return rf_node_fail(node, RF_ERROR_FORMAT, "pads %lld and %lld of axis %d contradict auto_pad %s",
                            (long long)pads->at[axis], (long long)pads->at[axes + axis], (int)axis + 2,
                            params->auto_pad);
    return RF_OK;
}

int64_t rf_window_count(const rf_window *window, bool ceil_mode)
{
    int64_t room = window->input + window->pad_begin + window->pad_end - rf_window_extent(window);
    if (!ceil_mode)
        return room < 0 ? 0 : room / window->stride + 1;
    int64_t last = rf_div_ceil(room, window->stride);
    if (last * window->stride >= window->input + window->pad_begin)
        last--;
    return rf_max(last + 1, 0);
}

static rf_status check_output(const rf_node *node, int32_t axis, const rf_window *window)
{
    if (window->output >= 1 || (window->input == 0 && window->output == 0))
        return RF_OK;
    return rf_node_fail(node, RF_ERROR_SHAPE,
                        "a window of %lld does not fit axis %d, %lld long with pads %lld and %lld",
                        (long long)rf_window_extent(window), (int)axis + 2, (long long)window->input,
                        (long long)window->pad_begin, (long long)window->pad_end);
}

rf_status rf_windows_make(const rf_node *node, const rf_window_params *params,
                          const rf_shape *input, const int64_t *kernel, bool ceil_mode,
                          rf_window windows[RF_MAX_SPATIAL], int32_t *axes)
{
    auto_pad mode;
    RF_TRY(begin_windows(node, params, input, kernel, windows, axes, &mode));
    for (int32_t i = 0; i < *axes; i++) {
        rf_window *window = &windows[i];
        int64_t same_total = 0;
        if (mode != PAD_NOTSET && window->input) {
            int64_t steps = rf_div_ceil(window->input, window->stride) - 1;
            same_total = steps * window->stride + rf_window_extent(window) - window->input;
        }
        RF_TRY(set_pads(node, params, mode, same_total, *axes, i, window));
        window->output = rf_window_count(window, ceil_mode);
        RF_TRY(check_output(node, i, window));
    }
    return RF_OK;
}

/* Extent before pads are cropped: every position that some input index writes, and output_padding. */
static rf_status full_extent(const rf_node *node, const rf_window *window, int64_t output_padding,
                             int64_t *full)
{
    int64_t reach;
    if (rf_checked_mul(window->stride, window->input - 1, &reach)
        && rf_checked_add(reach, output_padding + rf_window_extent(window), full) && *full <= longest_input)
        return RF_OK;
    return rf_node_fail(node, RF_ERROR_OVERFLOW, "an input of %lld with stride %lld makes too long an output",
                        (long long)window->input, (long long)window->stride);
}

/*
 * Pads that give the output asked for. An output longer than all that is
 * written has no pads: its end receives nothing.
 */
static rf_status crop_to(const rf_node *node, auto_pad mode, int64_t full, int64_t output, rf_window *window)
{
    if (output < window->input)
        return rf_node_fail(node, RF_ERROR_SHAPE, "output_shape asks for %lld, less than the input's %lld",
                            (long long)output, (long long)window->input);
    split_pads(window, rf_max(full - output, 0), mode != PAD_SAME_UPPER);
    window->output = output;
    return RF_OK;
}

rf_status rf_windows_make_transposed(const rf_node *node, const rf_window_params *params,
                                     const rf_shape *input, const int64_t *kernel,
                                     const rf_ints *output_padding, const rf_ints *output_shape,
                                     rf_window windows[RF_MAX_SPATIAL], int32_t *axes)
{
    auto_pad mode;
    RF_TRY(begin_windows(node, params, input, kernel, windows, axes, &mode));
    RF_TRY(check_list(node, "output_padding", output_padding, *axes, 0));
    RF_TRY(check_list(node, "output_shape", output_shape, *axes, 1));
    for (int32_t i = 0; i < *axes; i++) {
        rf_window *window = &windows[i];
        int64_t full = 0;
        RF_TRY(full_extent(node, window, output_padding->count ? output_padding->at[i] : 0, &full));
        if (output_shape->count) {
            RF_TRY(crop_to(node, mode, full, output_shape->at[i], window));
            continue;
        }
        int64_t same_total = rf_window_extent(window) - window->stride;
        RF_TRY(set_pads(node, params, mode, same_total, *axes, i, window));
        window->output = window->input ? full - window->pad_begin - window->pad_end : 0;
        if (window->output < 1 && window->input)
            return rf_node_fail(node, RF_ERROR_SHAPE, "pads %lld and %lld leave nothing of axis %d, %lld long",
                                (long long)window->pad_begin, (long long)window->pad_end, (int)i + 2,
                                (long long)full);
    }
    return RF_OK;
}

/* ---- Taps ------------------------------------------------------------------------------- */

void rf_window_clip(const rf_window *window, int64_t i, int64_t *t0, int64_t *t1)
{
    int64_t begin = window->stride * i - window->pad_begin;
    int64_t first = rf_max(rf_div_ceil(-begin, window->dilation), 0);
    int64_t end = rf_min(rf_div_ceil(window->input - begin, window->dilation), window->kernel);
    *t1 = rf_max(end, 0);
    *t0 = rf_min(first, *t1);
}

/*
 * SUM over u = 0 .. count-1 of floor((offset + step * u) / divisor), all
 * positive or zero. Whole quotients are taken out, then the roles of the two
 * axes of the triangle that is left are exchanged, as in Euclid's algorithm.
 * False where the sum exceeds 64 bits: no part of it can be negative.
 */
static bool sum_of_floors(uint64_t count, uint64_t divisor, uint64_t step, uint64_t offset, uint64_t *sum)
{
    *sum = 0;
    while (count) {
        uint64_t pairs = count % 2 ? (count - 1) / 2 * count : count / 2 * (count - 1);
        if (!rf_add_product(sum, pairs, step / divisor) || !rf_add_product(sum, count, offset / divisor))
            return false;
        step %= divisor;
        offset %= divisor;
        uint64_t height = step * count + offset;
        count = height / divisor;
        offset = height % divisor;
        uint64_t swapped = divisor;
        divisor = step;
        step = swapped;
    }
    return true;
}

/* Pairs (i, t) of 0 <= i < steps and 0 <= t < kernel with stride * i + dilation * t < bound. */
static bool pairs_below(const rf_window *window, int64_t steps, int64_t bound, uint64_t *pairs)
{
    const int64_t stride = window->stride, dilation = window->dilation, kernel = window->kernel;
    *pairs = 0;
    if (bound <= 0 || steps <= 0)
        return true;
    int64_t slack = bound - stride * (steps - 1);
    int64_t all = slack <= 0 ? 0 : rf_min(rf_div_ceil(slack, dilation), kernel);
    int64_t end = rf_min(rf_div_ceil(bound, dilation), kernel);
    if (!rf_checked_mul((uint64_t)all, (uint64_t)steps, pairs))
        return false;
    if (all == end)
        return true;
    int64_t offset = bound - dilation * (end - 1) + stride - 1;
    uint64_t sum;
    return sum_of_floors((uint64_t)(end - all), (uint64_t)stride, (uint64_t)dilation, (uint64_t)offset, &sum)
        && rf_checked_add(*pairs, sum, pairs);
}

/* Pairs with 0 <= stride * i - pad_begin + dilation * t < extent. */
static bool pairs_within(const rf_window *window, int64_t steps, int64_t extent, uint64_t *pairs)
{
    uint64_t before;
    if (!pairs_below(window, steps, extent + window->pad_begin, pairs)
        || !pairs_below(window, steps, window->pad_begin, &before))
        return false;
    *pairs -= before;
    return true;
}

bool rf_window_valid_taps(const rf_window *window, uint64_t *taps)
{
    return pairs_within(window, window->output, window->input, taps);
}

bool rf_window_valid_taps_transposed(const rf_window *window, uint64_t *taps)
{
    return pairs_within(window, window->input, window->output, taps);
}

/*
 * An input no longer than the dilation can fall between two taps, and then
 * holds one tap of a window at most. A longer one holds a tap of every window
 * that overlaps it, since the overlap holds an end of the window or more than
 * `dilation` positions.
 */
uint64_t rf_window_live_outputs(const rf_window *window)
{
    uint64_t taps = 0;
    if (window->input <= window->dilation)
        return rf_window_valid_taps(window, &taps) ? taps : 0;
    int64_t begin = window->pad_begin - rf_window_extent(window) + 1;
    int64_t first = begin <= 0 ? 0 : rf_div_ceil(begin, window->stride);
    int64_t end = rf_div_ceil(window->input + window->pad_begin, window->stride);
    return (uint64_t)rf_max(rf_min(end, window->output) - first, 0);
}

uint64_t rf_window_covered_outputs(const rf_window *window)
{
    int64_t common = rf_gcd(window->stride, window->dilation);
    int64_t steps = window->dilation / common, taps = window->stride / common;
    uint64_t pairs = 0, repeated = 0;
    if (!rf_window_valid_taps_transposed(window, &pairs))
        return (uint64_t)window->output;
    if (window->input <= steps || window->kernel <= taps)
        return pairs;
    rf_window rest = *window;
    rest.input -= steps;
    rest.kernel -= taps;
    rest.pad_begin -= window->stride * steps;
    rf_window_valid_taps_transposed(&rest, &repeated);
    return pairs - repeated;
}
