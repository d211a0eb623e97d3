/* SPDX-License-Identifier: MIT */
#include "gradients_answer.h"

#include <math.h>

#include "report/json_name.h"

/* What JSON has no number for is null. */
static json_t *number_of(double number)
{
    return isfinite(number) ? json_real(number) : json_null();
}

static json_t *name_or_null(const char *name)
{
    return name ? rf_json_name(name) : json_null();
}

static bool set_numbers(json_t *object, const char *const *keys, const double *numbers, size_t count)
{
    bool ok = object != NULL;
    for (size_t i = 0; i < count && ok; i++)
        ok = json_object_set_new(object, keys[i], number_of(numbers[i])) == 0;
    return ok;
}

static json_t *if_complete(json_t *value, bool complete)
{
    if (complete)
        return value;
    json_decref(value);
    return NULL;
}

static json_t *layer_of(const rf_layer_gradient *layer)
{
    static const char *const keys[] = {
        "weight_norm", "weight_rms", "bias_norm", "bias_rms", "delta_norm", "delta_rms", "saturated", "mean_slope",
        "rms_slope", "most_slope", "steepest", "spectral", "gain", "ratio", "weight_ratio", "factor", "bound"};
    const double numbers[] = {
        layer->weight_norm, layer->weight_rms, layer->bias_norm, layer->bias_rms, layer->delta_norm, layer->delta_rms,
        layer->saturated, layer->mean_slope, layer->rms_slope, layer->most_slope, layer->steepest, layer->spectral,
        layer->gain, layer->ratio, layer->weight_ratio, layer->factor, layer->bound};
    json_t *object = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "layer", rf_json_name(layer->name), "operator",
                               rf_json_name(layer->type), "weight", rf_json_name(layer->weight), "bias",
                               name_or_null(layer->bias), "activation", name_or_null(layer->activation),
                               "pre_activation", rf_json_name(layer->pre_activation));
    return if_complete(object, set_numbers(object, keys, numbers, sizeof numbers / sizeof *numbers));
}

static json_t *layers_of(const rf_gradient_report *report)
{
    json_t *array = json_array();
    bool ok = array != NULL;
    for (size_t i = 0; i < report->layer_count && ok; i++)
        ok = json_array_append_new(array, layer_of(&report->layers[i])) == 0;
    return if_complete(array, ok);
}

static json_t *answer_of(const gradients_answer *answer)
{
    static const char *const keys[] = {"loss", "ratio", "weights", "slopes", "saturated"};
    const rf_gradient_report *report = answer->report;
    const double numbers[] = {report->loss, report->ratio, report->weights, report->slopes, report->saturated};
    json_t *object = json_pack("{s:o, s:o, s:s, s:I, s:s, s:s}", "model", rf_json_name(answer->path), "output",
                               rf_json_name(report->output), "loss_function", answer->loss, "seed",
                               (json_int_t)answer->seed, "verdict", rf_gradient_verdict_name(report->verdict),
                               "reason", report->reason);
    bool ok = set_numbers(object, keys, numbers, sizeof numbers / sizeof *numbers)
              && json_object_set_new(object, "layers", layers_of(report)) == 0;
    return if_complete(object, ok);
}

static int take_dump(const char *bytes, size_t count, void *output)
{
    return output_write(output, bytes, count) ? 0 : -1;
}

int print_gradients_json(const gradients_answer *answer, output_file *output)
{
    json_t *object = answer_of(answer);
    if (!object)
        return complain(answer->path, "no memory for the answer");
    json_dump_callback(object, take_dump, output, JSON_ENSURE_ASCII | JSON_REAL_PRECISION(9));
    output_write(output, "\n", 1);
    json_decref(object);
    return DONE;
}
