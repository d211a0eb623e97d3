/* SPDX-License-Identifier: MIT */
#include "effective_answer.h"

#include "field_members.h"
#include "report/json_name.h"

static json_t *numbers_of(const double *numbers, int32_t count)
{
    json_t *array = json_array();
    bool ok = array != NULL;
    for (int32_t i = 0; i < count && ok; i++)
        ok = json_array_append_new(array, json_real(numbers[i])) == 0;
    return member_if_complete(array, ok);
}

static json_t *theory_of(const effective_answer *answer)
{
    const rf_field_at_result *result = &answer->theory.result;
    json_t *object = json_object();
    bool ok = member_set_ranges(object, result->axes, result->axis_count)
              && member_set(object, "size", json_real(answer->field->theoretical_side));
    return member_if_complete(object, ok);
}

static json_t *effect_of(const rf_effective_field *field)
{
    json_t *object = json_object();
    bool ok = member_set(object, "pixels", json_integer((json_int_t)field->pixels))
              && member_set(object, "side", json_real(field->side))
              && member_set_ranges(object, field->box, field->axis_count)
              && member_set(object, "centre", numbers_of(field->centre, field->axis_count))
              && member_set(object, "sigma", numbers_of(field->sigma, field->axis_count));
    return member_if_complete(object, ok);
}

static json_t *answer_of(const effective_answer *answer)
{
    const rf_analysis *analysis = answer->theory.model->analysis;
    const rf_field_query *query = &answer->theory.query;
    json_t *object = json_object();
    bool ok = member_set(object, "layer", rf_json_name(analysis->layers[query->layer].name))
              && member_set(object, "at", member_indices(query))
              && member_set(object, "input", rf_json_name(analysis->inputs[query->input].name))
              && member_set(object, "samples", json_integer((json_int_t)answer->samples))
              && member_set(object, "theoretical", theory_of(answer))
              && member_set(object, "effective", effect_of(answer->field))
              && member_set(object, "ratio", json_real(answer->field->ratio));
    if (query->channel >= 0)
        ok = ok && member_set(object, "channel", json_integer(query->channel));
    return member_if_complete(object, ok);
}

int print_effective_json(const effective_answer *answer, output_file *output)
{
    return member_print(answer_of(answer), answer->theory.model->path, output);
}
