/* SPDX-License-Identifier: MIT */
/* Examples and their classes from files, and the batches that ranks take of them. */
#ifndef RFIELD_TOOLS_MPI_TRAINING_DATA_H
#define RFIELD_TOOLS_MPI_TRAINING_DATA_H

#include <rfield/tensors.h>

typedef struct training_data {
    const char *path, *label_path;
    const rf_tensor *examples; /* float32, or uint8 from 0 to 255, [N, ...] */
    const rf_tensor *labels;   /* integers, [N] */
    size_t count;              /* N */
    size_t each;               /* elements of an example */
} training_data;

/* Loads both files. An exit code; close it in either case. */
int data_open(training_data *data, const char *path, const char *label_path);
void data_close(training_data *data);

/* Copies the examples that are listed, as float32; a uint8 is divided by 255. */
void data_take(const training_data *data, const size_t *which, size_t count, float *examples, int64_t *labels);

#endif
