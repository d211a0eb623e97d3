/* SPDX-License-Identifier: MIT */
/* A file's bytes as memory, read from the disk only where they are looked at. */
#ifndef RF_READERS_MAPPED_FILE_H
#define RF_READERS_MAPPED_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include <rfield/status.h>

typedef struct rf_mapped_file {
    const unsigned char *data; /* never NULL, but not to be read where `bytes` is 0 */
    size_t bytes;
    int descriptor; /* -1 where it was closed */
} rf_mapped_file;

/* Maps a regular file for reading. The failure is an RF_ERROR_IO that calls the file `path` and
 * has `subject` as its subject, or the path where that is NULL. */
rf_status rf_map_file(const char *path, const char *subject, rf_mapped_file *file,
                      rf_error *error);

/* Closes the file itself; its bytes stay mapped. */
void rf_close_file(rf_mapped_file *file);

/* Copies bytes of the mapping from the file, past its pages; false where the file was closed or cannot be read, or
 * does not have all of them. */
bool rf_read_mapped(const rf_mapped_file *file, const void *from, size_t bytes, void *to);

/* Gives up the resident pages among `bytes` bytes, wherever those are; they come back when looked at. A system may
 * map 2 MiB for each place that was read, which adds up where a reader hops from one weight to the next. */
void rf_forget_pages(const rf_mapped_file *file, const void *from, size_t bytes);

void rf_unmap_file(const rf_mapped_file *file);

#endif
