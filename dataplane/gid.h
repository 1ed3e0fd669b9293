/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * GID: the name of a group, unique across networks, in one of the two forms that fanfare.h describes.
 */
#ifndef FAN_GID_H
#define FAN_GID_H

#include "context/error.h"

#define FAN_GID_BYTES_MAX 255 /* canonical text without the closing zero */

/*
 * Writes the canonical form of a group identity, which is its own canonical form:
 *   External Group Identifier "local@domain" (TS 23.682 4.6.3, TS 23.003 19.7.3): an "extgroupid-" in front is taken off, the
 *     domain is lower-cased. The local part is that of an NAI (RFC 4282 2.1) in ASCII and keeps its case; the domain has labels
 *     of letters, digits and inner hyphens, 1..63 each.
 *   IMSI-Group-Id (TS 23.003 19.9): hex digits upper-cased.
 * INVALID names what is wrong. Out: canonical[FAN_GID_BYTES_MAX + 1], empty on error. Any thread.
 */
int fan_gid_canonical(char *canonical, const char *gid);

#endif
