/* SPDX-License-Identifier: MIT */
/* A file that appears whole or not at all. */
#ifndef RF_TENSORS_NEW_FILE_H
#define RF_TENSORS_NEW_FILE_H

#include <limits.h>
#include <stddef.h>

#include <rfield/status.h>

typedef struct rf_new_file {
    const char *path;               /* as given */
    int descriptor;
    char target[PATH_MAX];          /* what it will replace */
    char temporary[PATH_MAX + 32];  /* empty where the target, a device or pipe, is written directly */
    rf_error *error;
} rf_new_file;

/* Each fails with an RF_ERROR_IO. One that was opened is finished or discarded. */
rf_status rf_new_file_open(rf_new_file *file, const char *path, rf_error *error);
rf_status rf_new_file_write(rf_new_file *file, const void *data, size_t bytes);
rf_status rf_new_file_finish(rf_new_file *file);
void rf_new_file_discard(rf_new_file *file);

#endif
