/* SPDX-License-Identifier: MIT */
/*
 * Sums of products of 8-bit integers: the numbers that their kernel takes, made of
 * the scales and zero points that the network states.
 */
#include <math.h>
#include <string.h>

#include "ops/requantize.h"
#include "plan/plan.h"

enum { MOST_OPERANDS = 3 };

typedef struct attempt {
    rf_plan *plan;
    const rf_job *job;
    const rf_integer_sum *sum;
    rf_integer_sum_spec spec;
    rf_slot slots[MOST_OPERANDS]; /* data, output, the data's zero point where it is not known */
    uint32_t count;
    rf_work work;
} attempt;

static bool is_known(const rf_value *value)
{
    return !value || value->data;
}

bool rf_plan_knows_integer_sum(const rf_integer_sum *sum)
{
    return sum->weight->data && is_known(sum->weight_zero) && is_known(sum->bias) && is_known(sum->data_scale)
        && is_known(sum->weight_scale) && is_known(sum->output_scale) && is_known(sum->output_zero)
        && (is_known(sum->data_zero) || !sum->output_scale);
}

/* ---- Numbers ------------------------------------------------------------------------------ */

static int64_t channels_of(const attempt *it)
{
    return it->job->output->shape.dims[it->sum->axes ? 1 : it->job->output->shape.rank - 1];
}

/* One integer for each channel; NULL where there are none. */
static rf_status take_integers(const attempt *it, const rf_value *value, const int32_t **integers)
{
    const int64_t channels = channels_of(it);
    *integers = NULL;
    if (!value)
        return RF_OK;
    int32_t *made = RF_TAKE(it->plan->arena, int32_t, (size_t)channels);
    if (!made)
        return rf_plan_no_memory(it->plan);
    bool single = rf_elements(&value->shape) == 1;
    for (int64_t c = 0; c < channels; c++)
        made[c] = (int32_t)rf_value_int(value, single ? 0 : (uint64_t)c);
    *integers = made;
    return RF_OK;
}

/* Those of the type, and of the map as far as they reach. */
static void set_limits(attempt *it)
{
    const rf_map *map = &it->job->map;
    const double scale = rf_value_float(it->sum->output_scale, 0);
    const bool is_signed = it->job->output->dtype == RF_INT8;
    it->spec.output_zero = it->sum->output_zero ? (int32_t)rf_value_int(it->sum->output_zero, 0) : 0;
    const double least = (is_signed ? -128 : 0) - it->spec.output_zero;
    const double most = (is_signed ? 127 : 255) - it->spec.output_zero;
    double low = map->function == RF_MAP_RELU ? 0 : least, high = most;
    if (map->function == RF_MAP_CLIP) {
        low = (double)map->a / scale;
        high = (double)map->b / scale;
    }
    it->spec.low = fmin(fmax(low, least), most);
    it->spec.high = fmin(fmax(high, least), most);
}

static rf_status take_shifts(attempt *it, bool *finite)
{
    const rf_integer_sum *sum = it->sum;
    const int64_t channels = channels_of(it);
    double *shift = RF_TAKE(it->plan->arena, double, (size_t)channels);
    if (!shift)
        return rf_plan_no_memory(it->plan);
    for (int64_t c = 0; c < channels; c++) {
        shift[c] = sum->added_factor * rf_requantize_number(sum->added, (uint64_t)c)
            / rf_value_float(sum->output_scale, 0);
        *finite &= isfinite(shift[c]) != 0;
    }
    it->spec.shift = shift;
    return RF_OK;
}

/* Factors that are no finite numbers are left to the reference. */
static rf_status take_scales(attempt *it, bool *finite)
{
    const rf_integer_sum *sum = it->sum;
    const int64_t channels = channels_of(it);
    double *scale = RF_TAKE(it->plan->arena, double, (size_t)channels);
    if (!scale)
        return rf_plan_no_memory(it->plan);
    for (int64_t c = 0; c < channels; c++) {
        scale[c] = rf_requantize_factor(sum->data_scale, sum->weight_scale, sum->output_scale, (uint64_t)c);
        *finite &= isfinite(scale[c]) != 0;
    }
    it->spec.scale = scale;
    set_limits(it);
    return sum->added ? take_shifts(it, finite) : RF_OK;
}

static void set_weights(attempt *it)
{
    const rf_shape *shape = &it->sum->weight->shape;
    it->spec.weights = it->sum->weight->data;
    it->spec.weight_type = it->sum->weight->dtype;
    it->spec.weight_output = it->spec.weight_channel = 1;
    if (!it->sum->axes) {
        *(it->sum->weight_transposed ? &it->spec.weight_output : &it->spec.weight_channel) = shape->dims[1];
        return;
    }
    for (int32_t k = 2; k < shape->rank; k++)
        it->spec.weight_channel *= shape->dims[k];
    it->spec.weight_output = it->spec.weight_channel * shape->dims[1];
}

