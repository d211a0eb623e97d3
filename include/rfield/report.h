/* SPDX-License-Identifier: MIT */
/**
 * @file
 * An analysis as text: table, JSON, CSV, Markdown, HTML.
 */
#ifndef RFIELD_REPORT_H
#define RFIELD_REPORT_H

#include <rfield/analysis.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Takes `bytes` bytes of a report; false stops the writing with RF_ERROR_IO. */
typedef bool (*rf_write)(void *context, const char *text, size_t bytes);

/** The forms of a report. */
typedef enum rf_report_format {
    RF_REPORT_TABLE,    /**< for a terminal of 100 columns */
    RF_REPORT_JSON,     /**< docs/json.md, "The report" */
    RF_REPORT_CSV,      /**< RFC 4180, one line a layer, a header first */
    RF_REPORT_MARKDOWN, /**< a table in GitHub's dialect */
    RF_REPORT_HTML      /**< one page without links to anything */
} rf_report_format;

/** How to report. */
typedef struct rf_report_options {
    size_t size;            /**< sizeof(rf_report_options) */
    rf_report_format format; /**< RF_REPORT_TABLE where it is 0 */
    const char *convention; /**< NULL, or a convention whose count is added as a column */
} rf_report_options;

/** Writes a report in UTF-8. Names from the network are escaped as the format needs. */
RF_API rf_status rf_report(const rf_analysis *analysis, const rf_report_options *options,
                           rf_write write, void *context, rf_error *error);

#ifdef __cplusplus
}
#endif
#endif
