//! ggml's `block_iq3_s` and `dequantize_row_iq3_s`.

use super::bits::half;
use super::{Block, BlockScales, GROUPS_MAX, Quantized, Scale, Table16, Values, table16};
use crate::dtype::DType;
use bytemuck::AnyBitPattern;
use std::mem::offset_of;

/// The IQ3_S block: 256 weights in groups of 32, each with a scale; each four weights are a place in a grid of 512, and signs.
/// w[i] = d · (1 + 2 s[g]) · ±GRID[p[i / 4]][i % 4]
///
/// ```text
/// byte  0     2                   66                74                   106                110
///       | d   | p0 | p1 | … | p63 | h7 … h0 | …     | n7 … n0 | …        | s1 s0 | … | s7 s6 |
///         f16   8 bits each         their ninth bits  1 for a negative     4 bits each
///                                                     weight
///
/// q[i] = n[i] · 8 + GRID[h[i / 4] · 256 + p[i / 4]][i % 4]
/// ```
///
/// All magnitudes are odd and below 16: with signs they are 16 values, a table's.
#[repr(C)]
#[derive(Clone, Copy, AnyBitPattern)]
pub(super) struct BlockIQ3_S {
    d: [u8; 2],
    p: [u8; 64],
    h: [u8; 8],
    n: [u8; 32],
    s: [u8; 4],
}
const _: () = assert!(size_of::<BlockIQ3_S>() == 110 && align_of::<BlockIQ3_S>() == 1);

impl Block for BlockIQ3_S {
    const DTYPE: DType = DType::IQ3_S;
    const FORMAT: Quantized = Quantized {
        values: Values::Table16(&ODD),
        group_len: 32,
        scale: Scale::Super { factor_max: 31 },
        has_offset: false,
    };
    const MULTIPLIERS: &[usize] = &[offset_of!(Self, d)];

    #[inline(always)]
    fn unpack(&self, q: &mut [u8]) -> BlockScales {
        for (four, q) in q.chunks_exact_mut(4).enumerate() {
            let ninth = u16::from(self.h[four / 8] >> (four % 8) & 1) << 8;
            let place = ninth | u16::from(self.p[four]);
            let signs = self.n[four / 2] >> (four % 2 * 4);
            for (i, q) in q.iter_mut().enumerate() {
                let magnitude = (GRID[usize::from(place)] >> (3 * i) & 7).to_le_bytes()[0];
                *q = (signs >> i & 1) << 3 | magnitude;
            }
        }
        let mut s = [0; GROUPS_MAX];
        for (group, s) in s.iter_mut().take(8).enumerate() {
            *s = 1 + 2 * (self.s[group / 2] >> (group % 2 * 4) & 15).cast_signed();
        }
        BlockScales::factors(half(self.d), s)
    }
}

/// What magnitudes and signs stand for.
const ODD: Table16 = table16![1, 3, 5, 7, 9, 11, 13, 15, -1, -3, -5, -7, -9, -11, -13, -15];

