/* SPDX-License-Identifier: MIT */
/*
 * A half-written tensor is worse than none, and a failed write must not cost
 * the file that was there: it is written beside its place and then moved.
 */
#define _XOPEN_SOURCE 700 /* for realpath() */

#include "tensors/new_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/failure.h"
#include "base/system_reason.h"

enum { ATTEMPTS = 100, LARGEST_WRITE = 1 << 30 };

static rf_status cannot_write(const rf_new_file *file, int number)
{
    const char *reason = number == ENOENT ? "there is no such folder" : rf_system_reason(number);
    return rf_fail(file->error, RF_ERROR_IO, file->path, "cannot write %.240s: %s", file->path, reason);
}

/* A symbolic link is followed, so that it stays one. */
static bool find_target(rf_new_file *file, bool exists)
{
    if (exists)
        return realpath(file->path, file->target) != NULL;
    size_t bytes = strlen(file->path) + 1;
    if (bytes > sizeof file->target) {
        errno = ENAMETOOLONG;
        return false;
    }
    memcpy(file->target, file->path, bytes);
    return true;
}

/* A name of our own beside the target, so that moving it is one step. */
static bool open_temporary(rf_new_file *file)
{
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        snprintf(file->temporary, sizeof file->temporary, "%s.%ld-%d", file->target, (long)getpid(),
                 attempt);
        file->descriptor = open(file->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (file->descriptor >= 0)
            return true;
        if (errno != EEXIST)
            return false;
    }
    return false;
}

static rf_status open_beside(rf_new_file *file, const struct stat *status)
{
    if (!find_target(file, status != NULL) || !open_temporary(file))
        return cannot_write(file, errno);
    if (!status || fchmod(file->descriptor, status->st_mode & 0777) == 0)
        return RF_OK;
    rf_status failure = cannot_write(file, errno);
    rf_new_file_discard(file);
    return failure;
}

rf_status rf_new_file_open(rf_new_file *file, const char *path, rf_error *error)
{
    struct stat status;
    file->path = path;
    file->error = error;
    file->temporary[0] = 0;
    if (stat(path, &status) != 0)
        return errno == ENOENT ? open_beside(file, NULL) : cannot_write(file, errno);
    if (S_ISREG(status.st_mode))
        return open_beside(file, &status);
    file->descriptor = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
    return file->descriptor >= 0 ? RF_OK : cannot_write(file, errno);
}

rf_status rf_new_file_write(rf_new_file *file, const void *data, size_t bytes)
{
    const char *at = data;
    while (bytes) {
        ssize_t written = write(file->descriptor, at, bytes < LARGEST_WRITE ? bytes : LARGEST_WRITE);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return cannot_write(file, errno);
        at += written;
        bytes -= (size_t)written;
    }
    return RF_OK;
}

rf_status rf_new_file_finish(rf_new_file *file)
{
    bool lost = close(file->descriptor) != 0;
    if (file->temporary[0] && !lost)
        lost = rename(file->temporary, file->target) != 0;
    if (!lost)
        return RF_OK;
    rf_status failure = cannot_write(file, errno);
    if (file->temporary[0])
        unlink(file->temporary);
    return failure;
}

void rf_new_file_discard(rf_new_file *file)
{
    close(file->descriptor);
    if (file->temporary[0])
        unlink(file->temporary);
}