static rf_status prepare(attempt *it, bool *finite)
{
    const rf_integer_sum *sum = it->sum;
    const rf_value *zero = sum->data_zero;
    it->spec.axes = sum->axes;
    memcpy(it->spec.windows, sum->windows, sizeof it->spec.windows);
    it->spec.groups = sum->groups;
    it->spec.input_type = sum->data->dtype;
    it->spec.output_type = it->job->output->dtype;
    it->spec.input_zero_known = is_known(zero);
    it->spec.input_zero = zero && zero->data ? (int32_t)rf_value_int(zero, 0) : 0;
    set_weights(it);
    RF_TRY(take_integers(it, sum->weight_zero, &it->spec.weight_zero));
    RF_TRY(take_integers(it, sum->bias, &it->spec.bias));
    return sum->output_scale ? take_scales(it, finite) : RF_OK;
}

/* ---- Attempts ----------------------------------------------------------------------------- */

static bool try_kernel(attempt *it)
{
    it->spec.input = it->slots[0].form;
    it->spec.output = it->slots[1].form;
    if (!it->sum->axes
        && (!rf_strided_flatten_rows(&it->slots[0].form, &it->spec.input)
            || !rf_strided_flatten_rows(&it->slots[1].form, &it->spec.output)))
        return false;
    return it->plan->kernels->integer_sum(&it->spec, it->plan->arena, &it->work);
}

/* Prepared weights are known by the network's; zero points that were computed could make others of them. */
static rf_status add(attempt *it)
{
    const rf_integer_sum *sum = it->sum;
    bool known = !sum->weight_zero || sum->weight_zero->in_description;
    rf_value *inputs[] = {(rf_value *)sum->data, (rf_value *)(known ? sum->weight : sum->data)};
    rf_job prepared = *it->job;
    prepared.inputs = inputs;
    prepared.input_count = 2;
    return rf_plan_add_step(it->plan, &prepared, &it->work, it->slots, it->count);
}

static rf_strided plain_form(const attempt *it, uint32_t i)
{
    rf_shape shape = {.rank = it->slots[i].form.rank};
    memcpy(shape.dims, it->slots[i].form.dims, sizeof shape.dims);
    return rf_strided_dense(&shape, it->sum->axes ? RF_ORDER_CHANNELS : RF_ORDER_ROWS);
}

/* By way of copies without gaps; steps that this added in vain are taken back. */
static rf_status attempt_plain(attempt *it, bool *done)
{
    const size_t steps = it->plan->step_count;
    const rf_slot input = it->slots[0], output = it->slots[1];
    for (uint32_t i = 0; i < 2; i++) {
        rf_strided form = plain_form(it, i);
        if (!rf_strided_equal(&form, &it->slots[i].form))
            RF_TRY(rf_plan_temporary(it->plan, it->slots[i].dtype, &form, &it->slots[i]));
    }
    if (it->slots[0].buffer != input.buffer)
        RF_TRY(rf_plan_add_copy(it->plan, it->job, &input, &it->slots[0]));
    *done = try_kernel(it);
    if (!*done) {
        it->plan->step_count = steps;
        return RF_OK;
    }
    RF_TRY(add(it));
    if (it->slots[1].buffer == output.buffer)
        return RF_OK;
    return rf_plan_add_copy(it->plan, it->job, &it->slots[1], &output);
}

rf_status rf_plan_try_integer_sum(rf_plan *plan, const rf_job *job, bool *fits)
{
    attempt it = {.plan = plan, .job = job, .sum = &job->task.as.integer_sum};
    const rf_axis_order order = it.sum->axes ? RF_ORDER_CHANNELS : RF_ORDER_ROWS;
    bool finite = true;
    RF_TRY(prepare(&it, &finite));
    it.slots[0].form = rf_strided_dense(&it.sum->data->shape, order);
    it.slots[1].form = rf_strided_dense(&job->output->shape, order);
    *fits = finite && try_kernel(&it);
    return plan->arena->refused ? rf_plan_no_memory(plan) : RF_OK;
}

static rf_status take_slots(attempt *it)
{
    RF_TRY(rf_plan_slot(it->plan, it->sum->data, &it->slots[0]));
    RF_TRY(rf_plan_place(it->plan, it->job->output, it->sum->axes ? RF_ORDER_CHANNELS : RF_ORDER_ROWS,
                         &it->slots[1]));
    it->count = 2;
    if (!it->spec.input_zero_known)
        RF_TRY(rf_plan_slot(it->plan, it->sum->data_zero, &it->slots[it->count++]));
    return RF_OK;
}

rf_status rf_plan_emit_integer_sum(rf_plan *plan, const rf_job *job)
{
    attempt it = {.plan = plan, .job = job, .sum = &job->task.as.integer_sum};
    bool finite = true, done = false;
    RF_TRY(prepare(&it, &finite));
    RF_TRY(take_slots(&it));
    if (finite && try_kernel(&it))
        return add(&it);
    if (finite)
        RF_TRY(attempt_plain(&it, &done));
    if (plan->arena->refused)
        return rf_plan_no_memory(plan);
    if (done)
        return RF_OK;
    if (*job->fused)
        return rf_node_fail(job->node, RF_ERROR_UNSUPPORTED, "no kernel does it together with %s", job->fused);
    return rf_plan_add_reference(plan, job);
}
