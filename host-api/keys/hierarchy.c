/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "hierarchy.h"

#include <assert.h>
#include <string.h>

#define TEXT_BYTES_MAX 1024 /* of a network's name, a SUPI or an identity; those of the standards have up to 253 */

#define FIXED(array)                                                                                                           \
	{                                                                                                                      \
		(array), sizeof(array)                                                                                         \
	}
#define TEXT(text)                                                                                                             \
	{                                                                                                                      \
		(text), (uint16_t)strlen(text)                                                                                 \
	}
#define COUNT_OF(list) (unsigned)(sizeof(list) / sizeof((list)[0]))

/* Most significant octet first, as TS 33.220 B.2.1.3 has integers. */
#define TWO(number)                                                                                                            \
	{                                                                                                                      \
		(uint8_t)((number) >> 8), (uint8_t)(number)                                                                    \
	}
#define THREE(number)                                                                                                          \
	{                                                                                                                      \
		(uint8_t)((number) >> 16), (uint8_t)((number) >> 8), (uint8_t)(number)                                         \
	}
#define FOUR(number)                                                                                                           \
	{                                                                                                                      \
		(uint8_t)((number) >> 24), (uint8_t)((number) >> 16), (uint8_t)((number) >> 8), (uint8_t)(number)              \
	}

static int
check_text(const char *what, const char *text)
{
	const size_t text_bytes = strnlen(text, TEXT_BYTES_MAX + 1);

	if (text_bytes == 0 || text_bytes > TEXT_BYTES_MAX)
		return fan_fail(FAN_E_INVALID, "%s of %zu octets: 1 to %d", what, text_bytes, TEXT_BYTES_MAX);
	return 0;
}

static int
check_cell(unsigned pci, unsigned pci_max, unsigned arfcn, unsigned arfcn_max)
{
	if (pci > pci_max)
		return fan_fail(FAN_E_INVALID, "PCI %u: 0 to %u", pci, pci_max);
	if (arfcn > arfcn_max)
		return fan_fail(FAN_E_INVALID, "ARFCN-DL %u: 0 to %u", arfcn, arfcn_max);
	return 0;
}

/* Under CK || IK. */
static int
derive_from_pair(uint8_t out[FAN_KDF_BYTES], const uint8_t ck[FAN_CK_BYTES], const uint8_t ik[FAN_CK_BYTES], uint8_t fc,
		 const struct fan_kdf_parameter *parameters, unsigned count)
{
	uint8_t key[2 * FAN_CK_BYTES];
	int error;

	memcpy(key, ck, FAN_CK_BYTES);
	memcpy(key + FAN_CK_BYTES, ik, FAN_CK_BYTES);
	error = fan_kdf(out, key, sizeof(key), fc, parameters, count);
	explicit_bzero(key, sizeof(key));
	return error;
}

static int
derive(uint8_t out[FAN_KDF_BYTES], const uint8_t key[FAN_KDF_BYTES], uint8_t fc, const struct fan_kdf_parameter *parameters,
       unsigned count)
{
	return fan_kdf(out, key, FAN_KDF_BYTES, fc, parameters, count);
}

/* What was refused leaves no key of an earlier call behind. */
static int
refuse(void *out, size_t out_bytes, int error)
{
	explicit_bzero(out, out_bytes);
	return error;
}

/* ---- EPS ---------------------------------------------------------------------------------------------------------------- */

int
fan_k_asme(uint8_t out[FAN_KDF_BYTES], const uint8_t ck[FAN_CK_BYTES], const uint8_t ik[FAN_CK_BYTES], const uint8_t plmn[3],
	   const uint8_t sqn_xor_ak[FAN_SQN_BYTES])
{
	const struct fan_kdf_parameter parameters[] = { { plmn, 3 }, { sqn_xor_ak, FAN_SQN_BYTES } };

	return derive_from_pair(out, ck, ik, 0x10, parameters, COUNT_OF(parameters));
}

int
fan_k_enb(uint8_t out[FAN_KDF_BYTES], const uint8_t k_asme[FAN_KDF_BYTES], uint32_t uplink_count)
{
	const uint8_t count[] = FOUR(uplink_count);
	const struct fan_kdf_parameter parameters[] = { FIXED(count) };

	return derive(out, k_asme, 0x11, parameters, COUNT_OF(parameters));
}

int
fan_eps_nh(uint8_t out[FAN_KDF_BYTES], const uint8_t k_asme[FAN_KDF_BYTES], const uint8_t before[FAN_KDF_BYTES])
{
	const struct fan_kdf_parameter parameters[] = { { before, FAN_KDF_BYTES } };

	return derive(out, k_asme, 0x12, parameters, COUNT_OF(parameters));
}

