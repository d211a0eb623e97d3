/* SPDX-License-Identifier: MIT */
#include <rfield/kernels.h>

#include "base/failure.h"
#include "kernels/kernel_check.h"

/* Outputs summed side by side, so that no sum waits for the one before it. */
enum { LANES = 8 };

static inline void sum_lanes(const float *input, const float *weights, int64_t inputs, float *sums,
                             int lanes)
{
    for (int64_t i = 0; i < inputs; i++)
        for (int lane = 0; lane < lanes; lane++)
            sums[lane] += weights[lane * inputs + i] * input[i];
}

static void dense_row(int64_t inputs, int64_t outputs, const float *input, const float *weights,
                      const float *bias, float *output)
{
    for (int64_t o = 0; o < outputs;) {
        int lanes = outputs - o >= LANES ? LANES : 1;
        float sums[LANES] = {0};
        for (int lane = 0; bias && lane < lanes; lane++)
            sums[lane] = bias[o + lane];
        if (lanes == LANES)
            sum_lanes(input, weights + o * inputs, inputs, sums, LANES);
        else
            sum_lanes(input, weights + o * inputs, inputs, sums, 1);
        for (int lane = 0; lane < lanes; lane++)
            output[o + lane] = sums[lane];
        o += lanes;
    }
}

static rf_status check_sizes(int64_t batch, int64_t inputs, int64_t outputs, rf_error *error)
{
    const char *function = "rf_dense";
    const rf_named_extent extents[] = {
        {"batch", batch}, {"inputs", inputs}, {"outputs", outputs},
    };
    RF_TRY(rf_kernel_check_extents(function, extents, sizeof extents / sizeof *extents, error));
    RF_TRY(rf_kernel_check_floats(function, "input", (const int64_t[]){batch, inputs}, 2, error));
    RF_TRY(rf_kernel_check_floats(function, "weights", (const int64_t[]){outputs, inputs}, 2, error));
    return rf_kernel_check_floats(function, "output", (const int64_t[]){batch, outputs}, 2, error);
}

rf_status rf_dense(int64_t batch, int64_t inputs, int64_t outputs, const float *input,
                   const float *weights, const float *bias, float *output, rf_error *error)
{
    const rf_named_pointer pointers[] = {
        {"input", input}, {"weights", weights}, {"output", output},
    };
    const rf_named_pointer read[] = {{"input", input}, {"weights", weights}, {"bias", bias}};
    RF_TRY(check_sizes(batch, inputs, outputs, error));
    RF_TRY(rf_kernel_check_pointers("rf_dense", pointers, 3, error));
    RF_TRY(rf_kernel_check_apart("rf_dense", output, read, 3, error));
    for (int64_t n = 0; n < batch; n++)
        dense_row(inputs, outputs, input + n * inputs, weights, bias, output + n * outputs);
    return RF_OK;
}