/// ggml's `iq3s_grid`: places of four magnitudes among the odd numbers, an octal digit each, the last one first.
#[rustfmt::skip]
const GRID: [u16; 512] = [
    0o0000, 0o0001, 0o0002, 0o0005, 0o0007, 0o0010, 0o0011, 0o0012, 0o0014, 0o0016, 0o0020, 0o0021, 0o0025,
    0o0033, 0o0040, 0o0042, 0o0045, 0o0047, 0o0051, 0o0053, 0o0060, 0o0062, 0o0071, 0o0074, 0o0077, 0o0100,
    0o0101, 0o0102, 0o0104, 0o0110, 0o0111, 0o0115, 0o0120, 0o0123, 0o0127, 0o0131, 0o0135, 0o0144, 0o0161,
    0o0165, 0o0172, 0o0200, 0o0201, 0o0205, 0o0207, 0o0210, 0o0213, 0o0216, 0o0221, 0o0225, 0o0230, 0o0234,
    0o0242, 0o0245, 0o0247, 0o0251, 0o0253, 0o0270, 0o0273, 0o0303, 0o0311, 0o0315, 0o0320, 0o0322, 0o0331,
    0o0333, 0o0336, 0o0344, 0o0350, 0o0352, 0o0367, 0o0371, 0o0375, 0o0400, 0o0413, 0o0417, 0o0421, 0o0424,
    0o0432, 0o0440, 0o0443, 0o0451, 0o0470, 0o0502, 0o0504, 0o0520, 0o0522, 0o0526, 0o0533, 0o0541, 0o0545,
    0o0547, 0o0566, 0o0573, 0o0606, 0o0611, 0o0613, 0o0631, 0o0652, 0o0671, 0o0700, 0o0702, 0o0704, 0o0720,
    0o0722, 0o0726, 0o0733, 0o0750, 0o0754, 0o1000, 0o1001, 0o1002, 0o1004, 0o1010, 0o1011, 0o1013, 0o1015,
    0o1017, 0o1020, 0o1022, 0o1031, 0o1034, 0o1036, 0o1054, 0o1056, 0o1061, 0o1072, 0o1100, 0o1101, 0o1103,
    0o1106, 0o1110, 0o1114, 0o1121, 0o1130, 0o1133, 0o1141, 0o1150, 0o1152, 0o1170, 0o1176, 0o1200, 0o1212,
    0o1215, 0o1217, 0o1220, 0o1224, 0o1232, 0o1240, 0o1243, 0o1255, 0o1260, 0o1272, 0o1301, 0o1304, 0o1307,
    0o1310, 0o1313, 0o1321, 0o1327, 0o1330, 0o1334, 0o1341, 0o1362, 0o1370, 0o1403, 0o1405, 0o1412, 0o1414,
    0o1431, 0o1433, 0o1442, 0o1446, 0o1450, 0o1454, 0o1501, 0o1510, 0o1513, 0o1521, 0o1530, 0o1532, 0o1551,
    0o1620, 0o1624, 0o1627, 0o1644, 0o1646, 0o1701, 0o1703, 0o1710, 0o1712, 0o1721, 0o1735, 0o1741, 0o1762,
    0o1770, 0o2000, 0o2001, 0o2003, 0o2005, 0o2007, 0o2010, 0o2012, 0o2014, 0o2016, 0o2021, 0o2023, 0o2027,
    0o2030, 0o2032, 0o2041, 0o2043, 0o2045, 0o2050, 0o2052, 0o2067, 0o2070, 0o2073, 0o2075, 0o2100, 0o2102,
    0o2110, 0o2113, 0o2117, 0o2122, 0o2125, 0o2131, 0o2134, 0o2142, 0o2151, 0o2201, 0o2204, 0o2207, 0o2221,
    0o2223, 0o2230, 0o2237, 0o2241, 0o2253, 0o2257, 0o2271, 0o2274, 0o2300, 0o2302, 0o2305, 0o2311, 0o2322,
    0o2324, 0o2331, 0o2333, 0o2342, 0o2350, 0o2366, 0o2401, 0o2407, 0o2420, 0o2423, 0o2432, 0o2435, 0o2441,
    0o2472, 0o2475, 0o2504, 0o2511, 0o2522, 0o2537, 0o2540, 0o2553, 0o2570, 0o2600, 0o2602, 0o2607, 0o2621,
    0o2655, 0o2661, 0o2705, 0o2711, 0o2726, 0o2730, 0o2743, 0o2750, 0o3002, 0o3011, 0o3013, 0o3015, 0o3017,
    0o3022, 0o3031, 0o3033, 0o3035, 0o3042, 0o3044, 0o3047, 0o3051, 0o3063, 0o3071, 0o3101, 0o3103, 0o3105,
    0o3114, 0o3121, 0o3123, 0o3140, 0o3160, 0o3172, 0o3176, 0o3200, 0o3212, 0o3220, 0o3232, 0o3234, 0o3250,
    0o3301, 0o3310, 0o3314, 0o3321, 0o3323, 0o3327, 0o3330, 0o3341, 0o3343, 0o3347, 0o3355, 0o3373, 0o3403,
    0o3411, 0o3416, 0o3422, 0o3431, 0o3452, 0o3460, 0o3464, 0o3501, 0o3510, 0o3512, 0o3525, 0o3532, 0o3544,
    0o3556, 0o3573, 0o3616, 0o3641, 0o3701, 0o3703, 0o3720, 0o3722, 0o3735, 0o4000, 0o4004, 0o4012, 0o4020,
    0o4024, 0o4027, 0o4032, 0o4041, 0o4050, 0o4070, 0o4102, 0o4107, 0o4111, 0o4113, 0o4122, 0o4130, 0o4135,
    0o4143, 0o4151, 0o4155, 0o4201, 0o4203, 0o4210, 0o4215, 0o4221, 0o4233, 0o4240, 0o4257, 0o4262, 0o4270,
    0o4304, 0o4311, 0o4313, 0o4320, 0o4322, 0o4331, 0o4335, 0o4400, 0o4402, 0o4424, 0o4437, 0o4440, 0o4471,
    0o4505, 0o4507, 0o4521, 0o4562, 0o4613, 0o4634, 0o4660, 0o4710, 0o4715, 0o4730, 0o4743, 0o4751, 0o5002,
    0o5010, 0o5014, 0o5022, 0o5040, 0o5044, 0o5047, 0o5052, 0o5066, 0o5074, 0o5101, 0o5103, 0o5105, 0o5112,
    0o5121, 0o5132, 0o5172, 0o5200, 0o5211, 0o5223, 0o5230, 0o5236, 0o5253, 0o5302, 0o5307, 0o5310, 0o5327,
    0o5344, 0o5351, 0o5365, 0o5373, 0o5401, 0o5404, 0o5420, 0o5432, 0o5446, 0o5512, 0o5526, 0o5551, 0o5553,
    0o5642, 0o5702, 0o5704, 0o5722, 0o6011, 0o6013, 0o6015, 0o6031, 0o6033, 0o6060, 0o6100, 0o6120, 0o6127,
    0o6164, 0o6212, 0o6234, 0o6242, 0o6255, 0o6262, 0o6270, 0o6300, 0o6314, 0o6321, 0o6340, 0o6425, 0o6443,
    0o6462, 0o6500, 0o6503, 0o6534, 0o6560, 0o6605, 0o6640, 0o6711, 0o6713, 0o7000, 0o7004, 0o7007, 0o7020,
    0o7022, 0o7036, 0o7040, 0o7054, 0o7062, 0o7102, 0o7111, 0o7124, 0o7143, 0o7145, 0o7201, 0o7204, 0o7210,
    0o7216, 0o7221, 0o7230, 0o7251, 0o7302, 0o7332, 0o7335, 0o7353, 0o7401, 0o7405, 0o7413, 0o7420, 0o7450,
    0o7522, 0o7542, 0o7602, 0o7631, 0o7700,
];
