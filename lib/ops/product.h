/* SPDX-License-Identifier: MIT */
/*
 * The reference of matrix products: a few rows at a time, so that what is read
 * of the second factor serves several of them. Terms are added in their order.
 */
#ifndef RF_OPS_PRODUCT_H
#define RF_OPS_PRODUCT_H

#include "ops/op.h"

/* Rows summed side by side. */
enum { RF_PRODUCT_ROWS = 4 };

/* Zero points: one number, or one for each row or column; NULL for none. */
typedef struct rf_product {
    const rf_value *a, *b;
    uint64_t a_at, b_at;       /* their first elements */
    uint64_t a_row, a_term, b_term, b_column; /* steps */
    uint64_t rows, terms, columns;
    const rf_value *a_zero, *b_zero; /* heeded by rf_product_floats alone */
} rf_product;

bool rf_product_scratch(uint64_t terms, uint64_t columns, uint64_t *bytes);

/* Sums of rows row .. row + count - 1, at most RF_PRODUCT_ROWS, each of `columns`; they lie at the
 * start of the scratch. Integers wrap around. */
double *rf_product_floats(const rf_product *product, uint64_t row, uint64_t count, void *scratch, rf_counts *tally);
int64_t *rf_product_ints(const rf_product *product, uint64_t row, uint64_t count, void *scratch, rf_counts *tally);

/* Writes all rows to `output` from element `at` on, as its type says. */
void rf_product_write(const rf_product *product, const rf_value *output, uint64_t at, void *scratch,
                      rf_counts *tally);

#endif