int
fan_k_enb_star(uint8_t out[FAN_KDF_BYTES], const uint8_t key[FAN_KDF_BYTES], uint16_t pci, uint32_t earfcn_dl)
{
	const uint8_t cell[] = TWO(pci), frequency[] = THREE(earfcn_dl);
	/* Two octets for what two can hold: the third came with the higher EARFCNs. */
	const uint8_t frequency_bytes = earfcn_dl > UINT16_MAX ? 3 : 2;
	const struct fan_kdf_parameter parameters[] = { FIXED(cell), { frequency + 3 - frequency_bytes, frequency_bytes } };
	const int error = check_cell(pci, 503, earfcn_dl, 262143);

	return error != 0 ? refuse(out, FAN_KDF_BYTES, error) : derive(out, key, 0x13, parameters, COUNT_OF(parameters));
}

int
fan_s_k_enb(uint8_t out[FAN_KDF_BYTES], const uint8_t k_enb[FAN_KDF_BYTES], uint16_t scg_counter)
{
	const uint8_t counter[] = TWO(scg_counter);
	const struct fan_kdf_parameter parameters[] = { FIXED(counter) };

	return derive(out, k_enb, 0x1c, parameters, COUNT_OF(parameters));
}

/* ---- 5GS ---------------------------------------------------------------------------------------------------------------- */

int
fan_k_ausf(uint8_t out[FAN_KDF_BYTES], const uint8_t ck[FAN_CK_BYTES], const uint8_t ik[FAN_CK_BYTES], const char *network,
	   const uint8_t sqn_xor_ak[FAN_SQN_BYTES])
{
	const struct fan_kdf_parameter parameters[] = { TEXT(network), { sqn_xor_ak, FAN_SQN_BYTES } };
	const int error = check_text("a serving network's name", network);

	return error != 0 ? refuse(out, FAN_KDF_BYTES, error)
			  : derive_from_pair(out, ck, ik, 0x6a, parameters, COUNT_OF(parameters));
}

int
fan_res_star(uint8_t out[16], const uint8_t ck[FAN_CK_BYTES], const uint8_t ik[FAN_CK_BYTES], const char *network,
	     const uint8_t rand[FAN_RAND_BYTES], const uint8_t *res, size_t res_bytes)
{
	const struct fan_kdf_parameter parameters[] = { TEXT(network), { rand, FAN_RAND_BYTES }, { res, (uint16_t)res_bytes } };
	uint8_t whole[FAN_KDF_BYTES];
	int error = check_text("a serving network's name", network);

	if (error == 0 && (res_bytes < 4 || res_bytes > FAN_RES_BYTES_MAX))
		error = fan_fail(FAN_E_INVALID, "RES of %zu octets: 4 to %d", res_bytes, FAN_RES_BYTES_MAX);
	if (error == 0)
		error = derive_from_pair(whole, ck, ik, 0x6b, parameters, COUNT_OF(parameters));
	if (error != 0)
		return refuse(out, 16, error);
	memcpy(out, whole + 16, 16);
	explicit_bzero(whole, sizeof(whole));
	return 0;
}

int
fan_k_seaf(uint8_t out[FAN_KDF_BYTES], const uint8_t k_ausf[FAN_KDF_BYTES], const char *network)
{
	const struct fan_kdf_parameter parameters[] = { TEXT(network) };
	const int error = check_text("a serving network's name", network);

	return error != 0 ? refuse(out, FAN_KDF_BYTES, error) : derive(out, k_ausf, 0x6c, parameters, COUNT_OF(parameters));
}

int
fan_k_amf(uint8_t out[FAN_KDF_BYTES], const uint8_t k_seaf[FAN_KDF_BYTES], const char *supi, const uint8_t *abba,
	  uint16_t abba_bytes)
{
	const struct fan_kdf_parameter parameters[] = { TEXT(supi), { abba, abba_bytes } };
	const int error = check_text("a SUPI", supi);

	return error != 0 ? refuse(out, FAN_KDF_BYTES, error) : derive(out, k_seaf, 0x6d, parameters, COUNT_OF(parameters));
}

int
fan_k_gnb(uint8_t out[FAN_KDF_BYTES], const uint8_t k_amf[FAN_KDF_BYTES], uint32_t uplink_count, enum fan_access access)
{
	const uint8_t count[] = FOUR(uplink_count), type = (uint8_t)access;
	const struct fan_kdf_parameter parameters[] = { FIXED(count), { &type, sizeof(type) } };

	if (access != FAN_ACCESS_3GPP && access != FAN_ACCESS_NON_3GPP)
		return refuse(out, FAN_KDF_BYTES, fan_fail(FAN_E_INVALID, "access type %u: 1 or 2", (unsigned)access));
	return derive(out, k_amf, 0x6e, parameters, COUNT_OF(parameters));
}

int
fan_5gs_nh(uint8_t out[FAN_KDF_BYTES], const uint8_t k_amf[FAN_KDF_BYTES], const uint8_t before[FAN_KDF_BYTES])
{
	const struct fan_kdf_parameter parameters[] = { { before, FAN_KDF_BYTES } };

	return derive(out, k_amf, 0x6f, parameters, COUNT_OF(parameters));
}

