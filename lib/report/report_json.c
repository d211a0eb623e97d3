/* SPDX-License-Identifier: MIT */
/*
 * The report for machines. Each layer is built, written and dropped, so that
 * memory does not grow with the network; keys are those of docs/json.md.
 */
#include "report/report_parts.h"

#include "report/json_name.h"

/* Takes `value` over; false where it or the object lacks memory. */
static bool set(json_t *object, const char *key, json_t *value)
{
    return json_object_set_new_nocheck(object, key, value) == 0;
}

static bool set_count(json_t *object, const char *key, uint64_t count)
{
    return set(object, key, json_integer((json_int_t)count));
}

/* Takes an object or array over and gives it back, or drops it and gives NULL. */
static json_t *if_complete(json_t *value, bool complete)
{
    if (complete)
        return value;
    json_decref(value);
    return NULL;
}

static json_t *shape_of(const rf_shape *shape)
{
    json_t *array = json_array();
    bool ok = array != NULL;
    for (int32_t i = 0; i < shape->rank; i++)
        ok = ok && json_array_append_new(array, json_integer(shape->dims[i])) == 0;
    return if_complete(array, ok);
}

static json_t *tensor_of(const rf_tensor *tensor)
{
    json_t *object = json_object();
    bool ok = set(object, "name", rf_json_name(tensor->name))
              && set(object, "shape", shape_of(&tensor->shape));
    return if_complete(object, ok);
}

static json_t *tensors_of(const rf_tensor *tensors, size_t count)
{
    json_t *array = json_array();
    bool ok = array != NULL;
    for (size_t i = 0; i < count && ok; i++)
        ok = json_array_append_new(array, tensor_of(&tensors[i])) == 0;
    return if_complete(array, ok);
}

static json_t *names_of(const char *const *names, size_t count)
{
    json_t *array = json_array();
    bool ok = array != NULL;
    for (size_t i = 0; i < count && ok; i++)
        ok = json_array_append_new(array, rf_json_name(names[i])) == 0;
    return if_complete(array, ok);
}

static bool set_counts(json_t *object, const rf_counts *counts)
{
    bool ok = true;
    for (size_t i = 0; i < RF_COUNT_KINDS && ok; i++)
        ok = set_count(object, rf_count_kinds[i].key, rf_count_of(counts, &rf_count_kinds[i]));
    return ok;
}

static json_t *counts_of(const rf_counts *counts)
{
    json_t *object = json_object();
    return if_complete(object, object && set_counts(object, counts));
}

static json_t *affine_of(const rf_field_axis *axis)
{
    return json_pack("{s:s, s:I, s:I, s:I, s:I, s:I}", "kind", "affine", "stride",
                     (json_int_t)axis->stride, "u0", (json_int_t)axis->u0, "v0",
                     (json_int_t)axis->v0, "size", (json_int_t)axis->size, "padding",
                     (json_int_t)axis->padding);
}

static json_t *interval_of(const rf_field_axis *axis)
{
    return json_pack("{s:s, s:I, s:I, s:I, s:I}", "kind", "interval", "size_min",
                     (json_int_t)axis->size_min, "size_max", (json_int_t)axis->size_max, "first",
                     (json_int_t)axis->u0, "last", (json_int_t)axis->v0);
}

static json_t *whole_of(const rf_field_axis *axis)
{
    return json_pack("{s:s, s:I}", "kind", "whole", "size", (json_int_t)axis->size);
}

static json_t *axis_of(const rf_field_axis *axis)
{
    static json_t *(*const makers[])(const rf_field_axis *) = {
        [RF_AXIS_AFFINE] = affine_of, [RF_AXIS_INTERVAL] = interval_of, [RF_AXIS_WHOLE] = whole_of};
    json_t *object = makers[axis->kind](axis);
    bool ok = object && set(object, "output_axis", json_integer(axis->output_axis));
    if (axis->kind == RF_AXIS_AFFINE && axis->support < axis->size)
        ok = ok && set(object, "support", json_integer(axis->support));
    if (axis->full_context > 0)
        ok = ok && set(object, "full_context", json_integer(axis->full_context));
    return if_complete(object, ok);
}

