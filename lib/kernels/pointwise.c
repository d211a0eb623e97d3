/* SPDX-License-Identifier: MIT */
#include <rfield/kernels.h>

#include "base/failure.h"
#include "kernels/kernel_check.h"

static rf_status check_count(const char *function, size_t count, rf_error *error)
{
    if (count > PTRDIFF_MAX / sizeof(float))
        return rf_fail(error, RF_ERROR_OVERFLOW, function,
                       "%s: count is %zu, expected at most %zu", function, count,
                       PTRDIFF_MAX / sizeof(float));
    return RF_OK;
}

rf_status rf_relu(const float *input, float *output, size_t count, rf_error *error)
{
    const rf_named_pointer pointers[] = {{"input", input}, {"output", output}};
    RF_TRY(rf_kernel_check_pointers("rf_relu", pointers, 2, error));
    RF_TRY(check_count("rf_relu", count, error));
    for (size_t i = 0; i < count; i++)
        output[i] = input[i] < 0.0f ? 0.0f : input[i];
    return RF_OK;
}

rf_status rf_add(const float *a, const float *b, float *output, size_t count, rf_error *error)
{
    const rf_named_pointer pointers[] = {{"a", a}, {"b", b}, {"output", output}};
    RF_TRY(rf_kernel_check_pointers("rf_add", pointers, 3, error));
    RF_TRY(check_count("rf_add", count, error));
    for (size_t i = 0; i < count; i++)
        output[i] = a[i] + b[i];
    return RF_OK;
}
