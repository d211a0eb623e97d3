/* SPDX-License-Identifier: MIT */
/*
 * The equation of an Einsum, such as "bij,bjk->bik": which label every axis
 * has. An ellipsis stands for as many axes as an input has besides its labels;
 * these are labels too, counted from the last.
 */
#ifndef RF_OPS_EINSUM_EQUATION_H
#define RF_OPS_EINSUM_EQUATION_H

#include "ops/op.h"

/* A label is its place in A..Z, a..z, and then the axes of an ellipsis. */
enum { RF_EINSUM_LETTERS = 52, RF_EINSUM_LABELS = RF_EINSUM_LETTERS + RF_MAX_RANK };

/* The labels of one tensor's axes. */
typedef struct rf_einsum_term {
    int32_t rank;
    uint8_t labels[RF_MAX_RANK];
} rf_einsum_term;

typedef struct rf_einsum_equation {
    rf_einsum_term *inputs; /* one for each input of the node, in its arena */
    rf_einsum_term output;
} rf_einsum_equation;

/* Reads the equation for the inputs of `node`; of the shapes only the ranks are looked at. */
rf_status rf_einsum_read(const rf_node *node, const char *text, rf_einsum_equation *equation);

#endif
