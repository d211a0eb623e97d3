/* SPDX-License-Identifier: MIT */
/* Finds the kernel for a product of matrices: one by constants is a convolution of one tap. */
#include "kernels/vector/bf16_convolution.h"
#include "kernels/vector/direct_convolution.h"
#include "kernels/vector/dynamic_matmul.h"
#include "kernels/vector/makers.h"

/* Whether the same constant matrix serves all batches. */
static bool is_shared_constant(const rf_matmul_spec *spec)
{
    bool shared = spec->constant != NULL;
    for (int32_t k = 0; k < spec->output.rank - 2; k++)
        shared &= spec->b.strides[k] == 0 || spec->output.dims[k] == 1;
    return shared;
}

static rf_direct_spec describe(const rf_matmul_spec *spec)
{
    const int32_t axes = spec->output.rank - 1;
    rf_direct_spec direct = {
        .axes = axes, .channels = spec->a.dims[axes], .outputs = spec->output.dims[axes],
        .input_channel = spec->a.strides[axes], .weight_channel = spec->b.strides[axes - 1],
        .weight_output = spec->b.strides[axes],
        .unpacked = {.weights = spec->constant, .bias = spec->bias}, .scale = spec->scale,
        .alpha = (double)spec->alpha, .epilogue = spec->epilogue,
    };
    for (int32_t k = 0; k < axes; k++) {
        rf_direct_axis *to = &direct.axis[k];
        to->window = (rf_window){spec->output.dims[k], spec->output.dims[k], 1, 1, 1, 0, 0};
        to->input = spec->a.strides[k];
        to->output = spec->output.strides[k];
        to->residual = spec->epilogue.residual ? spec->residual.strides[k] : 0;
    }
    return direct;
}

static bool is_supported(const rf_matmul_spec *spec)
{
    const int32_t last = spec->output.rank - 1;
    if (last < 1 || spec->a.rank != last + 1 || spec->b.rank != last + 1)
        return false;
    if (spec->output.dims[last] == 1)
        return true;
    return spec->output.strides[last] == 1 && (!spec->epilogue.residual || spec->residual.strides[last] == 1);
}

static bool is_empty(const rf_matmul_spec *spec)
{
    bool empty = false;
    for (int32_t k = 0; k < spec->output.rank; k++)
        empty |= spec->output.dims[k] == 0;
    return empty;
}

static void run_nothing(const void *plan, const rf_kernel_call *call)
{
    (void)plan;
    (void)call;
}

bool RF_ISA_NAME(rf_make_matmul)(const rf_matmul_spec *spec, rf_arena *arena, rf_work *work)
{
    if (!is_supported(spec))
        return false;
    if (is_empty(spec)) {
        *work = (rf_work){.algorithm = "nothing", .run = run_nothing, .grain = 1};
        return true;
    }
    if (is_shared_constant(spec)) {
        const rf_direct_spec direct = describe(spec);
        if (spec->bfloat16 && RF_ISA_NAME(rf_make_bf16)(&direct, arena, work))
            return true;
        if (RF_ISA_NAME(rf_make_direct)(&direct, arena, work))
            return true;
    }
    return RF_ISA_NAME(rf_make_dynamic_matmul)(spec, arena, work);
}
