/* SPDX-License-Identifier: MIT */
/* How library code reports a failure in one line. */
#ifndef RF_BASE_FAILURE_H
#define RF_BASE_FAILURE_H

#include <stdarg.h>

#include <rfield/status.h>

/*
 * Fills `error` (which may be NULL) with a printf-style message about
 * `subject` (which may be NULL) and returns `status`. Bytes that a terminal or
 * a log could misread are shown as '?'.
 */
__attribute__((format(printf, 4, 5)))
rf_status rf_fail(rf_error *error, rf_status status, const char *subject,
                  const char *format, ...);

__attribute__((format(printf, 4, 0)))
rf_status rf_vfail(rf_error *error, rf_status status, const char *subject,
                   const char *format, va_list arguments);

/* Returns from the enclosing function unless the call succeeded. */
#define RF_TRY(call)                         \
    do {                                     \
        rf_status rf_try_status = (call);    \
        if (rf_try_status != RF_OK)          \
            return rf_try_status;            \
    } while (0)

#endif
