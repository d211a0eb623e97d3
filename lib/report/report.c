/* SPDX-License-Identifier: MIT */
#include <rfield/report.h>

#include <string.h>

#include "report/report_parts.h"

typedef rf_status (*reporter)(rf_report_job *job);

static reporter reporter_of(rf_report_format format)
{
    static const reporter reporters[] = {
        [RF_REPORT_TABLE] = rf_report_table,
        [RF_REPORT_JSON] = rf_report_json,
        [RF_REPORT_CSV] = rf_report_csv,
        [RF_REPORT_MARKDOWN] = rf_report_markdown,
        [RF_REPORT_HTML] = rf_report_html,
    };
    size_t row = (size_t)format;
    return row < sizeof reporters / sizeof *reporters ? reporters[row] : NULL;
}

/* Counts the whole first, so that a name without a rule fails before anything is written. */
static rf_status choose_convention(rf_report_job *job, const char *name)
{
    size_t count;
    const rf_convention *all = rf_conventions(&count);
    RF_TRY(rf_convention_count(job->analysis, name, job->analysis->layer_count,
                               &job->convention_total, job->error));
    for (size_t i = 0; i < count; i++)
        if (strcmp(all[i].name, name) == 0)
            job->convention = &all[i];
    if (!job->convention)
        return rf_fail(job->error, RF_ERROR_NOT_FOUND, name, "no convention is called '%.60s'",
                       name);
    return RF_OK;
}

rf_status rf_report(const rf_analysis *analysis, const rf_report_options *options,
                    rf_write write, void *context, rf_error *error)
{
    if (!analysis || !options || !write)
        return rf_fail(error, RF_ERROR_ARGUMENT, NULL,
                       "rf_report: analysis, options and write are all needed");
    if (options->size < sizeof *options)
        return rf_fail(error, RF_ERROR_ARGUMENT, NULL,
                       "rf_report: options->size is %zu, expected %zu", options->size,
                       sizeof *options);
    reporter report = reporter_of(options->format);
    if (!report)
        return rf_fail(error, RF_ERROR_ARGUMENT, NULL, "rf_report: %d is not a format",
                       (int)options->format);
    rf_report_job job = {.analysis = analysis, .error = error};
    rf_text_init(&job.text, write, context);
    if (options->convention)
        RF_TRY(choose_convention(&job, options->convention));
    RF_TRY(report(&job));
    if (!rf_text_finish(&job.text))
        return rf_fail(error, RF_ERROR_IO, NULL, "the report could not be written in full");
    return RF_OK;
}