int
fan_k_ng_ran_star(uint8_t out[FAN_KDF_BYTES], const uint8_t key[FAN_KDF_BYTES], uint16_t pci, uint32_t arfcn_dl)
{
	const uint8_t cell[] = TWO(pci), frequency[] = THREE(arfcn_dl);
	const struct fan_kdf_parameter parameters[] = { FIXED(cell), FIXED(frequency) };
	const int error = check_cell(pci, 1007, arfcn_dl, 3279165);

	return error != 0 ? refuse(out, FAN_KDF_BYTES, error) : derive(out, key, 0x70, parameters, COUNT_OF(parameters));
}

/* ---- Algorithm keys ----------------------------------------------------------------------------------------------------- */

static int
check_algorithm(size_t out_bytes, enum fan_generation generation, enum fan_key_use use, uint8_t algorithm)
{
	if (out_bytes != 16 && out_bytes != 32)
		return fan_fail(FAN_E_INVALID, "an algorithm's key of %zu octets: 16 or 32", out_bytes);
	if (generation != FAN_GENERATION_EPS && generation != FAN_GENERATION_5GS)
		return fan_fail(FAN_E_INVALID, "FC %u derives no algorithm's key", (unsigned)generation);
	if (use < FAN_USE_NAS_ENC || use > FAN_USE_UP_INT)
		return fan_fail(FAN_E_INVALID, "algorithm type %u: 1 to 6", (unsigned)use);
	if (algorithm > FAN_ALGORITHM_IDENTITY_MAX)
		return fan_fail(FAN_E_INVALID, "algorithm %u: 0 to %d", algorithm, FAN_ALGORITHM_IDENTITY_MAX);
	return 0;
}

int
fan_algorithm_key(uint8_t *out, size_t out_bytes, const uint8_t key[FAN_KDF_BYTES], enum fan_generation generation,
		  enum fan_key_use use, uint8_t algorithm)
{
	const uint8_t type = (uint8_t)use;
	const struct fan_kdf_parameter parameters[] = { { &type, sizeof(type) }, { &algorithm, sizeof(algorithm) } };
	uint8_t whole[FAN_KDF_BYTES];
	int error = check_algorithm(out_bytes, generation, use, algorithm);

	if (error == 0)
		error = derive(whole, key, (uint8_t)generation, parameters, COUNT_OF(parameters));
	if (error != 0)
		return refuse(out, out_bytes, error);
	memcpy(out, whole + sizeof(whole) - out_bytes, out_bytes);
	explicit_bzero(whole, sizeof(whole));
	return 0;
}

/* ---- EAP-AKA' ------------------------------------------------------------------------------------------------------------ */

int
fan_ck_ik_prime(uint8_t ck_prime[FAN_CK_BYTES], uint8_t ik_prime[FAN_CK_BYTES], const uint8_t ck[FAN_CK_BYTES],
		const uint8_t ik[FAN_CK_BYTES], const char *network, const uint8_t sqn_xor_ak[FAN_SQN_BYTES])
{
	const struct fan_kdf_parameter parameters[] = { TEXT(network), { sqn_xor_ak, FAN_SQN_BYTES } };
	uint8_t whole[FAN_KDF_BYTES];
	int error = check_text("an access network's identity", network);

	if (error == 0)
		error = derive_from_pair(whole, ck, ik, 0x20, parameters, COUNT_OF(parameters));
	if (error != 0) {
		explicit_bzero(ck_prime, FAN_CK_BYTES);
		return refuse(ik_prime, FAN_CK_BYTES, error);
	}
	memcpy(ck_prime, whole, FAN_CK_BYTES);
	memcpy(ik_prime, whole + FAN_CK_BYTES, FAN_CK_BYTES);
	explicit_bzero(whole, sizeof(whole));
	return 0;
}

int
fan_eap_keys(struct fan_eap_keys *out, const uint8_t ck_prime[FAN_CK_BYTES], const uint8_t ik_prime[FAN_CK_BYTES],
	     const char *identity)
{
	static_assert(sizeof(*out) == 208, "the parts of the master key lie in their order, without gaps");
	uint8_t key[2 * FAN_CK_BYTES];
	char label[TEXT_BYTES_MAX + 9];
	int error = check_text("an identity", identity);

	if (error != 0)
		return refuse(out, sizeof(*out), error);
	memcpy(key, ik_prime, FAN_CK_BYTES);
	memcpy(key + FAN_CK_BYTES, ck_prime, FAN_CK_BYTES);
	(void)snprintf(label, sizeof(label), "EAP-AKA'%s", identity);
	/* PRF' of RFC 9048 3.4.1. */
	error = fan_hkdf(out, sizeof(*out), FAN_HKDF_EXPAND, key, sizeof(key), label, strlen(label));
	explicit_bzero(key, sizeof(key));
	return error != 0 ? refuse(out, sizeof(*out), error) : 0;
}
