/* SPDX-License-Identifier: MIT */
/* Lines of text that answers about fields have in common. */
#ifndef RFIELD_TOOLS_FIELD_LINES_H
#define RFIELD_TOOLS_FIELD_LINES_H

#include "field_answer.h"
#include "report/text_writer.h"

/* What a line is about, in a column of its own. */
void field_put_label(rf_text *text, const char *label);

/* The layer, the output element and the input. */
void field_put_question(rf_text *text, const field_answer *answer);

/* "3 .. 9", or "nothing". */
void field_put_range(rf_text *text, const rf_range *range);

#endif
