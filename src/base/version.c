/* SPDX-License-Identifier: Apache-2.0 */
/* Constant names: the version, the profile, what each status is called. */
#include "base/base.h"

const char *kdl_version(void)
{
    return KDL_VERSION_STRING;
}

const char *kdl_profile(void)
{
    return "torch-2.13";
}

const char *kdl_status_name(kdl_status status)
{
    /* A switch without a default, so that the compiler names a status that is forgotten here. */
    switch (status) {
    case KDL_OK:
        return "OK";
    case KDL_ERROR_VALUE:
        return "ValueError";
    case KDL_ERROR_TYPE:
        return "TypeError";
    case KDL_ERROR_INDEX:
        return "IndexError";
    case KDL_ERROR_KEY:
        return "KeyError";
    case KDL_ERROR_RUNTIME:
        return "RuntimeError";
    case KDL_ERROR_NOT_IMPLEMENTED:
        return "NotImplementedError";
    case KDL_ERROR_ZERO_DIVISION:
        return "ZeroDivisionError";
    case KDL_ERROR_MEMORY:
        return "MemoryError";
    case KDL_ERROR_IO:
        return "OSError";
    case KDL_ERROR_FORMAT:
        return "FormatError";
    case KDL_ERROR_INTERRUPTED:
        return "Interrupted";
    }
    return "unknown status";
}
