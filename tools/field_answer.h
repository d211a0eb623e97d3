/* SPDX-License-Identifier: MIT */
/* What `rfield field` found, and the forms it is printed in. */
#ifndef RFIELD_TOOLS_FIELD_ANSWER_H
#define RFIELD_TOOLS_FIELD_ANSWER_H

#include "open_model.h"
#include "output_file.h"

typedef struct field_answer {
    const open_model *model;
    rf_field_query query;
    rf_field_at_result result;
    const rf_field_map *map; /* NULL unless asked for */
} field_answer;

/* "columns"; "rows", "columns"; or "depth", "rows", "columns". */
const char *field_axis_name(int32_t axis, int32_t axis_count);

/* Each writes to output->file, whose failures output_finish tells. An exit code. */
int print_field_text(const field_answer *answer, output_file *output);
int print_field_json(const field_answer *answer, output_file *output);

/* Reads a picture, draws the field's clipped rectangle on it and writes a PNG. An exit code. */
int draw_field(const field_answer *answer, const char *picture, const char *png);

#endif
