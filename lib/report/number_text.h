/* SPDX-License-Identifier: MIT */
/* Numbers for people, whatever the locale. */
#ifndef RF_ANALYSIS_NUMBER_TEXT_H
#define RF_ANALYSIS_NUMBER_TEXT_H

#include <stdint.h>

typedef struct rf_number {
    char text[32];
} rf_number;

rf_number rf_number_plain(uint64_t number);   /* 25557032 */
rf_number rf_number_grouped(uint64_t number); /* 25,557,032 */
rf_number rf_number_si(uint64_t number);      /* 25.56 M: exact below 1000, else 4 digits */
rf_number rf_number_bytes(uint64_t bytes);    /* 97.49 MiB */

/* "3.4 %": the share that `part` is of `whole`. */
rf_number rf_number_percent(uint64_t part, uint64_t whole);

#endif