static json_t *field_of(const rf_analysis *analysis, const rf_field *field)
{
    json_t *object = json_object();
    json_t *axes = json_array();
    bool ok = axes != NULL;
    for (int32_t i = 0; i < field->axis_count && ok; i++)
        ok = json_array_append_new(axes, axis_of(&field->axes[i])) == 0;
    ok = ok && set(object, "input", rf_json_name(analysis->inputs[field->input].name))
         && set(object, "aligned", json_boolean(field->aligned))
         && set(object, "axes", json_incref(axes));
    json_decref(axes);
    return if_complete(object, ok);
}

static json_t *fields_of(const rf_analysis *analysis, const rf_layer_analysis *layer)
{
    json_t *array = json_array();
    bool ok = array != NULL;
    for (size_t i = 0; i < layer->field_count && ok; i++)
        ok = json_array_append_new(array, field_of(analysis, &layer->fields[i])) == 0;
    return if_complete(array, ok);
}

static json_t *first_output_of(const rf_layer_analysis *layer)
{
    return layer->output_count ? tensor_of(&layer->outputs[0]) : json_null();
}

static bool set_flags(json_t *object, const rf_layer_analysis *layer)
{
    return set(object, "folded", json_boolean(layer->folded))
           && set(object, "uncounted", json_boolean(layer->uncounted))
           && set(object, "unproductive", json_boolean(layer->unproductive));
}

static bool set_sizes(json_t *object, const rf_layer_analysis *layer)
{
    return set_count(object, "statistics", layer->statistics)
           && set_count(object, "weight_bytes", layer->weight_bytes)
           && set_count(object, "activation_bytes", layer->activation_bytes)
           && set_count(object, "moved_bytes", layer->moved_bytes)
           && set(object, "intensity", json_real(rf_layer_intensity(layer)));
}

static json_t *layer_of(const rf_analysis *analysis, const rf_layer_analysis *layer)
{
    json_t *object = json_object();
    bool ok = set(object, "name", rf_json_name(layer->name))
              && set(object, "operator", rf_json_name(layer->type))
              && set(object, "inputs", names_of(layer->inputs, layer->input_count))
              && set(object, "output", first_output_of(layer));
    if (layer->output_count > 1)
        ok = ok && set(object, "outputs", tensors_of(layer->outputs, layer->output_count));
    ok = ok && set_count(object, "parameters", layer->parameters)
         && set_counts(object, &layer->dense) && set(object, "valid", counts_of(&layer->valid))
         && set_sizes(object, layer) && set_flags(object, layer)
         && set(object, "fields", fields_of(analysis, layer));
    return if_complete(object, ok);
}

static json_t *totals_of(const rf_analysis *a)
{
    json_t *object = json_object();
    bool ok = object && set_count(object, "parameters", a->parameters)
              && set_counts(object, &a->dense) && set(object, "valid", counts_of(&a->valid))
              && set_count(object, "statistics", a->statistics)
              && set_count(object, "weight_bytes", a->weight_bytes)
              && set_count(object, "activation_bytes", a->activation_bytes)
              && set_count(object, "peak_activation_bytes", a->peak_activation_bytes)
              && set(object, "uncounted", names_of(a->uncounted, a->uncounted_count));
    if (a->border_layer < a->layer_count)
        ok = ok && set(object, "border_layer", rf_json_name(a->layers[a->border_layer].name));
    return if_complete(object, ok);
}

static json_t *network_of(const rf_analysis *a)
{
    json_t *object = json_object();
    bool ok = set(object, "name", rf_json_name(a->name))
              && set(object, "inputs", tensors_of(a->inputs, a->input_count))
              && set(object, "outputs", tensors_of(a->outputs, a->output_count));
    return if_complete(object, ok);
}

static json_t *convention_of(const rf_report_job *job)
{
    json_t *object = json_object();
    bool ok = set(object, "name", rf_json_name(job->convention->name))
              && set(object, "quantity", rf_json_name(job->convention->quantity))
              && set_count(object, "total", job->convention_total);
    return if_complete(object, ok);
}

static int take_dump(const char *bytes, size_t count, void *text)
{
    rf_text_put(text, bytes, count);
    return 0;
}

