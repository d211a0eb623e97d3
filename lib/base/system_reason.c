/* SPDX-License-Identifier: MIT */
/* strerror() depends on the locale and on other threads; this does not. */
#include "base/system_reason.h"

#include <errno.h>
#include <stddef.h>

const char *rf_system_reason(int number)
{
    static const struct {
        int number;
        const char *text;
    } reasons[] = {
        {ENOENT, "there is no such file"},
        {ENOTDIR, "a part of its path is not a directory"},
        {EISDIR, "it is a directory"},
        {EACCES, "permission denied"},
        {EPERM, "permission denied"},
        {EROFS, "its file system is read-only"},
        {ENAMETOOLONG, "its path is too long"},
        {ELOOP, "its path has too many symbolic links"},
        {EMFILE, "too many files are open"},
        {ENFILE, "too many files are open"},
        {ENOMEM, "there is no address space left for it"},
        {ENOSPC, "no space is left"},
        {EDQUOT, "no space is left"},
        {EFBIG, "it would be too large a file"},
        {EPIPE, "nobody reads from it"},
        {EIO, "the device failed"},
    };
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
        if (reasons[i].number == number)
            return reasons[i].text;
    return "the system refused it";
}
