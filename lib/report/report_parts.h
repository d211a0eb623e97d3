/* SPDX-License-Identifier: MIT */
/* What the forms of a report share. */
#ifndef RF_ANALYSIS_REPORT_PARTS_H
#define RF_ANALYSIS_REPORT_PARTS_H

#include "report/text_writer.h"
#include "base/failure.h"

typedef struct rf_report_job {
    const rf_analysis *analysis;
    const rf_convention *convention; /* NULL for none */
    uint64_t convention_total;
    rf_error *error;
    rf_text text;
} rf_report_job;

/* The forms. Failures to write are found afterwards, in job->text. */
rf_status rf_report_table(rf_report_job *job);
rf_status rf_report_json(rf_report_job *job);
rf_status rf_report_csv(rf_report_job *job);
rf_status rf_report_markdown(rf_report_job *job);
rf_status rf_report_html(rf_report_job *job);

/* One member of rf_counts: its key for machines, its name for people. */
typedef struct rf_count_kind {
    const char *key, *label;
    size_t offset;
    bool rare; /* left out of pages for people where zero */
} rf_count_kind;

enum { RF_COUNT_KINDS = 8 };
extern const rf_count_kind rf_count_kinds[RF_COUNT_KINDS];

uint64_t rf_count_of(const rf_counts *counts, const rf_count_kind *kind);

/* Operations per byte moved, every kind of operation counting one; 0 where nothing moves. */
double rf_layer_intensity(const rf_layer_analysis *layer);

/* "1x3x224x224", or "scalar". */
typedef struct rf_extents {
    char text[RF_MAX_RANK * 21 + 8];
} rf_extents;
rf_extents rf_extents_of(const rf_shape *shape);

/* The shape of the first output; "-" where there is none. */
rf_extents rf_output_extents(const rf_layer_analysis *layer);

/* A layer's field in short: "427 /32", "7x1 /2", "2-3", "whole", "-" for none; "*" after it where
 * paths are not aligned, "+1" where a second input is seen too. */
typedef struct rf_field_text {
    char text[320];
} rf_field_text;
rf_field_text rf_field_text_of(const rf_layer_analysis *layer);

/* "" for NULL, which a hand-made description may hold. */
const char *rf_name_or_empty(const char *name);

/* The count of `layer` (an index) under the job's convention. */
rf_status rf_report_convention(const rf_report_job *job, size_t layer, uint64_t *count);

size_t rf_folded_layers(const rf_analysis *analysis);

#endif
