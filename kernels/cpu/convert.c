/* Stored weights (F32, BF16, F16) as float. */
#include <string.h>

#include "kernels/cpu/cpu.h"

CPU_CLONES static void
from_bf16(float *restrict dst, const uint16_t *restrict src, size_t n)
{
	uint32_t *restrict d = (uint32_t *)(void *)dst;
	for (size_t i = 0; i < n; i++)
		d[i] = (uint32_t)src[i] << 16;
}

CPU_CLONES static void
from_f16(float *restrict dst, const uint16_t *restrict src, size_t n)
{
	for (size_t i = 0; i < n; i++)
		dst[i] = cpu_half(src[i]);
}

void
cpu_to_f32(float *dst, struct k_mat m, size_t from, size_t n)
{
	if (m.dtype == K_F32)
		memcpy(dst, (const float *)m.data + from, n * sizeof *dst);
	else if (m.dtype == K_BF16)
		from_bf16(dst, (const uint16_t *)m.data + from, n);
	else
		from_f16(dst, (const uint16_t *)m.data + from, n);
}

const float *
cpu_vector(struct k_mat m, size_t n, float *buf)
{
	if (m.data == NULL)
		return NULL;
	if (m.dtype == K_F32)
		return m.data;
	cpu_to_f32(buf, m, 0, n);
	return buf;
}
