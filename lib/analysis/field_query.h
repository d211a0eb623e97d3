/* SPDX-License-Identifier: MIT */
/* Which elements a question about a field is about, for those who ask it by other means. */
#ifndef RF_ANALYSIS_FIELD_QUERY_H
#define RF_ANALYSIS_FIELD_QUERY_H

#include <rfield/analysis.h>

#include "analysis/field_walk.h"

/* The middle of the output's spatial axes; `query` may lack `at`. Fails where rf_field_at() does. */
rf_status rf_field_middle(const rf_analysis *analysis, const rf_field_query *query, int64_t at[RF_MAX_SPATIAL],
                          size_t *at_count, rf_error *error);

/* The elements of the output, a range for each of its axes, and the input's axes. */
rf_status rf_field_select(const rf_analysis *analysis, const rf_field_query *query, rf_range at[RF_MAX_RANK],
                          const rf_input_axes **input, rf_error *error);

#endif
