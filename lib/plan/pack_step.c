/* SPDX-License-Identifier: MIT */
/*
 * Weights that are known only in a run: a step of their own prepares them for
 * the step that multiplies by them, in memory of the arena.
 */
#include "plan/plan.h"

/* Operands: the weights, the bias where there is one, and what they become. */
typedef struct packer {
    rf_work work; /* that multiplies by them */
    bool bias;
} packer;

static void run(const void *plan, const rf_kernel_call *call)
{
    const packer *it = plan;
    const rf_unpacked from = {.weights = call->data[0], .bias = it->bias ? call->data[1] : NULL};
    void *to = call->data[it->bias ? 2 : 1];
    if (!it->work.packing_parts)
        it->work.pack(it->work.plan, &from, to);
    for (size_t part = call->begin; it->work.packing_parts && part < call->end; part++)
        it->work.pack_part(it->work.plan, &from, to, part);
}

bool rf_plan_is_packed_in_run(const rf_work *work)
{
    return work->packed_bytes && !work->unpacked.weights;
}

static rf_status take_packed(rf_plan *plan, const rf_work *work, rf_slot *packed)
{
    uint64_t floats = (work->packed_bytes + sizeof(float) - 1) / sizeof(float);
    const rf_strided form = {.rank = 1, .dims = {(int64_t)floats}, .strides = {1}};
    return rf_plan_temporary(plan, RF_FLOAT32, &form, packed);
}

/* About how many operations a number takes. */
enum { OPERATIONS = 4 };

rf_status rf_plan_add_packing(rf_plan *plan, const rf_job *job, const rf_work *work, rf_slot *packed)
{
    const rf_value *bias = job->input_count > 2 ? job->inputs[2] : NULL;
    rf_slot slots[3];
    packer *made = RF_TAKE(plan->arena, packer, 1);
    if (!made)
        return rf_plan_no_memory(plan);
    *made = (packer){.work = *work, .bias = bias != NULL};
    RF_TRY(rf_plan_dense_slot(plan, job, job->inputs[1], &slots[0]));
    if (bias)
        RF_TRY(rf_plan_dense_slot(plan, job, bias, &slots[1]));
    RF_TRY(take_packed(plan, work, packed));
    slots[bias ? 2 : 1] = *packed;
    rf_work packing = {
        .algorithm = "weights packed", .plan = made, .run = run, .grain = 1,
        .units = work->packing_parts ? work->packing_parts : 1,
        .operations = OPERATIONS * work->packed_bytes / sizeof(float),
    };
    return rf_plan_add_silent_step(plan, job, &packing, slots, bias ? 3 : 2);
}
