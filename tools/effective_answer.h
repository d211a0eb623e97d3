/* SPDX-License-Identifier: MIT */
/* What `rfield effective` found, and the forms it is printed in. */
#ifndef RFIELD_TOOLS_EFFECTIVE_ANSWER_H
#define RFIELD_TOOLS_EFFECTIVE_ANSWER_H

#include <rfield/effective_field.h>

#include "field_answer.h"

typedef struct effective_answer {
    field_answer theory; /* the same question; its map is there for a picture only */
    const rf_effective_field *field;
    size_t samples;
} effective_answer;

/* Each writes to output->file, whose failures output_finish tells. An exit code. */
int print_effective_text(const effective_answer *answer, output_file *output);
int print_effective_json(const effective_answer *answer, output_file *output);

/* Draws the effective field and, beside it, the numbers of paths, each on a scale from 0 to its largest, over the
 * picture in a file, which may be NULL, as a PNG. An exit code. */
int draw_effective(const effective_answer *answer, const char *picture, const char *png);

#endif
