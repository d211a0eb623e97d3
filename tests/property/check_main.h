/* SPDX-License-Identifier: MIT */
/*
 * How the checks of fast kernels start: the same words for each of them.
 *
 *     test_NAME [--isa NAME] [--filter TEXT] [--seed N] [--cases N] [--bench | --accuracy]
 *
 * Words become the environment's RF_ISA, RF_FILTER, RF_SEED and RF_CASES, which do as well.
 */
#ifndef RF_TESTS_CHECK_MAIN_H
#define RF_TESTS_CHECK_MAIN_H

#include "kernel_check_tools.h"

typedef struct check_program {
    const char *name;
    struct check_test {
        const char *name;
        void (*run)(void **random); /* its state is a check_random */
    } tests[8];                     /* ends where a name is NULL */
    void (*bench)(const rf_kernels *kernels);    /* prints how fast they are; NULL for none */
    void (*accuracy)(const rf_kernels *kernels); /* NULL, or prints more than the tests' largest errors */
} check_program;

int check_main(int argc, char **argv, const check_program *program);

#endif
