/* v[i] lane j <-> v[j] lane i, of four vectors of NEON. */
BODY void transpose(uint32x4_t v[4])
{
    uint64x2_t even_01 = vreinterpretq_u64_u32(vtrn1q_u32(v[0], v[1]));
    uint64x2_t odd_01 = vreinterpretq_u64_u32(vtrn2q_u32(v[0], v[1]));
    uint64x2_t even_23 = vreinterpretq_u64_u32(vtrn1q_u32(v[2], v[3]));
    uint64x2_t odd_23 = vreinterpretq_u64_u32(vtrn2q_u32(v[2], v[3]));

    v[0] = vreinterpretq_u32_u64(vtrn1q_u64(even_01, even_23));
    v[1] = vreinterpretq_u32_u64(vtrn1q_u64(odd_01, odd_23));
    v[2] = vreinterpretq_u32_u64(vtrn2q_u64(even_01, even_23));
    v[3] = vreinterpretq_u32_u64(vtrn2q_u64(odd_01, odd_23));
}
