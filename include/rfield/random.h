/* SPDX-License-Identifier: MIT */
/**
 * @file
 * Random numbers that are the same on every machine.
 *
 * xoshiro256** (Blackman and Vigna, "Scrambled Linear Pseudorandom Number Generators", 2021), its state
 * filled by SplitMix64 from a seed. Normal numbers come from Marsaglia's polar method, with a logarithm
 * that uses only operations which IEEE 754 rounds exactly, so that they don't depend on a mathematics library.
 * Not for secrets.
 */
#ifndef RFIELD_RANDOM_H
#define RFIELD_RANDOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rfield/visibility.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A stream of random numbers. One thread at a time may use it; a copy continues alike. */
typedef struct rf_random {
    uint64_t state[4]; /**< never all zero */
    double spare;      /**< the second of a pair of normal numbers */
    bool has_spare;    /**< whether `spare` is yet to be given out */
} rf_random;

/** The stream of a seed. */
RF_API rf_random rf_random_make(uint64_t seed);

/** A stream of its own for `name` (NULL is "") under a seed, whichever other streams are used. */
RF_API rf_random rf_random_named(uint64_t seed, const char *name);

/** 64 random bits. */
RF_API uint64_t rf_random_bits(rf_random *random);

/** A whole number from 0 to `bound - 1`, each as likely; 0 for a bound of 0. */
RF_API uint64_t rf_random_below(rf_random *random, uint64_t bound);

/** A multiple of 2^-53 in [0, 1), each as likely. */
RF_API double rf_random_uniform(rf_random *random);

/** Normal, with mean 0 and deviation 1. */
RF_API double rf_random_normal(rf_random *random);

/** Puts `count` numbers into a random order, each as likely as the generator allows. */
RF_API void rf_random_shuffle(rf_random *random, size_t *numbers, size_t count);

#ifdef __cplusplus
}
#endif
#endif
