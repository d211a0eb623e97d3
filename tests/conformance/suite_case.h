/* SPDX-License-Identifier: MIT */
/* One model of ONNX's conformance suite, run and compared with what the suite expects. */
#ifndef RF_TESTS_SUITE_CASE_H
#define RF_TESTS_SUITE_CASE_H

#include <stdbool.h>

#include <rfield/rfield.h>

typedef enum suite_result {
    SUITE_PASSED,
    SUITE_FAILED,  /* ran and differs, or stopped for another reason than not being supported */
    SUITE_REFUSED  /* a typed error says what is not supported */
} suite_result;

typedef struct suite_outcome {
    suite_result result;
    char reason[400];
    char operators[16][48]; /* that occur in the model, each once */
    int operator_count;
} suite_outcome;

/* `folder` holds model.onnx and test_data_set_0. */
void suite_run(const char *folder, suite_outcome *outcome);

#endif
