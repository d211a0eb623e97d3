/* SPDX-License-Identifier: MIT */
/* Buffers, and where in them each tensor lies. */
#include <string.h>

#include "plan/plan.h"

/* Far beyond any memory, and small enough that sums and strides of such sizes cannot overflow. */
static const uint64_t most_bytes = UINT64_C(1) << 46;

rf_status rf_plan_add_buffer(rf_plan *plan, rf_home home, uint64_t bytes, uint32_t *buffer)
{
    uint64_t most = plan->graph->limits.memory_bytes < most_bytes ? plan->graph->limits.memory_bytes : most_bytes;
    if (bytes > most)
        return rf_fail(plan->error, RF_ERROR_LIMIT, "memory_bytes",
                       "a tensor of %llu bytes is larger than %llu, the most that limits.memory_bytes allows",
                       (unsigned long long)bytes, (unsigned long long)most);
    if (plan->buffer_count == plan->buffer_room) {
        size_t room = plan->buffer_room ? 2 * plan->buffer_room : 64;
        rf_buffer *grown = RF_TAKE(plan->arena, rf_buffer, room);
        if (!grown)
            return rf_plan_no_memory(plan);
        if (plan->buffer_count)
            memcpy(grown, plan->buffers, plan->buffer_count * sizeof *grown);
        plan->buffers = grown;
        plan->buffer_room = room;
    }
    *buffer = (uint32_t)plan->buffer_count++;
    plan->buffers[*buffer] = (rf_buffer){.home = home, .bytes = bytes, .first = UINT32_MAX};
    return RF_OK;
}

/* Networks are described as NCHW; a caller may hold images as NHWC. What has its real extents only after a
 * run is written by a reference and lies row by row. */
rf_strided rf_plan_outer_form(const rf_plan *plan, const rf_value *value)
{
    bool turned = plan->layout == RF_NHWC && value->dtype == RF_FLOAT32 && value->shape.rank == 4
        && !value->ragged;
    return rf_strided_dense(&value->shape, turned ? RF_ORDER_CHANNELS : RF_ORDER_ROWS);
}

void rf_plan_settle(rf_plan *plan, const rf_value *value, const rf_slot *slot)
{
    rf_plan_value *known = rf_plan_value_of(plan, value);
    known->slot = *slot;
    known->slot.dtype = value->dtype;
    known->placed = true;
    plan->buffers[slot->buffer].pending += known->readers;
}

/* Kernels read floats where floats may lie; a mapped file may have them anywhere. */
static rf_status aligned_data(rf_plan *plan, const rf_value *value, const void **data)
{
    *data = value->data;
    uint32_t bytes = rf_dtype_bits(value->dtype) / 8;
    if (!bytes || (uintptr_t)value->data % (bytes > 8 ? 8 : bytes) == 0)
        return RF_OK;
    void *copy = rf_arena_take(plan->arena, value->data_bytes, 1);
    if (!copy)
        return rf_plan_no_memory(plan);
    memcpy(copy, value->data, value->data_bytes);
    *data = copy;
    return RF_OK;
}

static rf_status place_constant(rf_plan *plan, const rf_value *value)
{
    rf_slot slot = {.form = rf_strided_dense(&value->shape, RF_ORDER_ROWS)};
    RF_TRY(rf_plan_add_buffer(plan, RF_HOME_CONSTANT, value->data_bytes, &slot.buffer));
    RF_TRY(aligned_data(plan, value, &plan->buffers[slot.buffer].constant));
    rf_plan_settle(plan, value, &slot);
    return RF_OK;
}

static rf_status place_input(rf_plan *plan, const rf_value *value)
{
    rf_slot slot = {.form = rf_plan_outer_form(plan, value)};
    RF_TRY(rf_plan_add_buffer(plan, RF_HOME_INPUT, value->bytes, &slot.buffer));
    plan->buffers[slot.buffer].index = (uint32_t)(value - plan->graph->values);
    rf_plan_settle(plan, value, &slot);
    return RF_OK;
}

rf_status rf_plan_slot(rf_plan *plan, const rf_value *value, rf_slot *slot)
{
    rf_plan_value *known = rf_plan_value_of(plan, value);
    if (!known->placed && value->data)
        RF_TRY(place_constant(plan, value));
    else if (!known->placed)
        RF_TRY(place_input(plan, value));
    *slot = known->slot;
    return RF_OK;
}

/* A network's output is written where the caller wants it, where that is how it would lie anyway. */
static bool goes_out(const rf_plan *plan, const rf_value *value, rf_axis_order order)
{
    if (rf_plan_value_of(plan, value)->output < 0)
        return false;
    rf_strided wanted = rf_plan_outer_form(plan, value), natural = rf_strided_dense(&value->shape, order);
    return rf_strided_equal(&wanted, &natural);
}

static rf_status place_alone(rf_plan *plan, const rf_value *value, rf_axis_order order, rf_slot *slot)
{
    bool out = goes_out(plan, value, order);
    *slot = (rf_slot){.form = rf_strided_dense(&value->shape, order)};
    RF_TRY(rf_plan_add_buffer(plan, out ? RF_HOME_OUTPUT : RF_HOME_ARENA, value->bytes, &slot->buffer));
    if (out)
        plan->buffers[slot->buffer].index = (uint32_t)rf_plan_value_of(plan, value)->output;
    return RF_OK;
}

rf_status rf_plan_place(rf_plan *plan, const rf_value *value, rf_axis_order order, rf_slot *slot)
{
    rf_plan_value *known = rf_plan_value_of(plan, value);
    if (known->placed) {
        *slot = known->slot;
        return RF_OK;
    }
    if (!known->host) {
        RF_TRY(place_alone(plan, value, order, slot));
    } else {
        RF_TRY(rf_plan_place(plan, known->host, order, slot));
        if (rf_elements(&known->host->shape))
            slot->start += known->host_at * slot->form.strides[known->host_axis];
        for (int32_t k = 0; k < value->shape.rank; k++)
            slot->form.dims[k] = value->shape.dims[k];
    }
    rf_plan_settle(plan, value, slot);
    *slot = known->slot;
    return RF_OK;
}

rf_status rf_plan_temporary(rf_plan *plan, rf_dtype dtype, const rf_strided *form, rf_slot *slot)
{
    *slot = (rf_slot){.form = *form, .dtype = dtype};
    uint64_t bytes = rf_strided_span(form) * (rf_dtype_bits(dtype) / 8);
    return rf_plan_add_buffer(plan, RF_HOME_ARENA, bytes, &slot->buffer);
}

void rf_plan_release(rf_plan *plan, const rf_value *value)
{
    const rf_plan_value *known = rf_plan_value_of(plan, value);
    if (known->placed && plan->buffers[known->slot.buffer].pending)
        plan->buffers[known->slot.buffer].pending--;
}
