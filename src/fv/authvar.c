/* SPDX-License-Identifier: BSD-2-Clause */
#include "pflash/authvar.h"

#include <errno.h>
#include <string.h>

#include "pflash/le.h"

/* EFI_VARIABLE_AUTHENTICATION_2: EFI_TIME, WIN_CERTIFICATE_UEFI_GUID. */
enum {
	AUTH_PAD1 = 7,
	AUTH_NANOSECOND = 8,
	AUTH_TIME_ZONE = 12,
	AUTH_DAYLIGHT = 14,
	AUTH_PAD2 = 15,
	AUTH_LENGTH = 16, /* of WIN_CERTIFICATE, with its header */
	AUTH_REVISION = 20,
	AUTH_TYPE = 22,
	AUTH_GUID = 24,
	AUTH_HEADER_SIZE = 40,
	TIME_SIZE = 16,
	CERTIFICATE_HEADER_SIZE = 24,
};

#define WIN_CERT_REVISION 0x0200u
#define WIN_CERT_TYPE_EFI_GUID 0x0ef1u

/* gEfiCertPkcs7Guid 4aafd29d-68df-49ee-8aa9-347d375665a7 */
static const uint8_t guid_pkcs7[GUID_SIZE] = {
	0x9d, 0xd2, 0xaf, 0x4a, 0xdf, 0x68, 0xee, 0x49,
	0x8a, 0xa9, 0x34, 0x7d, 0x37, 0x56, 0x65, 0xa7,
};

bool
authvar_recognize(const uint8_t *bytes, size_t size)
{
	return size >= AUTH_HEADER_SIZE &&
	       get_le16(bytes + AUTH_REVISION) == WIN_CERT_REVISION &&
	       get_le16(bytes + AUTH_TYPE) == WIN_CERT_TYPE_EFI_GUID;
}

static void
read_time(struct variable_time *time, const uint8_t *bytes)
{
	*time = (struct variable_time){
		.year = get_le16(bytes),
		.month = bytes[2],
		.day = bytes[3],
		.hour = bytes[4],
		.minute = bytes[5],
		.second = bytes[6],
	};
}

/* AuthService.c:1888: the firmware requires 0 in the rest of the time. */
static int
check_time(const uint8_t *bytes, struct error *err)
{
	if (bytes[AUTH_PAD1] || get_le32(bytes + AUTH_NANOSECOND) ||
	    get_le16(bytes + AUTH_TIME_ZONE) || bytes[AUTH_DAYLIGHT] ||
	    bytes[AUTH_PAD2])
		return error_set(err, EINVAL,
				 "TimeStamp: Pad1, Nanosecond, TimeZone, "
				 "Daylight and Pad2 must be 0");
	return 0;
}

int
authvar_parse(struct authvar *update, const uint8_t *bytes, size_t size,
	      struct error *err)
{
	uint32_t length;

	if (!authvar_recognize(bytes, size))
		return error_set(err, EINVAL,
				 "no EFI_VARIABLE_AUTHENTICATION_2 at its "
				 "beginning");
	if (check_time(bytes, err) < 0)
		return -EINVAL;
	if (memcmp(bytes + AUTH_GUID, guid_pkcs7, GUID_SIZE) != 0)
		return error_set(err, EINVAL,
				 "AuthInfo.CertType is not that of PKCS#7");
	length = get_le32(bytes + AUTH_LENGTH);
	if (length <= CERTIFICATE_HEADER_SIZE || length > size - TIME_SIZE)
		return error_set(err, EINVAL,
				 "AuthInfo.Hdr.dwLength is %u, but from 25 to "
				 "%zu is possible",
				 length, size - TIME_SIZE);
	read_time(&update->time, bytes);
	update->time_bytes = bytes;
	update->signature = bytes + AUTH_HEADER_SIZE;
	update->signature_size = length - CERTIFICATE_HEADER_SIZE;
	update->value = bytes + TIME_SIZE + length;
	update->value_size = size - TIME_SIZE - length;
	return 0;
}

int
variable_time_compare(const struct variable_time *a,
		      const struct variable_time *b)
{
	const int differences[] = {
		a->year - b->year, a->month - b->month,   a->day - b->day,
		a->hour - b->hour, a->minute - b->minute, a->second - b->second,
	};

	for (size_t i = 0; i < sizeof(differences) / sizeof(int); i++)
		if (differences[i])
			return differences[i];
	return 0;
}

/* AuthService.c:1972: name without its NUL, GUID, attributes, time, value. */
size_t
authvar_signed_size(const struct authvar *update, uint32_t name_size)
{
	return name_size - 2 + GUID_SIZE + sizeof(uint32_t) + TIME_SIZE +
	       update->value_size;
}

void
authvar_signed(const struct authvar *update, const uint8_t *guid,
	       const uint8_t *name, uint32_t name_size, uint32_t attributes,
	       uint8_t *to)
{
	memcpy(to, name, name_size - 2);
	to += name_size - 2;
	memcpy(to, guid, GUID_SIZE);
	to += GUID_SIZE;
	put_le32(to, attributes);
	to += sizeof(uint32_t);
	memcpy(to, update->time_bytes, TIME_SIZE);
	if (update->value_size)
		memcpy(to + TIME_SIZE, update->value, update->value_size);
}
