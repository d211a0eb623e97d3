/* SPDX-License-Identifier: MIT */
/* A tensor's elements as numbers for people and for other programs. */
#ifndef RFIELD_TOOLS_ELEMENT_TEXT_H
#define RFIELD_TOOLS_ELEMENT_TEXT_H

#include "ops/op.h"
#include "report/text_writer.h"

/* Whether elements of this type have a text: integers, booleans and floats of 16 bits and more. */
bool has_element_text(rf_dtype dtype);

/* Enough digits that the element can be had back. */
void write_element(rf_text *text, const rf_tensor *tensor, size_t i);

double element_as_double(const rf_tensor *tensor, size_t i);

size_t element_count(const rf_tensor *tensor);

/* All elements, the innermost axis a line, each line after `indent`. */
void write_elements(rf_text *text, const rf_tensor *tensor, const char *indent);

#endif
