/* SPDX-License-Identifier: MIT */
/* Stands in for report_json.c in a build without Jansson. */
#include "report/report_parts.h"

rf_status rf_report_json(rf_report_job *job)
{
    return rf_fail(job->error, RF_ERROR_UNSUPPORTED, "json",
                   "this rfield was built without JSON (the Meson option `json`)");
}
