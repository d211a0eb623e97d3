/* SPDX-License-Identifier: MIT */
#include "kernels/kernel_check.h"

#include <inttypes.h>

#include "base/checked.h"
#include "base/failure.h"

rf_status rf_kernel_check_extents(const char *function, const rf_named_extent *extents,
                                  size_t count, rf_error *error)
{
    for (size_t i = 0; i < count; i++)
        if (extents[i].value < 1)
            return rf_fail(error, RF_ERROR_ARGUMENT, function,
                           "%s: %s is %" PRId64 ", expected 1 or more", function,
                           extents[i].name, extents[i].value);
    return RF_OK;
}

rf_status rf_kernel_check_pointers(const char *function, const rf_named_pointer *pointers,
                                   size_t count, rf_error *error)
{
    for (size_t i = 0; i < count; i++)
        if (!pointers[i].value)
            return rf_fail(error, RF_ERROR_ARGUMENT, function,
                           "%s: %s is NULL, expected a pointer", function, pointers[i].name);
    return RF_OK;
}

rf_status rf_kernel_check_apart(const char *function, const void *output,
                                const rf_named_pointer *inputs, size_t count, rf_error *error)
{
    for (size_t i = 0; i < count; i++)
        if (inputs[i].value == output)
            return rf_fail(error, RF_ERROR_ARGUMENT, function,
                           "%s: output and %s are one buffer, expected two", function,
                           inputs[i].name);
    return RF_OK;
}

rf_status rf_kernel_check_descriptor(const char *function, size_t size, size_t expected,
                                     rf_layout layout, rf_error *error)
{
    if (size != expected)
        return rf_fail(error, RF_ERROR_ARGUMENT, function,
                       "%s: the descriptor's size is %zu, expected %zu", function, size, expected);
    if (layout != RF_NCHW && layout != RF_NHWC)
        return rf_fail(error, RF_ERROR_ARGUMENT, function,
                       "%s: layout is %d, expected RF_NCHW or RF_NHWC", function, (int)layout);
    return RF_OK;
}

rf_status rf_kernel_check_floats(const char *function, const char *name, const int64_t *dims,
                                 size_t rank, rf_error *error)
{
    ptrdiff_t bytes = sizeof(float);
    for (size_t i = 0; i < rank; i++)
        if (!rf_checked_mul(bytes, dims[i], &bytes))
            return rf_fail(error, RF_ERROR_OVERFLOW, function,
                           "%s: %s exceeds the largest object, %td bytes", function, name,
                           (ptrdiff_t)PTRDIFF_MAX);
    return RF_OK;
}

static rf_status check_axis(const char *function, const char *axis, const rf_window *window,
                            rf_error *error)
{
    const struct { const char *name; int64_t value, least; } members[] = {
        {"input", window->input, 1},         {"kernel", window->kernel, 1},
        {"stride", window->stride, 1},       {"dilation", window->dilation, 1},
        {"pad before", window->pad_begin, 0}, {"pad after", window->pad_end, 0},
    };
    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        if (members[i].value < members[i].least)
            return rf_fail(error, RF_ERROR_ARGUMENT, function,
                           "%s: %s of %s is %" PRId64 ", expected %" PRId64 " or more", function,
                           members[i].name, axis, members[i].value, members[i].least);
    return RF_OK;
}

/* Sums are kept below half of the range, so that whatever is made of two of them still fits. */
static bool axis_fits(const rf_window *window, int64_t *padded)
{
    int64_t reach;
    return rf_checked_mul(window->dilation, window->kernel - 1, &reach) && reach < INT64_MAX / 4 &&
           window->stride < INT64_MAX / 4 && rf_checked_add(window->input, window->pad_begin, padded) &&
           rf_checked_add(*padded, window->pad_end, padded) && *padded < INT64_MAX / 4;
}

rf_status rf_kernel_check_sliding(const char *function, const rf_sliding *sliding,
                                  rf_window windows[2], rf_error *error)
{
    static const char *const names[2] = {"rows", "columns"};
    for (int a = 0; a < 2; a++) {
        rf_window window = {
            .input = sliding->input[a], .kernel = sliding->kernel[a],
            .stride = sliding->strides[a], .dilation = sliding->dilations[a],
            .pad_begin = sliding->pads[a], .pad_end = sliding->pads[a + 2],
        };
        RF_TRY(check_axis(function, names[a], &window, error));
        int64_t padded;
        if (!axis_fits(&window, &padded))
            return rf_fail(error, RF_ERROR_OVERFLOW, function,
                           "%s: padded input, dilated kernel or stride of %s is too large",
                           function, names[a]);
        window.output = rf_window_count(&window, sliding->ceil_mode);
        if (window.output < 1)
            return rf_fail(error, RF_ERROR_SHAPE, function,
                           "%s: a window of %" PRId64 " %s does not fit the padded input of %" PRId64,
                           function, rf_window_extent(&window), names[a], padded);
        windows[a] = window;
    }
    return RF_OK;
}
