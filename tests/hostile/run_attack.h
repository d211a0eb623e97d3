/* SPDX-License-Identifier: MIT */
/*
 * Runs a network that nobody should trust, as its plan makes it and by plain
 * loops, in bounded memory. Whatever the network, there is a typed error with
 * one line of text, or both come to the same.
 */
#ifndef RF_TESTS_RUN_ATTACK_H
#define RF_TESTS_RUN_ATTACK_H

#include <stdbool.h>

#include <rfield/rfield.h>

/* What elements an attack puts into the inputs. */
typedef enum attack_data {
    ATTACK_SMALL,   /* integers from -4 to 4, indices mostly in range */
    ATTACK_SPECIAL, /* NaN, infinities, zeros of both signs; any bytes for integers */
} attack_data;

enum { ATTACK_MEMORY = 128 << 20 };

/* The status of the first of compiling, making a session and running that failed, by the fast plan; RF_OK where
 * none did, or where running would take too long to be tried. Fails the test where anything is wrong. */
rf_status attack(const rf_network *network, attack_data data);

/* Random numbers for attacks: 0 to count - 1. */
void attack_seed(uint64_t seed);
int64_t attack_below(int64_t count);

/* Bytes of an element; 0 where it has none of its own. */
size_t attack_element_bytes(rf_dtype dtype);
/* False where there are more than an int64_t counts. */
bool attack_elements(const rf_shape *shape, uint64_t *count);
/* Fills in elements of a type. */
void attack_fill(void *to, rf_dtype dtype, size_t bytes, attack_data data);

#endif
