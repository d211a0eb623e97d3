/* SPDX-License-Identifier: MIT */
#include "effective_answer.h"

#include "field_lines.h"
#include "report/number_text.h"

static void put_theory(rf_text *text, const effective_answer *answer)
{
    const rf_field_at_result *result = &answer->theory.result;
    field_put_label(text, "theory");
    for (int32_t k = 0; k < result->axis_count; k++) {
        rf_text_format(text, "%s ", field_axis_name(k, result->axis_count));
        field_put_range(text, &result->axes[k]);
        rf_text_str(text, ", ");
    }
    rf_text_format(text, "side %.4g\n", answer->field->theoretical_side);
}

static void put_axis(rf_text *text, const rf_effective_field *field, int32_t axis)
{
    field_put_label(text, field_axis_name(axis, field->axis_count));
    field_put_range(text, &field->box[axis]);
    rf_text_format(text, ", centre %.4g, sigma %.4g\n", field->centre[axis], field->sigma[axis]);
}

int print_effective_text(const effective_answer *answer, output_file *output)
{
    const rf_effective_field *field = answer->field;
    rf_text text;
    rf_text_init(&text, output_write, output);
    field_put_question(&text, &answer->theory);
    put_theory(&text, answer);
    field_put_label(&text, "effective");
    rf_text_format(&text, "%s positions of %.4g %% of the largest and more, side %.4g\n",
                   rf_number_grouped(field->pixels).text, 100 * (1 - RF_EFFECTIVE_SHARE), field->side);
    for (int32_t k = 0; k < field->axis_count; k++)
        put_axis(&text, field, k);
    field_put_label(&text, "ratio");
    rf_text_format(&text, "%.4g, of %zu sample%s\n", field->ratio, answer->samples, answer->samples == 1 ? "" : "s");
    rf_text_finish(&text);
    return DONE;
}
