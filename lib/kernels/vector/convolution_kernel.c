/* SPDX-License-Identifier: MIT */
/* Finds the kernel for a convolution: special cases first, then Winograd's, Strassen's or the direct one. */
#include "kernels/vector/bf16_convolution.h"
#include "kernels/vector/direct_convolution.h"
#include "kernels/vector/gemm_tile.h"
#include "kernels/vector/makers.h"
#include "kernels/vector/strassen_convolution.h"
#include "kernels/vector/winograd_convolution.h"

/* By weights [C_in, C_out, taps] from the last tap to the first. */
static void reverse(rf_direct_spec *direct, int64_t taps)
{
    direct->weight_first = taps - 1;
    direct->weight_channel = taps * direct->outputs;
    direct->weight_output = taps;
    for (int32_t k = 0; k < direct->axes; k++)
        direct->axis[k].weight = -direct->axis[k].weight;
}

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
        .input_channel = input->strides[1], .unpacked = {.weights = spec->weights, .bias = spec->bias},
        .scale = spec->scale, .alpha = 1.0, .epilogue = spec->epilogue, .factors = spec->factors,
        .factor_stride = spec->factor_stride,
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
    if (spec->reversed)
        reverse(direct, taps);
    return true;
}

static bool make_direct(const rf_convolution_spec *spec, rf_arena *arena, rf_work *work)
{
    rf_direct_spec direct;
    if (!describe(spec, &direct))
        return false;
    return (spec->bfloat16 && !spec->factors && RF_ISA_NAME(rf_make_bf16)(&direct, arena, work))
           || (!spec->exact && RF_ISA_NAME(rf_make_strassen)(&direct, false, arena, work))
           || RF_ISA_NAME(rf_make_direct)(&direct, arena, work);
}

/* The candidates: by bfloat16, direct ones by the width of their panels, Winograd's tiles, then Strassen's product. */
enum {
    BY_BFLOAT16 = 1,
    DIRECT = 2,
    WINOGRAD = DIRECT + RF_TILE_MAX_VECTORS,
    STRASSEN = WINOGRAD + RF_WINOGRAD_CANDIDATES
};
_Static_assert((int)STRASSEN == (int)RF_CONVOLUTION_CANDIDATES, "candidates are counted from 1");

static bool make_candidate(const rf_convolution_spec *spec, rf_arena *arena, rf_work *work)
{
    rf_direct_spec direct;
    if (spec->candidate >= WINOGRAD && spec->candidate < STRASSEN)
        return RF_ISA_NAME(rf_make_winograd_candidate)(spec, spec->candidate - WINOGRAD, arena, work);
    if (!describe(spec, &direct))
        return false;
    if (spec->candidate == BY_BFLOAT16)
        return spec->bfloat16 && !spec->factors && RF_ISA_NAME(rf_make_bf16)(&direct, arena, work);
    if (spec->candidate == STRASSEN)
        return !spec->exact && RF_ISA_NAME(rf_make_strassen)(&direct, true, arena, work);
    direct.vectors = spec->candidate - DIRECT + 1;
    return (direct.vectors - 1) * (int64_t)RF_LANES < direct.outputs
           && RF_ISA_NAME(rf_make_direct)(&direct, arena, work);
}

/*
 * A transposed convolution that moves by one pixel at a time is a convolution by the same taps in reverse:
 * output o sees input o + pad - d t at tap t, so with t = k - 1 - u input o - (d (k - 1) - pad) + d u at tap u.
 * False where pads crop more than the window's reach.
 */
static bool turn_back(const rf_convolution_spec *spec, rf_convolution_spec *turned)
{
    *turned = *spec;
    turned->transposed = false;
    turned->reversed = true;
    for (int32_t k = 0; k < spec->axes; k++) {
        const rf_window *window = &spec->windows[k];
        int64_t reach = (window->kernel - 1) * window->dilation, begin = reach - window->pad_begin;
        int64_t end = window->output + reach - window->input - begin;
        if (!spec->transposed || window->stride != 1 || begin < 0 || end < 0)
            return false;
        turned->windows[k].pad_begin = begin;
        turned->windows[k].pad_end = end;
    }
    return true;
}

static bool make_any(const rf_convolution_spec *spec, rf_arena *arena, rf_work *work)
{
    if (spec->candidate)
        return make_candidate(spec, arena, work);
    if (spec->factors)
        return make_direct(spec, arena, work);
    return RF_ISA_NAME(rf_make_depthwise)(spec, arena, work)
           || RF_ISA_NAME(rf_make_grouped)(spec, arena, work)
           || RF_ISA_NAME(rf_make_transposed)(spec, arena, work)
           || RF_ISA_NAME(rf_make_winograd)(spec, arena, work) || make_direct(spec, arena, work);
}

bool RF_ISA_NAME(rf_make_convolution)(const rf_convolution_spec *spec, rf_arena *arena, rf_work *work)
{
    rf_convolution_spec turned;
    return (turn_back(spec, &turned) && make_any(&turned, arena, work)) || make_any(spec, arena, work);
}
