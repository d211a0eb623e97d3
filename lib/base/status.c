/* SPDX-License-Identifier: MIT */
#include <rfield/status.h>

#include <stddef.h>

#include "base/version.h"

static const struct {
    const char *name, *text;
} statuses[] = {
#define STATUS_ROW(name, text) {"RF_" #name, text},
    RF_STATUS_MAP(STATUS_ROW)
#undef STATUS_ROW
};

static size_t row_of(rf_status status)
{
    size_t row = (size_t)status;
    return row < sizeof statuses / sizeof *statuses ? row : RF_ERROR_ARGUMENT;
}

const char *rf_status_name(rf_status status)
{
    return statuses[row_of(status)].name;
}

const char *rf_status_text(rf_status status)
{
    return statuses[row_of(status)].text;
}

const char *rf_version(void)
{
    return RF_VERSION;
}