/* Other characters are escaped, since some of them steer terminals and turn text around. */
static const size_t dump_flags = JSON_ENCODE_ANY | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(6);

/* Writes an object with one member a line; takes it over. */
static rf_status put_object(rf_report_job *job, json_t *object, size_t indent)
{
    const char *key;
    json_t *value;
    const char *separator = "";
    bool ok = object != NULL;
    rf_text_str(&job->text, "{");
    json_object_foreach(object, key, value) {
        rf_text_format(&job->text, "%s\n%*s\"%s\": ", separator, (int)indent + 2, "", key);
        ok = ok && json_dump_callback(value, take_dump, &job->text, dump_flags) == 0;
        separator = ",";
    }
    rf_text_format(&job->text, "\n%*s}", (int)indent, "");
    json_decref(object);
    return ok ? RF_OK
              : rf_fail(job->error, RF_ERROR_MEMORY, NULL, "no memory for a part of the report");
}

static rf_status put_layer(rf_report_job *job, size_t i)
{
    json_t *object = layer_of(job->analysis, &job->analysis->layers[i]);
    if (object && job->convention) {
        uint64_t count = 0;
        rf_status status = rf_report_convention(job, i, &count);
        if (status != RF_OK) {
            json_decref(object);
            return status;
        }
        object = if_complete(object, set_count(object, "convention_count", count));
    }
    rf_text_str(&job->text, i ? ",\n    " : "\n    ");
    return put_object(job, object, 4);
}

static uint64_t largest(const rf_counts *counts, uint64_t so_far)
{
    for (size_t i = 0; i < RF_COUNT_KINDS; i++) {
        uint64_t count = rf_count_of(counts, &rf_count_kinds[i]);
        so_far = count > so_far ? count : so_far;
    }
    return so_far;
}

static uint64_t largest_of_layer(const rf_layer_analysis *layer)
{
    const uint64_t sizes[] = {layer->parameters, layer->statistics, layer->weight_bytes,
                              layer->activation_bytes, layer->moved_bytes};
    uint64_t most = largest(&layer->valid, largest(&layer->dense, 0));
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        most = sizes[i] > most ? sizes[i] : most;
    return most;
}

/* Refuses before the first byte what JSON's integers (Jansson's are 64 bits, signed) can't hold. */
static rf_status check_range(const rf_report_job *job)
{
    const rf_analysis *a = job->analysis;
    const rf_layer_analysis totals = {
        .name = "the totals", .parameters = a->parameters, .statistics = a->statistics,
        .weight_bytes = a->weight_bytes, .activation_bytes = a->activation_bytes,
        .moved_bytes = a->peak_activation_bytes, .dense = a->dense, .valid = a->valid};
    const char *where = largest_of_layer(&totals) > INT64_MAX ? totals.name : NULL;
    if (job->convention_total > INT64_MAX)
        where = job->convention->name;
    for (size_t i = 0; i < a->layer_count && !where; i++)
        if (largest_of_layer(&a->layers[i]) > INT64_MAX)
            where = rf_name_or_empty(a->layers[i].name);
    if (where)
        return rf_fail(job->error, RF_ERROR_OVERFLOW, where,
                       "a count of '%.80s' is above 2^63 - 1, the most that the JSON report holds",
                       where);
    return RF_OK;
}

rf_status rf_report_json(rf_report_job *job)
{
    RF_TRY(check_range(job));
    rf_text_format(&job->text, "{\n  \"rfield\": \"%s\",\n  \"network\": ", rf_version());
    RF_TRY(put_object(job, network_of(job->analysis), 2));
    if (job->convention) {
        rf_text_str(&job->text, ",\n  \"convention\": ");
        RF_TRY(put_object(job, convention_of(job), 2));
    }
    rf_text_str(&job->text, ",\n  \"totals\": ");
    RF_TRY(put_object(job, totals_of(job->analysis), 2));
    rf_text_str(&job->text, ",\n  \"layers\": [");
    for (size_t i = 0; i < job->analysis->layer_count; i++)
        RF_TRY(put_layer(job, i));
    rf_text_str(&job->text, job->analysis->layer_count ? "\n  ]\n}\n" : "]\n}\n");
    return RF_OK;
}
