/* SPDX-License-Identifier: MIT */
#define _XOPEN_SOURCE 700
#include "output_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command.h"

static int cannot_write(const output_file *output)
{
    return complain(output->path, "cannot be written: %s", strerror(errno));
}

static void forget(output_file *output)
{
    free(output->target);
    free(output->temporary);
    *output = (output_file){.file = NULL};
}

static mode_t usual_mode(void)
{
    mode_t mask = umask(0);
    umask(mask);
    return 0666 & ~mask;
}

/* Sets target and temporary names; a symbolic link is followed, so that it stays one. */
static bool name_files(output_file *output, bool exists)
{
    static const char suffix[] = ".XXXXXX";
    output->target = exists ? realpath(output->path, NULL) : strdup(output->path);
    if (!output->target)
        return false;
    size_t bytes = strlen(output->target);
    output->temporary = malloc(bytes + sizeof suffix);
    if (!output->temporary)
        return false;
    memcpy(output->temporary, output->target, bytes);
    memcpy(output->temporary + bytes, suffix, sizeof suffix);
    return true;
}

static bool open_temporary(output_file *output, mode_t mode)
{
    int descriptor = mkstemp(output->temporary);
    if (descriptor < 0)
        return false;
    output->file = fchmod(descriptor, mode) == 0 ? fdopen(descriptor, "w") : NULL;
    if (output->file)
        return true;
    int reason = errno;
    close(descriptor);
    unlink(output->temporary);
    errno = reason;
    return false;
}

int output_open(output_file *output, const char *path)
{
    struct stat status;
    *output = (output_file){.file = stdout};
    if (!path || strcmp(path, "-") == 0)
        return DONE;
    *output = (output_file){.path = path};
    bool exists = stat(path, &status) == 0;
    if (exists && !S_ISREG(status.st_mode)) {
        output->file = S_ISDIR(status.st_mode) ? NULL : fopen(path, "w");
        errno = S_ISDIR(status.st_mode) ? EISDIR : errno;
        return output->file ? DONE : cannot_write(output);
    }
    mode_t mode = exists ? status.st_mode & 0777 : usual_mode();
    if (name_files(output, exists) && open_temporary(output, mode))
        return DONE;
    int code = cannot_write(output);
    forget(output);
    return code;
}

bool output_write(void *context, const char *text, size_t bytes)
{
    return fwrite(text, 1, bytes, ((output_file *)context)->file) == bytes;
}

int output_finish(output_file *output)
{
    if (!output->path)
        return finish_stdout();
    bool lost = ferror(output->file) || fflush(output->file) != 0;
    int reason = errno;
    lost = fclose(output->file) != 0 || lost;
    if (!lost && output->temporary && rename(output->temporary, output->target) != 0) {
        reason = errno;
        lost = true;
    }
    if (lost && output->temporary)
        unlink(output->temporary);
    errno = reason;
    int code = lost ? cannot_write(output) : DONE;
    forget(output);
    return code;
}

void output_discard(output_file *output)
{
    if (output->path && output->file)
        fclose(output->file);
    if (output->temporary)
        unlink(output->temporary);
    forget(output);
}
