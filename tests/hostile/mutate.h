/* SPDX-License-Identifier: MIT */
/* A copy of a network that can be spoilt: extents, types, attributes, elements, who reads what. */
#ifndef RF_TESTS_MUTATE_H
#define RF_TESTS_MUTATE_H

#include <rfield/rfield.h>

enum { MUTANT_TENSORS = 128, MUTANT_LAYERS = 32, MUTANT_SLOTS = 12, MUTANT_INTS = 16, MUTANT_BLOCKS = 256 };

typedef struct mutant {
    rf_network network;
    rf_tensor inputs[MUTANT_TENSORS], outputs[MUTANT_TENSORS], constants[MUTANT_TENSORS];
    rf_layer layers[MUTANT_LAYERS];
    const char *read[MUTANT_LAYERS][MUTANT_SLOTS];
    rf_attribute attributes[MUTANT_LAYERS][MUTANT_SLOTS];
    int64_t ints[MUTANT_LAYERS][MUTANT_SLOTS][MUTANT_INTS];
    void *blocks[MUTANT_BLOCKS]; /* elements of constants */
    size_t block_count;
} mutant;

/* False for a network that is too large. `network` must outlive the mutant. */
bool mutant_make(mutant *copy, const rf_network *network);
void mutant_free(mutant *copy);

/* One change, of random numbers that attack_below() gives. */
void mutate(mutant *copy);

#endif
