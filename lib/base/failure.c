/* SPDX-License-Identifier: MIT */
#include "base/failure.h"

#include <stdio.h>

static void make_printable(char *text)
{
    for (unsigned char *c = (unsigned char *)text; *c; c++)
        if (*c < 0x20 || *c == 0x7f)
            *c = '?';
}

rf_status rf_vfail(rf_error *error, rf_status status, const char *subject,
                   const char *format, va_list arguments)
{
    if (!error)
        return status;
    error->status = status;
    snprintf(error->subject, sizeof error->subject, "%s", subject ? subject : "");
    vsnprintf(error->message, sizeof error->message, format, arguments);
    make_printable(error->subject);
    make_printable(error->message);
    return status;
}

rf_status rf_fail(rf_error *error, rf_status status, const char *subject,
                  const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    rf_vfail(error, status, subject, format, arguments);
    va_end(arguments);
    return status;
}
