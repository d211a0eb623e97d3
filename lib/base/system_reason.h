/* SPDX-License-Identifier: MIT */
/* Why the system refused something, in words that depend on neither locale nor thread. */
#ifndef RF_BASE_SYSTEM_REASON_H
#define RF_BASE_SYSTEM_REASON_H

/* The reason behind a value of errno about a file; never NULL. */
const char *rf_system_reason(int number);

#endif
