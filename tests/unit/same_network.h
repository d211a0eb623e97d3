/* SPDX-License-Identifier: MIT */
/* Whether two descriptions say the same, and compute the same. */
#ifndef RF_TESTS_SAME_NETWORK_H
#define RF_TESTS_SAME_NETWORK_H

#include <rfield/rfield.h>

/* Each fails the test where they differ. `b` is a file's: it has names where `a` may have none. */
void assert_same_tensors(const rf_tensor *a, const rf_tensor *b, size_t count);
void assert_same_layer(const rf_layer *a, const rf_layer *b);
void assert_same_network(const rf_network *a, const rf_network *b);
void assert_same_analysis(const rf_network *a, const rf_network *b);
void assert_same_bits(const rf_network *a, const rf_network *b);

#endif
