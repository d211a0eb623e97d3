/* SPDX-License-Identifier: MIT */
/* Finds the kernel for a convolution: special cases first, then Winograd's or the direct one. */
#include "kernels/vector/direct_convolution.h"
#include "kernels/vector/makers.h"
#include "kernels/vector/winograd_convolution.h"

/* What the direct kernel takes a convolution for. */
static bool describe(const rf_convolution_spec *spec, rf_direct_spec *direct)
{
    const rf_strided *input = &spec->input, *output = &spec->output;
    if (spec->transposed || spec->groups != 1 || (output->strides[1] != 1 && output->dims[1] > 1))
        return false;
    if (spec->epilogue.residual && spec->residual.strides[1] != 1 && output->dims[1] > 1)
        return false;
    *direct = (rf_direct_spec){
        .axes = spec->axes + 1, .channels = input->dims[1], .outputs = output->dims[1],
        .input_channel = input->strides[1], .weights = spec->weights, .scale = spec->scale,
        .bias = spec->bias, .alpha = 1.0, .epilogue = spec->epilogue,
    };
    direct->axis[0].window = (rf_window){input->dims[0], output->dims[0], 1, 1, 1, 0, 0};
    int64_t taps = 1;
    for (int32_t k = spec->axes; k >= 0; k--) {
        int32_t axis = k ? k + 1 : 0;
        rf_direct_axis *to = &direct->axis[k];
        if (k)
            to->window = spec->windows[k - 1];
        to->input = input->strides[axis];
        to->output = output->strides[axis];
        to->residual = spec->epilogue.residual ? spec->residual.strides[axis] : 0;
        to->weight = taps;
        taps *= to->window.kernel;
    }
    direct->weight_channel = taps;
    direct->weight_output = taps * input->dims[1];
    return true;
}

static bool make_direct(const rf_convolution_spec *spec, rf_arena *arena, rf_work *work)
{
    rf_direct_spec direct;
    return describe(spec, &direct) && RF_ISA_NAME(rf_make_direct)(&direct, arena, work);
}

bool RF_ISA_NAME(rf_make_convolution)(const rf_convolution_spec *spec, rf_arena *arena, rf_work *work)
{
    return RF_ISA_NAME(rf_make_depthwise)(spec, arena, work)
           || RF_ISA_NAME(rf_make_grouped)(spec, arena, work)
           || RF_ISA_NAME(rf_make_transposed)(spec, arena, work)
           || RF_ISA_NAME(rf_make_winograd)(spec, arena, work) || make_direct(spec, arena, work);
}
